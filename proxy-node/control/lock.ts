/** Exclusive locks of the node: they end with their process, also when it is killed. */
import { closeSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { Fault } from '#contract/fault'
import type { Clock } from '../base/clock.ts'
import { reasonOf } from './durable-file.ts'

const POLL_MS = 25

export type LockPort = {
  readonly clock: Clock
  /** Locks an open file of this process; false when another one has it. */
  readonly tryLock: (descriptor: number) => boolean
}

/** Runs `act` while holding `file`. @throws node.busy after `waitMs`, node.not-written */
export async function whileLocked<T>(
  file: string,
  waitMs: number,
  port: LockPort,
  act: () => Promise<T>,
): Promise<T> {
  const descriptor = openLock(file)
  try {
    const deadline = port.clock.now() + waitMs
    while (!port.tryLock(descriptor)) {
      if (port.clock.now() >= deadline)
        throw new Fault('node.busy', { seconds: Math.round(waitMs / 1000) })
      await port.clock.sleep(POLL_MS)
    }
    return await act()
  } finally {
    closeSync(descriptor)
  }
}

function openLock(file: string): number {
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
    return openSync(file, 'a', 0o600)
  } catch (error) {
    throw new Fault('node.not-written', { file, reason: reasonOf(error) }, { cause: error })
  }
}
