/** What gets into a bundle of logs, and what gives way: bounds of memory hold whatever the logs are. */
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { LogFilter } from '#contract/log-filter'
import { LogBundle } from '../../../../proxy-node/control/log-bundle.ts'
import { journals, logFiles } from '../../../../proxy-node/control/log-files.ts'
import { lineChunks } from '../../../../proxy-node/control/log-reader.ts'
import { pathsUnder } from '../../../../proxy-node/control/paths.ts'

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'obfleet-bundle-'))
})

afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(folder, { recursive: true })
})

async function linesOf(text: string | Buffer): Promise<readonly string[]> {
  const file = join(folder, 'some.log')
  writeFileSync(file, text)
  const lines: string[] = []
  for await (const chunk of lineChunks(file)) lines.push(...chunk)
  return lines
}

describe('lines of a log', () => {
  test.each([
    ['', []],
    ['a', ['a']],
    ['a\nb\r\n\nc', ['a', 'b', '', 'c']],
  ])('%j are those', async (text, lines) => {
    expect(await linesOf(text)).toEqual(lines)
  })

  test('are cut where one never ends, and the next one is whole', async () => {
    const lines = await linesOf(`${'a'.repeat(3_000_000)}\n${'b'.repeat(70_000)}\nnext\n`)
    expect(lines.map(line => line.length)).toEqual([32_768, 32_768, 4])
  })

  test('have their signs whole where a chunk ends within one', async () => {
    const text = '日'.repeat(10_000)
    expect(await linesOf(`${text}\n${text}\n${text}`)).toEqual([text, text, text])
  })
})

/** As any tar reads it. */
async function unpacked(bundle: LogBundle): Promise<string> {
  const input = await bundle.archive('{}', 0)
  return execFileSync('tar', ['-xzOf', '-'], { input }).toString()
}

describe('a bundle', () => {
  const bounds = { textBytes: 1_000, packedBytes: 100_000, lines: 50, partBytes: 100 }
  const numbered = (name: string, count: number) =>
    Array.from({ length: count }, (_, at) => `${name}${at}`)

  test('is an archive of what was put in, part by part', async () => {
    const bundle = new LogBundle(bounds)
    await bundle.file({ name: 'new.log', at: 2 }, [numbered('a', 20), numbered('b', 20)])
    await bundle.file({ name: 'none.log', at: 2 }, [[]])
    expect([bundle.files, bundle.lines, bundle.full]).toEqual([1, 40, undefined])
    expect(await unpacked(bundle)).toBe(
      `{}${[...numbered('a', 20), ...numbered('b', 20)].join('\n')}\n`,
    )
  })

  test.each([
    ['lines', '50 lines', { ...bounds, textBytes: 100_000 }],
    ['text', '200 B', { ...bounds, textBytes: 200 }],
    [
      'what is packed',
      '200 B packed',
      { ...bounds, packedBytes: 200, lines: 1_000, textBytes: 100_000 },
    ],
  ])('with too much of %s has the newest', async (_name, said, own) => {
    const bundle = new LogBundle(own)
    await bundle.file({ name: 'new.log', at: 2 }, [numbered('n', 3)])
    await bundle.file({ name: 'old.log', at: 1 }, [numbered('o', 500)])
    expect(bundle.full).toBe(`it is more than ${said}: the oldest lines were left out`)
    const text = await unpacked(bundle)
    expect(text).toContain('n0\nn1\nn2\n')
    expect(text).toContain('o499\n')
    expect(text).not.toContain('o0\n')
    expect(bundle.lines).toBeLessThanOrEqual(own.lines)
  })
})

const filter: Pick<LogFilter, 'types' | 'from' | 'to'> = {
  types: ['unit', 'node'],
  from: 0,
  to: 2_000,
}

test('files come with the newest first', () => {
  const paths = pathsUnder(folder)
  execFileSync('mkdir', ['-p', paths.state])
  for (const [name, at] of [
    ['node.log.1', '1000'],
    ['node.log', '2000'],
  ] as const) {
    writeFileSync(join(paths.state, name), 'x\n')
    execFileSync('touch', ['-d', `@${at}`, join(paths.state, name)])
  }
  const found = logFiles({ proxyLogs: folder, paths }, filter)
  expect(found.map(({ name }) => name)).toEqual(['node/node.log', 'node/node.log.1'])
})

describe('what systemd kept', () => {
  function journalctl(script: string): void {
    const file = join(folder, 'journalctl')
    writeFileSync(file, `#!/bin/sh\n${script}\n`)
    chmodSync(file, 0o755)
    vi.stubEnv('PATH', `${folder}:${process.env['PATH']}`)
  }

  test('is in the order of its times, entries as they are', async () => {
    journalctl(`echo "$*" >> ${folder}/asked; printf '2 new\\n  goes on\\n1 old\\n'`)
    const [first] = await journals({ root: '' }, filter)
    expect(first).toMatchObject({ text: '1 old\n2 new\n  goes on', note: '' })
    expect(readFileSync(join(folder, 'asked'), 'utf8')).toContain('--since @0 --until @2')
  })

  test.each([
    ['is too much', 'yes 0123456789012345678901234567890123456789', 'it is more than 8 MB'],
    ['cannot be read', 'exit 3', 'journalctl failed: 3'],
  ])('and %s is told as missing', async (_name, script, said) => {
    journalctl(script)
    const all = await journals({ root: '' }, filter)
    for (const { note } of all) expect(note).toContain(said)
  })

  test('and nothing can read is told as missing', async () => {
    vi.stubEnv('PATH', folder)
    const [first] = await journals({ root: '' }, filter)
    expect(first?.note).toBe('journalctl failed: ENOENT')
  })
})
