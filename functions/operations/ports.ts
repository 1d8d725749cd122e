/** What the engine works with. */
import type { Clock, Queue } from '../domain/clock.ts'
import type { LoadBalancer } from '../domain/load-balancer.ts'
import type { RunCommand, Secrets } from '../domain/remote.ts'
import type { Store } from '../domain/store.ts'

export type Log = (line: Readonly<Record<string, unknown>>) => void

export type EngineDeps = {
  readonly store: Store
  readonly runCommand: RunCommand
  readonly secrets: Secrets
  readonly loadBalancer: LoadBalancer
  readonly clock: Clock
  readonly queue: Queue
  readonly log: Log
  /** Where nodes reach the config service; null where there is none. */
  readonly configServiceUrl: string | null
  /** Of this executor; the lease is in its name. */
  readonly owner: string
}
