import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { stackKeys } from '../../../../../infra/local/stack/keys.ts'

test('a home made before some of the instances gets keys for them, and keeps all others', () => {
  const home = mkdtempSync(join(tmpdir(), 'obfleet-keys-'))
  try {
    const before = stackKeys(home, ['i-1'])
    const after = stackKeys(home, ['i-1', 'i-2'])
    expect(after).toMatchObject(before)
    expect(Object.keys(after.instances)).toEqual(['i-1', 'i-2'])
    expect(stackKeys(home, ['i-1', 'i-2'])).toEqual(after)
  } finally {
    rmSync(home, { recursive: true, force: true })
  }
})
