/**
 * An order from Run Command to its result: whether this node may carry it out at all, whether it did
 * already, the verb, and the ledger (N7, PL1, PL6). The same step twice has one effect.
 */
import { join } from 'node:path'
import { z } from 'zod'
import {
  decodeOrder,
  expiryOf,
  ORDER_SCHEMA,
  type Order,
  type OrderEntry,
  type Verb,
  type VerbResult,
} from '#contract/command'
import { Fault } from '#contract/fault'
import type { DesiredNode } from '#contract/node-state'
import { alterProxyro } from './alter-proxyro.ts'
import { check } from './check.ts'
import { collectLogs } from './collect-logs.ts'
import { diagnose } from './diagnose.ts'
import { drain, undrain } from './drain.ts'
import { reasonOf } from './durable-file.ts'
import { settle } from './exchange.ts'
import { giveBack, settleFound } from './give-back.ts'
import { homeOf, readMarker } from './home.ts'
import type { Host } from './host.ts'
import { install } from './install.ts'
import { LOOKS, type Shelf, storedResult, storeResult } from './ledger.ts'
import { whileLocked } from './lock.ts'
import { desiredOf, type NodeMemory, placeOf, readMemory, writeMemory } from './node-file.ts'
import { probe } from './probe.ts'
import { refresh } from './refresh.ts'
import { release } from './release.ts'
import { report } from './report.ts'
import { restart } from './restart.ts'
import { type Facts, failureOf } from './result.ts'
import { start } from './start.ts'
import { status } from './status.ts'
import { stop } from './stop.ts'
import { takeOver } from './take-over.ts'
import { uninstall } from './uninstall.ts'
import { revert, upgrade } from './upgrade.ts'

/** Within the ten minutes that the document gives a verb: whoever waits gets the first one's result. */
export const LOCK_WAIT_MS = 540_000

/** Of them, with time left for the answer and the report. */
export const VERB_MS = 560_000

/** Nothing runs after them, or all files are other ones: what an exchange left is for who comes then. */
const UNSETTLED: ReadonlySet<Verb> = new Set(['install', 'stop', 'uninstall', 'give-back'])
/** They go on themselves with a take-over, or a release, that was cut off. */
const OF_TAKE_OVERS: ReadonlySet<Verb> = new Set(['take-over', 'give-back', 'release'])
/** Verbs that cut clients when they are not hot. */
const CUTTING: ReadonlySet<Verb> = new Set(['restart', 'upgrade', 'revert'])

/** Carries out this instance's part of an order. Never throws. */
export async function runOrder(text: string, host: Host): Promise<VerbResult> {
  let verb: Verb = 'status'
  const deadline = host.clock.now() + VERB_MS
  try {
    const order = readOrder(text)
    verb = order.verb
    const entry = entryOf(order, host.settings.instanceId)
    return await whileLocked(lockOf(shelfOf(verb), host), LOCK_WAIT_MS, host, () =>
      onceOnly(order, { entry, deadline }, host),
    )
  } catch (error) {
    host.log(`refused: ${reasonOf(error)}`)
    return failureOf(verb, error)
  }
}

/** One verb at a time on a node. */
export function nodeLock(host: Host): string {
  return lockOf('ledger', host)
}

/** And one look of each kind: whoever wants to know why something takes so long must not wait for it. */
function lockOf(shelf: Shelf, { settings }: Host): string {
  return join(settings.paths.state, shelf === 'ledger' ? 'node.lock' : `look-${shelf}.lock`)
}

function shelfOf(verb: Verb): Shelf {
  return LOOKS.find(look => look === verb) ?? 'ledger'
}

/** @throws order.malformed, order.schema */
export function readOrder(text: string): Order {
  let order: Order
  try {
    order = decodeOrder(text)
  } catch (error) {
    // A newer shape is no damage: say so.
    checkSchema(schemaOf(text))
    const detail = error instanceof z.ZodError ? placeOf(error) : reasonOf(error)
    throw new Fault('order.malformed', { detail: detail.slice(0, 200) }, { cause: error })
  }
  checkSchema(order.schema)
  return order
}

function schemaOf(text: string): number {
  try {
    const order: unknown = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'))
    return z.object({ schema: z.int() }).parse(order).schema
  } catch {
    return ORDER_SCHEMA
  }
}

function checkSchema(schema: number): void {
  if (schema > ORDER_SCHEMA || schema < ORDER_SCHEMA - 1)
    throw new Fault('order.schema', { schema, newest: ORDER_SCHEMA })
}

function entryOf({ nodes }: Order, instance: string): OrderEntry {
  const entry = Object.hasOwn(nodes, instance) ? nodes[instance] : undefined
  if (entry === undefined) throw new Fault('order.not-ours', { instance })
  return entry
}

/** What this node has to do, and until when: epoch milliseconds. */
type Task = { readonly entry: OrderEntry; readonly deadline: number }

async function onceOnly(order: Order, task: Task, host: Host): Promise<VerbResult> {
  const { entry } = task
  const { paths } = host.settings
  const shelf = shelfOf(order.verb)
  const earlier = storedResult(paths, entry, shelf)
  if (earlier !== undefined) {
    host.log(`${order.verb} of ${entry.operationId}/${entry.step} was done before`)
    return earlier
  }
  const memory = readMemory(paths)
  // Who only looks has no lock in the plane that a fence would come from.
  const fence = shelf === 'ledger' ? memory.fence : 0
  admit(order, entry, fence, host.clock.now())
  const result = await attempt(order.verb, task, memory, host)
  // Nothing that the ledger should know: after the boot the same order is carried out.
  if (!result.ok && (await host.init.isGoingDown()))
    return failureOf(order.verb, new Fault('node.going-down', { code: result.code ?? 'unknown' }))
  try {
    storeResult({ paths, shelf }, entry, result, host.clock.now())
  } catch (error) {
    // The effect is there and a repetition is harmless; but nobody may believe it is settled.
    return failureOf(order.verb, error)
  }
  return result
}

/** Refuses what a newer operation or the time has overtaken. @throws order.fenced, order.expired */
export function admit(
  order: Pick<Order, 'expiresAt'>,
  entry: OrderEntry,
  seenFence: number,
  now: number,
): void {
  const { fence } = entry
  const expiresAt = expiryOf(order, entry)
  if (fence < seenFence) throw new Fault('order.fenced', { fence, seen: seenFence })
  if (now > expiresAt)
    throw new Fault('order.expired', { seconds: Math.ceil((now - expiresAt) / 1000) })
}

async function attempt(
  verb: Verb,
  task: Task,
  memory: NodeMemory,
  host: Host,
): Promise<VerbResult> {
  const { entry } = task
  const { operationId, step, attempt: number } = entry
  const key = { operationId, step, attempt: number }
  host.log(`${verb} of ${operationId}/${step}, attempt ${number}, fence ${entry.fence}`)
  try {
    const facts = await perform(verb, task, memory, host)
    host.log(`${verb} done: ${JSON.stringify(facts)}`)
    return { ok: true, verb, ...key, facts }
  } catch (error) {
    host.log(`${verb} failed: ${reasonOf(error)}`)
    return { ...failureOf(verb, error), ...key }
  }
}

/** A host carries one node; another's is left alone. @throws node.other-node */
function checkIdentity({ desired: here }: NodeMemory, { nodeId }: DesiredNode, host: Host): void {
  if (here === null || here.nodeId === nodeId) return
  const marker = readMarker(homeOf(host.settings.paths, here))
  if (marker !== undefined && marker.nodeId !== nodeId)
    throw new Fault('node.other-node', { found: marker.nodeId, wanted: nodeId })
}

type Change = Task & {
  readonly memory: NodeMemory
  readonly desired: DesiredNode
  readonly host: Host
}

/** Verbs that change the node: what they do, and the state they leave it in. */
const CHANGES: Readonly<
  Record<
    Exclude<Verb, 'status' | 'report' | 'check' | 'probe' | 'diagnose' | 'collect-logs'>,
    {
      readonly leaves: DesiredNode['state'] | undefined
      readonly act: (change: Change) => Promise<Facts>
    }
  >
> = {
  install: {
    leaves: undefined,
    act: async ({ memory, desired, entry, host }) => {
      if (entry.package === undefined)
        throw new Fault('order.incomplete', { verb: 'install', part: 'package' })
      return install(memory, desired, entry.package, host)
    },
  },
  start: {
    leaves: 'RUNNING',
    act: ({ memory, desired, entry, host }) => start(memory, desired, entry, host),
  },
  stop: { leaves: 'STOPPED', act: ({ memory, desired, host }) => stop(memory, desired, host) },
  restart: {
    leaves: 'RUNNING',
    act: ({ memory, desired, entry, host }) => restart(memory, desired, entry, host),
  },
  upgrade: { leaves: 'RUNNING', act: ({ host, ...step }) => upgrade(step, host) },
  revert: { leaves: 'RUNNING', act: ({ host, ...step }) => revert(step, host) },
  refresh: {
    leaves: undefined,
    act: ({ memory, desired, entry, host }) => refresh(memory, desired, entry, host),
  },
  'alter-proxyro': { leaves: undefined, act: ({ entry, host }) => alterProxyro(entry, host) },
  drain: { leaves: undefined, act: ({ host, ...step }) => drain(step, host) },
  undrain: { leaves: undefined, act: ({ host, ...step }) => undrain(step, host) },
  uninstall: {
    leaves: 'DELETED',
    act: ({ memory, desired, host }) => uninstall(memory, desired, host),
  },
  'take-over': { leaves: 'RUNNING', act: ({ host, ...step }) => takeOver(step, host) },
  'give-back': { leaves: undefined, act: ({ host }) => giveBack(host) },
  release: { leaves: undefined, act: ({ desired, host }) => release(desired, host) },
}

async function perform(
  verb: Verb,
  { entry, deadline }: Task,
  before: NodeMemory,
  host: Host,
): Promise<Facts> {
  if (verb === 'status') return status(before, host)
  if (verb === 'report') return report(host)
  if (verb === 'probe') return probe(entry, host)
  if (verb === 'check') return check(before, entry, host)
  if (verb === 'diagnose') return diagnose(before, entry, host)
  if (verb === 'collect-logs') return collectLogs(before, entry, host)
  const { leaves, act } = CHANGES[verb]
  const { paths } = host.settings
  const read = { ...before, fence: entry.fence, lastOperationId: entry.operationId }
  checkIdentity(before, entry.desired ?? desiredOf(before, verb), host)
  // Before anything else: from here on older orders are refused, also if this one fails.
  writeMemory(paths, read)
  const seen = OF_TAKE_OVERS.has(verb) ? read : await settleFound(read, host)
  const memory = UNSETTLED.has(verb)
    ? seen
    : await settle(seen, { deadline, mayCut: entry.mode !== 'hot' && CUTTING.has(verb) }, host)
  const given = entry.desired ?? desiredOf(memory, verb)
  // The verb is the state: a stopped node stays stopped at the next boot, whatever was planned.
  const desired: DesiredNode = { ...given, state: leaves ?? given.state }
  return act({ memory, desired, entry, deadline, host })
}
