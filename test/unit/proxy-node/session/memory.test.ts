import { describe, expect, test } from 'vitest'
import { Delivered } from '../../../../proxy-node/backend/delivered.ts'
import { SessionMemory, SYSTEM_BLOB } from '../../../../proxy-node/session/memory.ts'
import { buildOk } from '../../../../proxy-node/wire/ok.ts'

describe("a session's blob of system variables", () => {
  const learn = (memory: SessionMemory, bytes: number[], afterError: boolean) =>
    memory.learn(buildOk(), new Delivered(), {
      afterError,
      isPlain: false,
      blobs: [[SYSTEM_BLOB, Uint8Array.from(bytes)]],
    })

  test('is the last one that came with a success', () => {
    const memory = new SessionMemory()

    learn(memory, [1], false)
    learn(memory, [2], false)

    expect(memory.blobsSince(0)).toEqual([[SYSTEM_BLOB, Uint8Array.of(2)]])
  })

  test('is not one that came with an error: it may be that of a routine that failed', () => {
    const memory = new SessionMemory()

    learn(memory, [1], false)
    learn(memory, [2], true)

    expect(memory.blobsSince(0)).toEqual([[SYSTEM_BLOB, Uint8Array.of(1)]])
  })
})

describe('what a server session has after an error', () => {
  test('are the user variables it had, whatever became of blobs that came with the command', () => {
    const memory = new SessionMemory()
    const delivered = new Delivered()
    delivered.isBringing = true

    memory.learn(buildOk(), delivered, { afterError: true, isPlain: false, blobs: [] })

    expect(delivered.user).toBe(memory.version)
    expect(delivered.all).not.toBe(memory.version)
  })
})
