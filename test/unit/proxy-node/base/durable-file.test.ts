import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { replaceFile } from '../../../../proxy-node/base/durable-file.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'obfleet-durable-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

describe('a file that is replaced', () => {
  test('has the new text and its mode, and nothing is left beside it', () => {
    const file = join(folder, 'a')

    replaceFile(file, 'old')
    replaceFile(file, 'new ü', { mode: 0o640 })

    expect(readFileSync(file, 'utf8')).toBe('new ü')
    expect(statSync(file).mode & 0o777).toBe(0o640)
    expect(readdirSync(folder)).toEqual(['a'])
  })

  test('is the old one when it cannot be renamed into place, and nothing is left beside it', () => {
    const taken = join(folder, 'taken')
    mkdirSync(join(taken, 'inside'), { recursive: true })

    expect(() => replaceFile(taken, 'text')).toThrow(/EISDIR|ENOTEMPTY|EEXIST/)

    expect(readdirSync(folder)).toEqual(['taken'])
  })

  test('is the old one when there is no place beside it', () => {
    const file = join(folder, 'a')
    replaceFile(file, 'old')

    expect(() => replaceFile(file, 'new', { beside: join(folder, 'no/such') })).toThrow('ENOENT')

    expect(readFileSync(file, 'utf8')).toBe('old')
  })
})
