/** Each top-level folder says what is in it: its README's map has the names that are there, and no others. */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'

const ROOT = resolve(import.meta.dirname, '../..')
/** Folder → the folders below it whose content is listed too. */
const MAPPED: Readonly<Record<string, readonly string[]>> = {
  'proxy-node': [],
  functions: [],
  infra: ['local'],
  test: [],
}

const FILES = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: ROOT,
  encoding: 'utf8',
})
  .trim()
  .split('\n')
  .filter(path => existsSync(join(ROOT, path)))

function namesIn(folder: string, opened: readonly string[]): Set<string> {
  const names = FILES.filter(path => path.startsWith(`${folder}/`)).map(path => {
    const [first = '', second] = path.slice(folder.length + 1).split('/')
    return opened.includes(first) && second !== undefined ? `${first}/${second}` : first
  })
  return new Set(names.filter(name => name !== 'README.md'))
}

function textOf(folder: string): string {
  return readFileSync(join(ROOT, folder, 'README.md'), 'utf8')
}

/** First column of the table below "Map". */
function mapped(text: string): string[] {
  const section = text.split('## Map')[1]?.split('\n## ')[0] ?? ''
  const rows = section.split('\n').filter(line => line.startsWith('| `'))
  return rows.flatMap(row =>
    [...(row.split('|')[1] ?? '').matchAll(/`([^`]+)`/g)].map(([, name = '']) => name),
  )
}

describe.each(Object.entries(MAPPED))('the README of %s', (folder, opened) => {
  test('maps what is there, once each', () => {
    const names = mapped(textOf(folder))

    expect([...names].sort()).toEqual([...namesIn(folder, opened)].sort())
  })

  test('says how to check it, and three decisions with what was rejected', () => {
    const text = textOf(folder)
    const [, decisions = ''] = text.split('## Decisions')

    expect(text).toContain('Checks: ')
    expect(decisions.match(/^\d\. \*\*/gm)).toHaveLength(3)
    expect(decisions.match(/Rejected:\s/g)).toHaveLength(3)
  })
})

/** Each file of a row's last cell, with the words behind it that have to be in it. */
function proofs(): readonly {
  readonly row: string
  readonly file: string
  readonly words: string
}[] {
  const [, section = ''] = textOf('test').split('## What a user can do')
  const rows = (section.split('\n## ')[0] ?? '').split('\n').filter(line => /^\| P\d/.test(line))
  return rows.flatMap(line => {
    const [, row = '', , cell = ''] = line.split(' | ').flatMap(each => each.split(/^\| /))
    return [...cell.matchAll(/`([^`]+)`((?:,? "[^"]+")+)/g)].flatMap(([, file = '', quoted = '']) =>
      [...quoted.matchAll(/"([^"]+)"/g)].map(([, words = '']) => ({ row, file, words })),
    )
  })
}

describe('what a user can do', () => {
  test('has each row of the acceptance list that is built', () => {
    const rows = [...new Set(proofs().map(({ row }) => row))]

    expect(rows).toEqual([...Array.from({ length: 13 }, (_none, at) => `P${at + 1}`), 'P18', 'P19'])
  })

  test.each(proofs())('$row is proved by $file: $words', ({ file, words }) => {
    expect(readFileSync(join(ROOT, 'test', file), 'utf8')).toContain(words)
  })
})

test('every top-level folder with sources is mapped', () => {
  const folders = new Set(
    FILES.filter(path => /\.(ts|mjs)$/.test(path)).map(path => path.split('/')[0] ?? ''),
  )
  expect([...folders].filter(name => !name.includes('.')).sort()).toEqual(
    Object.keys(MAPPED).sort(),
  )
})
