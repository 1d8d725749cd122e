/**
 * One turn over the nodes' operations that a driver drives: settles what is out, runs local steps,
 * sends what can be sent. A pure function of what is stored: it can run twice, or stop anywhere.
 * Source: management-beyond.md §4, PL1-PL3.
 */

import { gateFailure } from '../domain/gates.ts'
import type { ProblemView } from '../domain/model.ts'
import { ledgerStep } from '../domain/order.ts'
import { outcomeOf, type StepOutcome } from '../domain/outcome.ts'
import { STEP_RULES, type StepRule, wantedStatus } from '../domain/plan.ts'
import type { Invocation, SendOutcome } from '../domain/remote.ts'
import { put } from '../domain/store.ts'
import type { StepRecord, WaveRecord } from '../domain/work-record.ts'
import {
  deadlineMsOf,
  lookAfterMs,
  lookAtBalancer,
  putBackIn,
  withIntent,
} from './balancer-steps.ts'
import { beginStep, type Ending } from './ending.ts'
import { hasEnded, hostIdOf, isInFlight, type Member, membersOf } from './member.ts'
import { endMember, passStep, runLocalStep } from './node-steps.ts'
import { mayBegin, mustStop, type Pacing } from './pacing.ts'
import { isLate, notBefore, pollAfterMs, RESEND_MS, resendAfterMs, timedOut } from './polling.ts'
import type { EngineDeps } from './ports.ts'
import type { Sources } from './sources.ts'
import { noteVersions } from './tried-links.ts'
import { MOST_MS, soonest, type Turn } from './turn.ts'
import { baselineOf, isReported, reportedFailure } from './watching.ts'
import {
  dropWave,
  intend,
  invocationsOf,
  type Sendable,
  sendWave,
  settleIntent,
  verbOf,
} from './waves.ts'

const AGAIN: Turn = { kind: 'again' }

const OFFLINE_MS = 3_000
const ASK_AGAIN_MS = 2_000
/** What a node gets to answer after the deadline, before its silence counts. */
const LOOK_MS = 60_000
/** Delivery has not begun: cancelling it interrupts nothing. */
const UNDELIVERED = ['Pending', 'Delayed']

export type Drive = Pacing & { readonly sources: Sources }

export class NodeWork {
  private readonly deps: EngineDeps

  constructor(deps: EngineDeps) {
    this.deps = deps
  }

  /** Waits are for a driver with open members only. */
  async turn(drive: Drive): Promise<Turn> {
    const waves = await this.deps.store.waves(drive.driver.id)
    const polled = await this.settleWaves(drive, waves)
    if (polled.kind === 'again') return polled
    const moved = await this.moveIdle(drive)
    if (moved) return AGAIN
    const sent = await this.send(drive, nextNumber(waves, this.deps.clock.now()))
    return soonest([polled, sent])
  }

  private async settleWaves(drive: Drive, waves: readonly WaveRecord[]): Promise<Turn> {
    const turns: Turn[] = []
    for (const wave of waves) {
      const carried = drive.members.filter(
        member => isInFlight(member) && member.step?.wave === wave.n,
      )
      if (carried.length === 0) await dropWave(this.deps, wave)
      else turns.push(await this.settleWave(drive, wave, carried))
    }
    return soonest(turns)
  }

  private async settleWave(
    drive: Drive,
    wave: WaveRecord,
    carried: readonly Member[],
  ): Promise<Turn> {
    if (wave.commandId === null) return this.handed(wave, await settleIntent(this.deps, wave))
    const invocations = await invocationsOf(this.deps, wave)
    if (drive.driver.phase === 'CANCELLING') await this.callOff(wave, invocations)
    let isChanged = false
    for (const member of carried) {
      const hostId = hostIdOf(member) ?? ''
      isChanged = (await this.settle(member, wave, invocations.get(hostId))) || isChanged
    }
    return isChanged ? AGAIN : { kind: 'wait', delayMs: pollAfterMs(wave, this.deps.clock.now()) }
  }

  /** What no node has begun need not begin. */
  private async callOff(
    { commandId }: WaveRecord,
    invocations: ReadonlyMap<string, Invocation>,
  ): Promise<void> {
    const waiting = [...invocations.values()].filter(({ details }) => UNDELIVERED.includes(details))
    if (commandId === null || waiting.length === 0) return
    await this.deps.runCommand.cancel(
      commandId,
      waiting.map(({ hostId }) => hostId),
    )
  }

  /** True when the member moved. */
  private async settle(
    member: Member,
    wave: WaveRecord,
    invocation: Invocation | undefined,
  ): Promise<boolean> {
    const { operation, step } = member
    if (step === null) return false
    const ledger = ledgerStep(step.name, wave.verb, step.sends)
    const outcome = outcomeOf(invocation, {
      operationId: operation.id,
      step: ledger,
      attempt: step.attempt,
    })
    const now = this.deps.clock.now()
    switch (outcome.kind) {
      case 'waiting':
        return this.overdue(member, step, now)
      case 'lost':
        return this.lost(member, step, outcome.detail, now)
      case 'failed':
        await this.fail(member, outcome.error, outcome.output)
        return true
      case 'done':
        await this.done(member, step, outcome, now)
        return true
    }
  }

  private async done(
    member: Member,
    step: StepRecord,
    outcome: StepOutcome & { readonly kind: 'done' },
    now: number,
  ): Promise<void> {
    const { store } = this.deps
    if (step.name === 'gate') {
      const failure = gateFailure(await baselineOf(store, member), outcome.facts ?? {})
      if (failure !== null) return this.fail(member, failure, outcome.output)
    }
    if (step.name === 'try' || step.name === 'start') {
      const failure = await noteVersions(store, member.operation, outcome.facts)
      if (failure !== null) return this.fail(member, failure, outcome.output)
    }
    const isAnswer =
      STEP_RULES[step.name].kind !== 'watch' ||
      outcome.facts?.['status'] === wantedStatus(member.operation.type)
    if (isAnswer) return passStep(store, member, now, outcome.output)
    const error = {
      code: 'node-state-conflict',
      detail: `the node says ${outcome.output}`.slice(0, 600),
    }
    if (isLate(step, now)) return this.fail(member, error, outcome.output)
    await store.commit([put('step', { ...step, wave: null, notBefore: now + ASK_AGAIN_MS, error })])
  }

  /** The deadline has passed: the node is asked once more before its silence counts. */
  private async overdue(member: Member, step: StepRecord, now: number): Promise<boolean> {
    if (!isLate(step, now)) return false
    if (step.lookedAt === null) {
      await this.deps.store.commit([put('step', { ...step, wave: null, notBefore: null })])
      return true
    }
    if (now < step.lookedAt + LOOK_MS) return false
    await this.fail(member, timedOut(step, 'the node does not answer'))
    return true
  }

  private async lost(
    member: Member,
    step: StepRecord,
    detail: string,
    now: number,
  ): Promise<boolean> {
    if (step.lookedAt !== null) {
      await this.fail(member, timedOut(step, detail))
      return true
    }
    const error = { code: 'remote-unavailable', detail }
    const notBefore = isLate(step, now) ? null : now + resendAfterMs(step)
    await this.deps.store.commit([put('step', { ...step, wave: null, notBefore, error })])
    return true
  }

  private async fail(member: Member, error: ProblemView, output: string | null = null) {
    const now = this.deps.clock.now()
    await this.end(member, { phase: 'FAILED', error, now }, output)
    this.deps.log({ event: 'failed', operationId: member.operation.id, ...error })
  }

  /** A node that was taken out of its balancer for nothing is not left out. */
  private async end(member: Member, ending: Ending, output: string | null = null): Promise<void> {
    const left = await putBackIn(this.deps, member, ending.phase)
    const { code = 'remote-unavailable', detail } = ending.error ?? {}
    const error =
      left === null
        ? ending.error
        : { code, detail: [detail, left].filter(Boolean).join('; ').slice(0, 600) }
    await endMember(this.deps.store, member, { ...ending, error }, output)
  }

  /** Moves members on that need no command now. True when one moved. */
  private async moveIdle(drive: Drive): Promise<boolean> {
    let isMoved = false
    for (const member of drive.members) {
      if (hasEnded(member.operation) || isInFlight(member)) continue
      isMoved = (await this.move(drive, member)) || isMoved
      // What the next one may do depends on how many are at work.
      if (isMoved && drive.maxInFlight < drive.members.length) return true
    }
    return isMoved
  }

  private async move(drive: Drive, member: Member): Promise<boolean> {
    const { store, clock } = this.deps
    const now = clock.now()
    if (mustStop(drive, member)) {
      await this.end(member, { phase: 'CANCELLED', error: null, now })
      return true
    }
    if (!mayBegin(drive, member)) return false
    const rule = ruleOf(member)
    if (rule?.kind === 'timer') return this.bake(member, now)
    if (rule?.kind === 'balancer') return this.balance(member, now)
    const verb = verbOf(member)
    if (verb === null) {
      const error = await runLocalStep(store, member, now)
      if (error !== null) await this.fail(member, error)
      return true
    }
    if (hostIdOf(member) === null) {
      await this.fail(member, { code: 'not-found', detail: 'the node is gone' })
      return true
    }
    if (member.step?.phase !== 'RUNNING') {
      await this.begin(member, now, notBefore(drive.driver, member, now))
      return true
    }
    return this.moveRemote(member, member.step, now)
  }

  /** Watched for as long as its task says; what it reports meanwhile may end that early. */
  private async bake(member: Member, now: number): Promise<boolean> {
    const { operation, step } = member
    if (step?.phase !== 'RUNNING') {
      await this.begin(member, now, now + (operation.tasks[0]?.bakeMs ?? 0))
      return true
    }
    const failure = await reportedFailure(this.deps.store, member, step.startedAt ?? now)
    if (failure !== null) {
      await this.fail(member, failure)
      return true
    }
    if (now < (step.notBefore ?? now)) return false
    await passStep(this.deps.store, member, now, null)
    return true
  }

  /** Looks at the balancer; what it led to is written down each time. */
  private async balance(member: Member, now: number): Promise<boolean> {
    const { step } = member
    if (step?.phase !== 'RUNNING') {
      await this.begin(member, now)
      return true
    }
    if (now < (step.notBefore ?? now)) return false
    const { store } = this.deps
    const look = await lookAtBalancer(this.deps, member, now)
    if (look.kind === 'done') await passStep(store, member, now, look.output)
    if (look.kind === 'failed') await this.fail(member, look.error)
    if (look.kind === 'intend') await store.commit([put('step', { ...step, sends: 1 })])
    if (look.kind === 'wait')
      await store.commit([
        put('step', {
          ...step,
          sends: step.sends + (look.isSent ? 1 : 0),
          notBefore: now + lookAfterMs(step, now),
          error: look.error,
        }),
      ])
    return true
  }

  private async begin(member: Member, now: number, notBefore: number | null = null): Promise<void> {
    const { operation, step } = member
    const name = operation.plan[operation.stepsDone]
    const node = withIntent(member, now)
    const deadlineMs = name === undefined ? null : deadlineMsOf(operation, name)
    const deadlineAt = deadlineMs === null ? null : now + deadlineMs
    await this.deps.store.commit([
      put('operation', {
        ...operation,
        phase: operation.phase === 'PENDING' ? 'RUNNING' : operation.phase,
        startedAt: operation.startedAt ?? now,
      }),
      put('step', { ...beginStep(operation, step, now, deadlineAt), notBefore }),
      ...(node === null ? [] : [put('node', node)]),
    ])
  }

  /** A report may say already what is waited for; the silent are given up. */
  private async moveRemote(member: Member, step: StepRecord, now: number): Promise<boolean> {
    if (STEP_RULES[step.name].kind === 'watch' && (await isReported(this.deps.store, member))) {
      await passStep(this.deps.store, member, now, null)
      return true
    }
    if (step.deadlineAt === null || now < step.deadlineAt) return false
    const isGivenUp = step.lookedAt !== null || now >= step.deadlineAt + LOOK_MS
    if (isGivenUp) await this.fail(member, timedOut(step, step.error?.detail ?? 'no answer'))
    return isGivenUp
  }

  private async send(drive: Drive, number: number): Promise<Turn> {
    const now = this.deps.clock.now()
    const waiting = drive.members.filter(
      member =>
        member.step?.phase === 'RUNNING' && !isInFlight(member) && !hasEnded(member.operation),
    )
    const [ready, later] = split(waiting, ({ step }) => (step?.notBefore ?? 0) <= now)
    const delays = later.map(({ step }) => Math.max(0, (step?.notBefore ?? 0) - now))
    const rest: Turn = { kind: 'wait', delayMs: Math.min(MOST_MS, ...delays) }
    if (ready.length === 0) return rest
    const online = await this.deps.runCommand.online(ready.map(member => hostIdOf(member) ?? ''))
    const sendable = ready.flatMap((member): Sendable[] => {
      const verb = verbOf(member)
      const source = drive.sources.get(member.operation.clusterId)
      const isOnline = online.has(hostIdOf(member) ?? '')
      return verb !== null && source !== undefined && isOnline ? [{ member, verb, source }] : []
    })
    if (sendable.length === 0) return soonest([rest, { kind: 'wait', delayMs: OFFLINE_MS }])
    const fail = (member: Member, error: ProblemView) => this.fail(member, error)
    const wave = await intend(this.deps, drive.driver, { number, ready: sendable }, fail)
    if (wave === null) return AGAIN
    const turn = await this.handed(wave, await sendWave(this.deps, wave))
    return wave.entries.length < ready.length ? AGAIN : soonest([rest, turn])
  }

  private async handed(
    wave: WaveRecord,
    outcome: SendOutcome & { readonly wave?: WaveRecord },
  ): Promise<Turn> {
    if (outcome.kind === 'sent')
      return { kind: 'wait', delayMs: pollAfterMs(wave, this.deps.clock.now()) }
    if (outcome.kind === 'unknown') return { kind: 'wait', delayMs: RESEND_MS }
    await this.giveBack(wave, outcome)
    return AGAIN
  }

  /** Certainly not accepted: the steps wait for another wave, or fail when none can help. */
  private async giveBack(
    wave: WaveRecord,
    { isRetryable, detail }: SendOutcome & { readonly kind: 'refused' },
  ): Promise<void> {
    const { store, clock } = this.deps
    const operations = await store.getMany(
      'operation',
      wave.entries.map(({ operationId }) => ({ id: operationId })),
    )
    const now = clock.now()
    const error = { code: 'remote-unavailable', detail }
    for (const member of await membersOf(store, operations)) {
      const { step } = member
      if (step === null || step.wave !== wave.n) continue
      if (!isRetryable) await this.fail(member, error)
      else
        await store.commit([
          put('step', { ...step, wave: null, notBefore: now + resendAfterMs(step), error }),
        ])
    }
    await dropWave(this.deps, wave)
  }
}

function ruleOf({ operation }: Member): StepRule | undefined {
  const name = operation.plan[operation.stepsDone]
  return name === undefined ? undefined : STEP_RULES[name]
}

/** Of those that are there none has it; one that was dropped may have had it. */
function nextNumber(waves: readonly WaveRecord[], now: number): number {
  return Math.max(now, ...waves.map(({ n }) => n + 1))
}

function split<T>(all: readonly T[], isFirst: (one: T) => boolean): readonly [T[], T[]] {
  return [all.filter(isFirst), all.filter(one => !isFirst(one))]
}
