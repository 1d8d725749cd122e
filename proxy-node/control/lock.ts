/** Exclusive locks of the node: they end with their process, also when it is killed. */
import { closeSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { Fault } from '#contract/fault'
import type { Clock } from '../base/clock.ts'

const POLL_MS = 25

export type LockPort = {
  readonly clock: Clock
  /** Locks an open file of this process; false when another one has it. */
  readonly tryLock: (descriptor: number) => boolean
}

/** Runs `act` while holding `file`. @throws node.busy after `waitMs` */
export async function whileLocked<T>(
  file: string,
  waitMs: number,
  port: LockPort,
  act: () => Promise<T>,
): Promise<T> {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  const descriptor = openSync(file, 'a', 0o600)
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
