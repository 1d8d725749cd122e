import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { copyFiles } from '../../../../proxy-node/process/copy-files.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'obfleet-copies-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

test('what is written is read, by its owner alone', () => {
  const files = copyFiles(folder)
  expect(files.read('a.json')).toBeUndefined()

  files.write('a.json', 'one')
  files.write('a.json', 'two')

  expect(files.read('a.json')).toBe('two')
  expect(readdirSync(join(folder, 'etc'))).toEqual(['a.json'])
  expect(statSync(join(folder, 'etc', 'a.json')).mode & 0o777).toBe(0o600)
})
