/** Verb status: what can be seen of the proxy, in small facts. */
import type { Host } from './host.ts'
import type { NodeMemory } from './node-file.ts'
import { observe } from './observation.ts'
import { type Facts, namesFact } from './result.ts'

export async function status(memory: NodeMemory, host: Host): Promise<Facts> {
  const seen = await observe(memory.desired, host)
  return {
    status: seen.status,
    ...(seen.reason === undefined ? {} : { reason: seen.reason }),
    nodeId: memory.desired?.nodeId ?? null,
    desiredState: memory.desired?.state ?? null,
    pid: seen.pid,
    startedAt: seen.startedAt,
    bootId: host.settings.bootId,
    version: seen.version,
    fence: memory.fence,
    parameterVersion: memory.parameterVersion,
    clientConnections: seen.clientConnections,
    serving: seen.serving ?? null,
    pendingRestart: seen.pendingRestart === undefined ? null : namesFact(seen.pendingRestart),
  }
}
