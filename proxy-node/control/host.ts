/** What verbs need of the machine they run on, handed in by `run.ts`. */
import type { Clock } from '../base/clock.ts'
import type { Transport } from '../net/transport.ts'
import type { Init } from './init.ts'
import type { NodeLog } from './node-log.ts'
import type { Secrets } from './secrets.ts'
import type { Settings } from './settings.ts'

export type Host = {
  readonly settings: Settings
  readonly clock: Clock
  readonly log: NodeLog
  readonly init: Init
  readonly transport: Transport
  readonly secrets: Secrets
  /** Locks an open file of this process; false when another one has it. */
  readonly tryLock: (descriptor: number) => boolean
}
