/** What a worker's sessions are busy with, for those who look after servers and clusters. */
import type { ClientSession } from './client-session.ts'

export type Busy = {
  /** Keys of servers that execute something. */
  readonly servers: readonly string[]
  /** Clusters that clients are logged in to. */
  readonly clusters: readonly string[]
}

export function busyWith(sessions: Iterable<ClientSession>): Busy {
  const servers = new Set<string>()
  const clusters = new Set<string>()
  for (const session of sessions) {
    const running = session.course?.runningOn()
    if (running !== undefined) servers.add(running.keyed.key)
    if (session.outlook !== undefined) clusters.add(session.outlook.name)
  }
  return { servers: [...servers], clusters: [...clusters] }
}
