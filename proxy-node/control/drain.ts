/**
 * Verbs drain and undrain: the proxy tells that new clients belong elsewhere and lets the others go
 * between transactions. It goes on accepting: what sends clients has to be told too. A process that is
 * restarted or replaced begins anew and takes clients. Source: management.md §2.5, proxy-admin.md §4.4.
 */
import type { OrderEntry } from '#contract/command'
import { Fault } from '#contract/fault'
import type { DesiredNode } from '#contract/node-state'
import { askProxy } from './access.ts'
import type { Host } from './host.ts'
import { giveBack, lend } from './lent.ts'
import { listenerPid } from './listener.ts'
import { desiredOf, type NodeMemory } from './node-file.ts'
import type { Availability } from './proxy-admin.ts'
import type { Facts } from './result.ts'
import { lookUntil } from './waiting.ts'

const COMMAND = { offline: '3', online: '4' } as const
const EXIT_TIMEOUT = 'hot_upgrade_exit_timeout'
/** OBProxy looks for the command every 5 s by default. */
const TAKEN_MS = 20_000
/** From the moment when the last client is cut to the one when the proxy says so. */
const LATE_MS = 10_000
const ANSWER_MS = 15_000
const POLL_MS = 250

export type DrainStep = {
  readonly memory: NodeMemory
  readonly entry: OrderEntry
  /** Epoch milliseconds when the verb has to have ended. */
  readonly deadline: number
}

type Seen = { readonly serving: Availability | undefined; readonly clients: number }

/**
 * Returns when the proxy is INACTIVE, or when at most `maxClients` are left if that is given.
 * @throws node.not-running, node.command-not-taken, node.not-drained: it stays drained then
 */
export async function drain({ memory, entry, deadline }: DrainStep, host: Host): Promise<Facts> {
  const desired = desiredOf(memory, 'drain')
  const before = await see(desired, 'drain', host)
  const since = host.clock.now()
  try {
    const drainMs = await begin(desired, before, entry.drainSec, host)
    const end = Math.min(since + drainMs + LATE_MS, deadline - ANSWER_MS)
    const last = await whenLeft(desired, entry.maxClients, end, host)
    const seconds = Math.round((host.clock.now() - since) / 1000)
    if (!isDrained(last, entry.maxClients))
      throw new Fault('node.not-drained', { clients: last.clients, seconds })
    const { clients, serving = null } = last
    return { serving, clients, clientsBefore: before.clients, seconds }
  } finally {
    await askProxy(desired, host, admin => giveBack(admin, host.settings.paths))
  }
}

/** What was seen last, at the end of the wait. */
async function whenLeft(
  desired: DesiredNode,
  maxClients: number | undefined,
  deadline: number,
  host: Host,
): Promise<Seen> {
  let last: Seen = { serving: undefined, clients: 0 }
  const look = async () => {
    last = await see(desired, 'drain', host)
    return isDrained(last, maxClients) || undefined
  }
  await lookUntil(look, { deadline, everyMs: POLL_MS }, host.clock)
  return last
}

/** @throws node.not-running, node.command-not-taken */
export async function undrain({ memory }: Pick<DrainStep, 'memory'>, host: Host): Promise<Facts> {
  const desired = desiredOf(memory, 'undrain')
  const before = await see(desired, 'undrain', host)
  if (before.serving !== 'ACTIVE') await command(desired, 'online', host)
  await askProxy(desired, host, admin => giveBack(admin, host.settings.paths))
  const { serving = null, clients } = await see(desired, 'undrain', host)
  return { serving, clients, undrained: before.serving !== 'ACTIVE' }
}

function isDrained({ serving, clients }: Seen, maxClients: number | undefined): boolean {
  return maxClients === undefined ? serving === 'INACTIVE' : clients <= maxClients
}

/** Gives the command unless it was given before: it would begin anew. How long the clients have. */
async function begin(
  desired: DesiredNode,
  { serving }: Seen,
  drainSec: number | undefined,
  host: Host,
): Promise<number> {
  const { paths } = host.settings
  const set = await askProxy(desired, host, async admin => {
    if (drainSec !== undefined && serving === 'ACTIVE')
      await lend(admin, new Map([[EXIT_TIMEOUT, String(drainSec * 1_000_000)]]), paths)
    return Number((await admin.parameters()).get(EXIT_TIMEOUT))
  })
  if (serving === 'ACTIVE') await command(desired, 'offline', host)
  if (drainSec !== undefined) return drainSec * 1000
  return set < 0 ? Number.POSITIVE_INFINITY : set / 1000
}

async function command(
  desired: DesiredNode,
  what: keyof typeof COMMAND,
  host: Host,
): Promise<void> {
  const since = host.clock.now()
  await askProxy(desired, host, admin => admin.alter('proxy_local_cmd', COMMAND[what]))
  let found: Availability | undefined
  const isTaken = async () => {
    found = await askProxy(desired, host, admin => admin.availability())
    return (found !== undefined && (found === 'ACTIVE') === (what === 'online')) || undefined
  }
  const wait = { deadline: since + TAKEN_MS, everyMs: POLL_MS }
  if ((await lookUntil(isTaken, wait, host.clock)) === undefined)
    throw new Fault('node.command-not-taken', {
      command: what,
      seconds: TAKEN_MS / 1000,
      status: found ?? 'unknown',
    })
}

async function see(desired: DesiredNode, verb: 'drain' | 'undrain', host: Host): Promise<Seen> {
  if ((await listenerPid(desired, host)) === null) throw new Fault('node.not-running', { verb })
  return askProxy(desired, host, async admin => ({
    serving: await admin.availability(),
    clients: await admin.clientConnections(),
  }))
}
