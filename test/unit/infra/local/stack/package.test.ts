import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ApiError } from '../../../../../infra/local/stack/api-client.ts'
import { keptPackage, offerPackage } from '../../../../../infra/local/stack/package.ts'
import { ScriptedApi } from '../../../../support/scripted-api.ts'

const FILE = 'obproxy-1.2.3.4-5.linux.x86_64.tar.gz'

let folder: string
let built: string
let kept: string
let api: ScriptedApi
let notes: string[]

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'obfleet-package-'))
  built = join(folder, FILE)
  writeFileSync(built, 'first')
  kept = keptPackage(join(folder, 'home'), built)
  api = new ScriptedApi()
  api.list('/packages', [])
  notes = []
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

const registered = (text: string) => {
  const sha256 = createHash('sha256').update(text).digest('hex')
  api.list('/packages', [{ id: 'pkg_1', fileName: FILE, sha256 }])
}

const offer = (wasOffered: boolean) =>
  offerPackage(api, { built, kept, wasOffered }, line => notes.push(line))

describe('the package of a build', () => {
  test('is registered once', async () => {
    expect(await offer(false)).toBe(true)
    expect(api.changes).toEqual(['POST /packages'])
    registered('first')
    expect(await offer(true)).toBe(false)
    expect(api.changes).toHaveLength(1)
  })

  test('that a user has deleted stays deleted', async () => {
    expect(await offer(true)).toBe(false)
    expect(api.changes).toEqual([])
  })

  test('built anew takes the place of one that nobody uses', async () => {
    registered('first')
    writeFileSync(built, 'second')
    expect(readFileSync(kept, 'utf8')).toBe('first')
    expect(await offer(true)).toBe(true)
    expect(api.changes).toEqual(['DELETE /packages/pkg_1', 'POST /packages'])
    expect(readFileSync(kept, 'utf8')).toBe('second')
  })

  test('built anew leaves clusters the one they have, and says so', async () => {
    registered('first')
    api.problems.set('DELETE /packages/pkg_1', new ApiError(409, 'in-use', 'demo is of it'))
    writeFileSync(built, 'second')
    expect(await offer(true)).toBe(false)
    expect(api.changes).toEqual([])
    expect(readFileSync(kept, 'utf8')).toBe('first')
    expect(notes.join()).toMatch(/has changed.*--reset/)
  })
})
