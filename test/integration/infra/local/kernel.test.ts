/** What a kernel leaves that was ended too early; the kernel is a script that ends at once. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { startKernel } from '../../../../infra/local/kernel.ts'

let folder: string
let kernel: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'obfleet-kernel-start-'))
  kernel = join(folder, 'python')
  writeFileSync(kernel, '#!/bin/sh\nls "$3" > "$3/../seen"; touch "$3/half"; exit 1\n', {
    mode: 0o700,
  })
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** What was in the data directory when the kernel was started. */
async function seenAtStart(): Promise<string> {
  await expect(startKernel(kernel, folder)).rejects.toThrow('the kernel ended at start')
  return readFileSync(join(folder, 'seen'), 'utf8').trim()
}

test('data of a first start that did not come to its end is made anew', async () => {
  expect(await seenAtStart()).toBe('')
  expect(await seenAtStart()).toBe('')
})

test('data that has ever been whole is never touched', async () => {
  mkdirSync(join(folder, 'data'))
  writeFileSync(join(folder, 'data/rows'), 'of a user')
  expect(await seenAtStart()).toBe('rows')
  expect(await seenAtStart()).toBe('half\nrows')
})
