/** Which processes are the watchdog of a home, by real ones. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { pathsUnder } from '../../../../proxy-node/control/paths.ts'
import { scriptOf, watchdogs } from '../../../../proxy-node/control/watchdogs.ts'

const root = mkdtempSync(join(tmpdir(), 'obfleet-watchdogs-'))
const children: ChildProcess[] = []
const home = (name: string) => join(root, name)
const scriptIn = (name: string) => join(home(name), 'bin/obproxyd.sh')

/** Its pid, as soon as it is what it is to be. */
async function started(file: string, args: readonly string[], cwd = home('o')): Promise<number> {
  const child = spawn(file, args, { cwd, stdio: ['pipe', 'ignore', 'ignore'] })
  children.push(child)
  const pid = child.pid ?? 0
  const last = args.at(-1) ?? file
  await vi.waitFor(() => expect(readFileSync(`/proc/${pid}/cmdline`, 'utf8')).toContain(last))
  return pid
}

beforeAll(() => {
  for (const name of ['o', 'other']) {
    mkdirSync(join(home(name), 'bin'), { recursive: true })
    // Waits without another process until its input ends, in another folder than where it was started.
    writeFileSync(scriptIn(name), '#!/bin/sh\ncd "$(dirname "$0")/.."\nread line\n', {
      mode: 0o755,
    })
  }
})

afterAll(() => {
  for (const child of children) child.kill('SIGKILL')
  rmSync(root, { recursive: true, force: true })
})

test('are shells that run the script of that home, however they were started', async () => {
  const own = [
    await started(scriptIn('o'), []),
    await started('sh', [scriptIn('o'), '-c', 'start']),
    await started('./bin/obproxyd.sh', []),
    await started('sh', ['-e', './obproxyd.sh'], join(home('o'), 'bin')),
  ]
  await started('tail', ['-f', scriptIn('o')])
  await started('sh', ['-c', 'read line # bin/obproxyd.sh', scriptIn('o')])
  await started(scriptIn('other'), [], home('other'))
  await started('./bin/obproxyd.sh', [], home('other'))
  await started('sh', [scriptIn('other')])

  await vi.waitFor(() => {
    expect([...watchdogs(pathsUnder(root), '/o')].sort()).toEqual(own.toSorted())
  })
})

describe('the script of a shell', () => {
  test.each([
    [['/bin/bash', '/o/bin/obproxyd.sh', '-c', 'watch'], '/o/bin/obproxyd.sh'],
    [['-sh', '-x', 's'], 's'],
    [['bash', '-o', 'pipefail', '--', 's'], 's'],
    [['bash', '--norc', 's'], 's'],
    [['bash', '-ec', 's'], undefined],
    [['bash', '-s', 's'], undefined],
    [['vi', 's'], undefined],
    [[], undefined],
  ])('of %j is %s', (argv, script) => {
    expect(scriptOf(argv)).toBe(script)
  })
})
