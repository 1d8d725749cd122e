/** `npm run dev -- reboot NODE`: which instance is meant is asked of the API, as it is now. */
import { join } from 'node:path'
import { readJson } from '../files.ts'
import { askInit } from '../instance/init-client.ts'
import { apiClient } from './api-client.ts'
import type { DevFile } from './dev-file.ts'
import { type Fleet, fleetOf } from './fleet.ts'
import type { StackSettings } from './settings.ts'
import { instanceRoot } from './stack.ts'

const DEADLINE_MS = 120_000

/** What was done, in one line. @throws Error in one line. */
export async function reboot({ home }: StackSettings, wanted: string): Promise<string> {
  const dev = readJson(join(home, 'dev.json')) as DevFile | undefined
  if (dev === undefined) throw new Error('no stack was started here; run `npm run dev` first')
  const fleet = await fleetOf(apiClient(dev.apiUrl, dev.token)).catch((error: Error) => {
    throw new Error(`${error.message}; is the stack up?`, { cause: error })
  })
  const id = instanceOf(fleet, wanted)
  const socket = join(instanceRoot(home, id), 'run/init.sock')
  const answer = await askInit(socket, { op: 'reboot' }, DEADLINE_MS).catch((error: Error) => {
    throw new Error(`${wanted}: ${error.message}; is the stack up?`, { cause: error })
  })
  return `${wanted} has booted anew (boot id ${answer.bootId})`
}

/** By node name, node id or address, or the instance's own id or name. @throws Error naming those there are. */
export function instanceOf(
  { nodes, hosts }: Pick<Fleet, 'nodes' | 'hosts'>,
  wanted: string,
): string {
  const node = nodes.find(each => [each.id, each.name].includes(wanted))
  const host = hosts.find(each => [each.id, each.name, each.address].includes(wanted))
  const id = node?.instanceId ?? host?.id
  if (id !== undefined) return id
  const names = nodes.map(each => each.name).join(', ') || 'none'
  const instances = hosts.map(each => each.id).join(', ')
  throw new Error(`no node "${wanted}"; nodes are ${names}; instances are ${instances}`)
}
