/**
 * The life of commands: sent, handed to the agents that ask, answered, cancelled, expired. Every
 * change is on disk before it is answered. Source: ssm-run-command.md §2, §3, §7.
 */
import { randomUUID } from 'node:crypto'
import type { z } from 'zod'
import {
  checkParameters,
  documentHash,
  parseContent,
  type StoredDocument,
  stepTimeoutSec,
  versionNumber,
} from './documents.ts'
import { invalid, SsmError } from './errors.ts'
import type { Faults } from './faults.ts'
import type { Instances } from './instances.ts'
import type { Command, Invocation, StepResult } from './model.ts'
import type { sendCommand } from './requests.ts'
import type { State } from './state.ts'
import {
  afterReply,
  type CommandDetail,
  commandDetail,
  concurrencyOf,
  type Detail,
  detailOf,
  isError,
  isFinal,
  isOverErrorLimit,
} from './status.ts'

const DEFAULT_DELIVERY_SEC = 3600
/** A message that was not acknowledged is handed out again after this. */
const VISIBILITY_MS = 10_000
const MAX_REPLY_IDS = 50
const MAX_SEND_BYTES = 65_536

export type StatusChange = {
  readonly command: Command
  /** Undefined: the command as a whole. */
  readonly invocation?: Invocation
  readonly detail: Detail | CommandDetail
}

/** What an agent gets: a command to run, or the cancel of one. */
export type Message = {
  readonly messageId: string
  readonly kind: 'run' | 'cancel'
  readonly command: Command
}

export type Reply = {
  readonly replyId: string
  readonly documentStatus: 'InProgress' | 'Success' | 'Failed' | 'TimedOut' | 'Cancelled'
  readonly steps: readonly StepResult[]
}

type Ports = {
  readonly state: State
  readonly instances: Instances
  readonly faults: Faults
  readonly now: () => number
  readonly changed: (change: StatusChange) => void
  /** There may be something for this instance. */
  readonly wake: (instanceId: string) => void
}

export class Commands {
  private readonly ports: Ports
  private readonly repeated = new Set<string>()

  constructor(ports: Ports) {
    this.ports = ports
  }

  /** Accepts a command. @throws SsmError as the service refuses it. */
  send(input: z.infer<typeof sendCommand>): Command {
    const { state, now } = this.ports
    const ids = input.InstanceIds ?? []
    const targets = input.Targets ?? []
    if (ids.length > 0 === targets.length > 0)
      invalid('either InstanceIds or Targets must be given')
    const document = this.documentOf(input)
    const parameters = input.Parameters ?? {}
    const version = versionNumber(document, input.DocumentVersion)
    const text = document.versions[version - 1]?.content ?? ''
    const content = parseContent(text)
    if (Buffer.byteLength(text) + JSON.stringify(parameters).length > MAX_SEND_BYTES)
      throw new SsmError('MaxDocumentSizeExceeded', 'document and parameters exceed 64 KB')
    checkParameters(content, parameters)
    const chosen = targets.length > 0 ? this.ports.instances.chosenBy(targets) : this.online(ids)
    const requestedAt = now()
    const deliveryTimeoutSec = input.TimeoutSeconds ?? DEFAULT_DELIVERY_SEC
    const executionSec = content.mainSteps.reduce((sum, step) => sum + stepTimeoutSec(step), 0)
    const command: Command = {
      id: randomUUID(),
      documentName: document.name,
      documentVersion: String(version),
      comment: input.Comment ?? '',
      parameters,
      instanceIds: ids,
      targets,
      requestedAt,
      deliveryTimeoutSec,
      expiresAt: requestedAt + (deliveryTimeoutSec + executionSec) * 1000,
      maxConcurrency: input.MaxConcurrency ?? '50',
      maxErrors: input.MaxErrors ?? '0',
      isCancelled: false,
      invocations: chosen.map(instanceId => ({
        instanceId,
        detail: 'Pending',
        deliveredAt: null,
        isAcknowledged: false,
        cancelDeliveredAt: null,
        steps: [],
        replyIds: [],
      })),
    }
    state.saveCommand(command)
    for (const instanceId of chosen) this.ports.wake(instanceId)
    return command
  }

  /** What waits for an agent; asking is what makes an invocation In Progress. */
  messagesFor(instanceId: string): readonly Message[] {
    if (this.ports.faults.isUndelivered(instanceId)) return []
    return [...this.ports.state.commands.values()].flatMap(command => {
      const invocation = command.invocations.find(each => each.instanceId === instanceId)
      return invocation === undefined ? [] : this.due(command, invocation)
    })
  }

  acknowledge(messageId: string): void {
    const { command, invocation } = this.byMessage(messageId)
    invocation.isAcknowledged = true
    this.ports.state.saveCommand(command)
  }

  /** Takes a node's answer: final is sticky, repeats are dropped. */
  reply(messageId: string, reply: Reply): void {
    const { command, invocation } = this.byMessage(messageId)
    if (invocation.replyIds.includes(reply.replyId)) return
    invocation.replyIds = [...invocation.replyIds, reply.replyId].slice(-MAX_REPLY_IDS)
    const next = afterReply(invocation.detail, detailOf(reply.documentStatus))
    if (!isFinal(invocation.detail)) invocation.steps = merged(invocation.steps, reply.steps)
    invocation.isAcknowledged = true
    this.move(command, invocation, next)
    if (isFinal(next) && this.ports.faults.isDeliveredTwice()) this.repeated.add(messageId)
    // Others of the same command may have waited for a place.
    for (const other of command.invocations) this.ports.wake(other.instanceId)
  }

  /** Best effort: the unsent become Cancelled, the running Cancelling. */
  cancel(id: string, instanceIds: readonly string[]): void {
    const command = this.find(id)
    const chosen = command.invocations.filter(
      each => instanceIds.length === 0 || instanceIds.includes(each.instanceId),
    )
    if (instanceIds.length === 0) command.isCancelled = true
    for (const invocation of chosen) {
      if (isFinal(invocation.detail)) continue
      this.move(command, invocation, invocation.deliveredAt === null ? 'Cancelled' : 'Cancelling')
      this.ports.wake(invocation.instanceId)
    }
    this.ports.state.saveCommand(command)
  }

  /** Ends what had no final reply in time. Called every second or so. */
  expire(): void {
    const now = this.ports.now()
    for (const command of this.ports.state.commands.values())
      for (const invocation of command.invocations) {
        const undelivered = invocation.deliveredAt === null
        const late = undelivered
          ? command.requestedAt + command.deliveryTimeoutSec * 1000
          : command.expiresAt
        if (!isFinal(invocation.detail) && now > late)
          this.move(command, invocation, 'Delivery Timed Out')
      }
  }

  /** @throws SsmError InvalidCommandId */
  find(id: string): Command {
    const command = this.ports.state.commands.get(id)
    if (command === undefined) throw new SsmError('InvalidCommandId', `no command ${id}`)
    return command
  }

  detail(command: Command): CommandDetail {
    return commandDetail({
      details: command.invocations.map(each => each.detail),
      maxErrors: command.maxErrors,
      isCancelled: command.isCancelled,
      hasNoTarget: command.invocations.length === 0,
    })
  }

  private documentOf(input: z.infer<typeof sendCommand>): StoredDocument {
    const name = input.DocumentName.replace(/^arn:.*:document\//, '')
    const document = this.ports.state.documents.get(name)
    if (document === undefined) throw new SsmError('InvalidDocument', `no document ${name}`)
    const { DocumentHash: hash } = input
    const version = versionNumber(document, input.DocumentVersion)
    const content = document.versions[version - 1]?.content ?? ''
    if (hash !== undefined && input.DocumentHashType !== 'Sha1' && hash !== documentHash(content))
      throw new SsmError('InvalidDocument', 'the document has another hash')
    return document
  }

  private online(ids: readonly string[]): readonly string[] {
    if (new Set(ids).size < ids.length)
      throw new SsmError('DuplicateInstanceId', 'an instance id is given twice')
    for (const id of ids) {
      const instance = this.ports.instances.find(id)
      if (instance === undefined || !this.ports.instances.isOnline(instance))
        throw new SsmError('InvalidInstanceId', `Instances not in a valid state for account: ${id}`)
    }
    return ids
  }

  private due(command: Command, invocation: Invocation): readonly Message[] {
    const messageId = messageIdOf(command, invocation)
    if (this.repeated.delete(messageId)) return [{ messageId, kind: 'run', command }]
    if (isFinal(invocation.detail)) return []
    if (invocation.deliveredAt !== null) return this.again(command, invocation)
    if (!this.mayStart(command, invocation)) return []
    invocation.deliveredAt = this.ports.now()
    this.move(command, invocation, 'In Progress')
    return [{ messageId, kind: 'run', command }]
  }

  /** A message that got lost on its way, or a cancel. */
  private again(command: Command, invocation: Invocation): readonly Message[] {
    const now = this.ports.now()
    const messageId = messageIdOf(command, invocation)
    const isLate = (at: number | null) => at === null || now - at > VISIBILITY_MS
    if (!invocation.isAcknowledged && isLate(invocation.deliveredAt)) {
      invocation.deliveredAt = now
      return [{ messageId, kind: 'run', command }]
    }
    if (invocation.detail !== 'Cancelling' || !isLate(invocation.cancelDeliveredAt)) return []
    invocation.cancelDeliveredAt = now
    return [{ messageId, kind: 'cancel', command }]
  }

  /** MaxConcurrency and MaxErrors hold back or end what was not sent. */
  private mayStart(command: Command, invocation: Invocation): boolean {
    const { invocations, maxErrors, maxConcurrency } = command
    const errors = invocations.filter(each => isError(each.detail)).length
    if (isOverErrorLimit(errors, maxErrors, invocations.length)) {
      this.move(command, invocation, 'Terminated')
      return false
    }
    const open = invocations.filter(each => each.deliveredAt !== null && !isFinal(each.detail))
    return open.length < concurrencyOf(maxConcurrency, invocations.length)
  }

  private move(command: Command, invocation: Invocation, detail: Detail): void {
    const before = this.detail(command)
    const isNew = invocation.detail !== detail
    invocation.detail = detail
    this.ports.state.saveCommand(command)
    if (!isNew) return
    this.ports.changed({ command, invocation, detail })
    const after = this.detail(command)
    if (after !== before) this.ports.changed({ command, detail: after })
  }

  private byMessage(messageId: string): { command: Command; invocation: Invocation } {
    const [, id = '', instanceId] = /^aws\.ssm\.([0-9a-f-]{36})\.(\S+)$/.exec(messageId) ?? []
    const command = this.find(id)
    const invocation = command.invocations.find(each => each.instanceId === instanceId)
    if (invocation === undefined)
      throw new SsmError('InvalidMessageIdException', `no message ${messageId}`)
    return { command, invocation }
  }
}

export function messageIdOf(command: Command, invocation: { readonly instanceId: string }): string {
  return `aws.ssm.${command.id}.${invocation.instanceId}`
}

/** Steps by name: the newer answer about one replaces the older. */
function merged(
  before: readonly StepResult[],
  answered: readonly StepResult[],
): readonly StepResult[] {
  const kept = before.filter(step => !answered.some(newer => newer.name === step.name))
  return [...kept, ...answered]
}
