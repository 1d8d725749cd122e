/**
 * Waves of commands: the intent is stored with the steps it is for, then sent, then its id is stored;
 * a lost answer is settled by looking for the comment (PL3). Sending twice is harmless: the order
 * names step and attempt, and the node answers a repeated one from its ledger (N7).
 */
import { randomBytes } from 'node:crypto'
import type { Verb } from '#contract/command'
import type { ProblemView } from '../domain/model.ts'
import type { OperationRecord } from '../domain/operation-record.ts'
import { ledgerStep, type OrderSource, orderEntry, packOrder } from '../domain/order.ts'
import { STEP_RULES } from '../domain/plan.ts'
import type { Invocation, SendOutcome } from '../domain/remote.ts'
import { put, remove } from '../domain/store.ts'
import type { WaveRecord } from '../domain/work-record.ts'
import { hostIdOf, type Member } from './member.ts'
import type { EngineDeps } from './ports.ts'

/** Clock difference to the service that looking for a comment allows for. */
const FIND_MARGIN_MS = 120_000
/** How long a command is remembered for its status events. */
const COMMAND_KEPT_MS = 3 * 24 * 3_600_000

export type Sendable = {
  readonly member: Member
  readonly verb: Verb
  /** Of its node's cluster. */
  readonly source: OrderSource
}

/** No order can be made for this one, now or later. */
class Unsayable extends Error {
  readonly member: Member

  constructor(member: Member, reason: string) {
    super(reason)
    this.name = 'Unsayable'
    this.member = member
  }
}

type Intent = { readonly number: number; readonly ready: readonly Sendable[] }

/**
 * Stores the intent of one wave for as many as fit an order; null when there is none: `ready` was empty, or
 * one was handed to `fail` because no order can be made for it. Why here: else it were tried at each turn
 * for ever, and its locks stayed.
 */
export async function intend(
  deps: EngineDeps,
  driver: OperationRecord,
  intent: Intent,
  fail: (member: Member, error: ProblemView) => Promise<void>,
): Promise<WaveRecord | null> {
  const now = deps.clock.now()
  try {
    const packed = packedWave(driver, intent, now)
    if (packed === null) return null
    const { wave, steps } = packed
    await deps.store.commit([put('wave', wave), ...steps.map(step => put('step', step))])
    return { ...wave, version: 1 }
  } catch (error) {
    if (!(error instanceof Unsayable)) throw error
    await fail(error.member, { code: 'quota-exceeded', detail: error.message })
    return null
  }
}

/** @throws Unsayable */
function packedWave(driver: OperationRecord, { number, ready }: Intent, now: number) {
  const [first] = ready
  if (first === undefined) return null
  const alike = ready.filter(({ verb }) => verb === first.verb)
  const addressed = alike.flatMap(each =>
    sayable(each.member, () => addressedTo(each, number, now)),
  )
  const { order, count } = sayable(first.member, () => packOrder(first.verb, addressed))
  const carried = addressed.slice(0, count)
  const wave: WaveRecord = {
    operationId: driver.id,
    n: number,
    verb: first.verb,
    entries: carried.map(({ hostId, step }) => ({
      operationId: step.operationId,
      n: step.n,
      attempt: step.attempt,
      hostId,
    })),
    order,
    // A wave of before may have had the number, where it was dropped or another clock counted.
    comment: `${driver.id}/${number}/${randomBytes(6).toString('hex')}`,
    commandId: null,
    intentAt: now,
    sentAt: null,
    version: 0,
  }
  const steps = carried.map(({ step }) => ({
    ...step,
    notBefore: null,
    lookedAt: step.deadlineAt !== null && now >= step.deadlineAt ? now : step.lookedAt,
  }))
  return { wave, steps }
}

function addressedTo({ member, verb, source }: Sendable, number: number, now: number) {
  const { operation, step, node } = member
  const hostId = hostIdOf(member)
  if (step === null || hostId === null) return []
  const sends = step.sends + 1
  const at = { step: ledgerStep(step.name, verb, sends), attempt: step.attempt }
  const entry = orderEntry(verb, at, operation, { source, node })
  const expiresAt = step.deadlineAt ?? now
  return [{ hostId, entry, expiresAt, step: { ...step, sends, wave: number } }]
}

/** What does not fit, or has nothing to be made from, is its member's failure. @throws Unsayable */
function sayable<T>(member: Member, make: () => T): T {
  try {
    return make()
  } catch (error) {
    if (error instanceof RangeError) throw new Unsayable(member, error.message)
    throw error
  }
}

/** Hands a wave over. The wave as it is stored afterwards when it was accepted. */
export async function sendWave(
  deps: EngineDeps,
  wave: WaveRecord,
): Promise<SendOutcome & { readonly wave?: WaveRecord }> {
  const hostIds = wave.entries.map(({ hostId }) => hostId)
  const outcome = await deps.runCommand.send({
    hostIds,
    order: wave.order,
    comment: wave.comment,
  })
  deps.log({ event: 'send', operationId: wave.operationId, wave: wave.n, outcome: outcome.kind })
  if (outcome.kind !== 'sent') return outcome
  return { ...outcome, wave: await remember(deps, wave, outcome.commandId) }
}

async function remember(
  deps: EngineDeps,
  wave: WaveRecord,
  commandId: string,
): Promise<WaveRecord> {
  const now = deps.clock.now()
  const sent = { ...wave, commandId, sentAt: now }
  const [known, steps] = await Promise.all([
    deps.store.get('command', { commandId }),
    deps.store.getMany(
      'step',
      wave.entries.map(({ operationId, n }) => ({ operationId, n })),
    ),
  ])
  await deps.store.commit([
    put('wave', sent),
    ...steps.filter(step => step.wave === wave.n).map(step => put('step', { ...step, commandId })),
    put('command', {
      commandId,
      operationId: wave.operationId,
      expiresAt: now + COMMAND_KEPT_MS,
      version: known?.version ?? 0,
    }),
  ])
  return { ...sent, version: wave.version + 1 }
}

/** An intent whose answer was lost: it was accepted, or it is sent now. */
export async function settleIntent(
  deps: EngineDeps,
  wave: WaveRecord,
): Promise<SendOutcome & { readonly wave?: WaveRecord }> {
  const commandId = await deps.runCommand.find(wave.comment, wave.intentAt - FIND_MARGIN_MS)
  if (commandId === null) return sendWave(deps, wave)
  deps.log({ event: 'found', operationId: wave.operationId, wave: wave.n, commandId })
  return { kind: 'sent', commandId, wave: await remember(deps, wave, commandId) }
}

/** A wave whose steps are all settled is of no use any more. */
export async function dropWave({ store }: EngineDeps, wave: WaveRecord): Promise<void> {
  await store.commit([remove('wave', wave)])
}

export async function invocationsOf(
  deps: EngineDeps,
  wave: WaveRecord,
): Promise<ReadonlyMap<string, Invocation>> {
  if (wave.commandId === null) return new Map()
  const all = await deps.runCommand.results(wave.commandId)
  return new Map(all.map(invocation => [invocation.hostId, invocation]))
}

/** Verb of the step a member is at; null for a step that touches no node. */
export function verbOf({ operation }: Member): Verb | null {
  const name = operation.plan[operation.stepsDone]
  const rule = name === undefined ? undefined : STEP_RULES[name]
  return rule?.kind === 'remote' || rule?.kind === 'watch' ? rule.verb : null
}
