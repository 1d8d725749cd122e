/**
 * The instance's agent of Systems Manager: asks for messages, runs documents, keeps each answer until
 * the service has taken it. What it took is on disk first, so that a command that was only queued
 * runs at the next boot, and one that a crash cut off is reported. Source: ssm-run-command.md §6-§9.
 */
import { randomUUID } from 'node:crypto'
import { mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { readJson, writePrivately } from '../files.ts'
import type { DocumentContent, ParameterValues } from '../ssm/documents.ts'
import type { StepResult } from '../ssm/model.ts'
import { documentStatus, type StepStatus } from '../ssm/status.ts'
import { AgentClient, type AgentIdentity } from './agent-client.ts'
import { failedStep, runStep } from './shell-step.ts'

const POLL_DEADLINE_MS = 20_000
const CALL_DEADLINE_MS = 5_000
const PING_MS = 1_000
const RETRY_MS = [200, 500, 1_000, 2_000, 5_000] as const
const MAX_RUNNING = 5
const MAX_QUEUED = 5
/** A message id is remembered for so long and not run again. */
const REMEMBER_MS = 1_800_000
const REBOOT = 194
const VERSION = '3.3.0.0'

const messageSchema = z.object({
  MessageId: z.string(),
  Topic: z.string(),
  Payload: z.string(),
})

type Work = {
  readonly messageId: string
  readonly commandId: string
  readonly content: DocumentContent
  readonly parameters: ParameterValues
  readonly takenAt: number
  phase: 'queued' | 'running' | 'rebooting' | 'ended'
  results: StepResult[]
}

export type AgentSettings = {
  readonly instanceId: string
  readonly identity: AgentIdentity
  /** Own folder, survives reboots. */
  readonly folder: string
  /** Environment of the scripts. */
  readonly env: Readonly<Record<string, string>>
  readonly reboot: () => void
  readonly note: (line: string) => void
}

export class Agent {
  private readonly settings: AgentSettings
  private readonly client: AgentClient
  private readonly works = new Map<string, Work>()
  private readonly cancels = new Map<string, AbortController>()
  private readonly ended = new AbortController()

  constructor(settings: AgentSettings) {
    this.settings = settings
    this.client = new AgentClient(settings.identity)
    mkdirSync(settings.folder, { recursive: true, mode: 0o700 })
  }

  start(): void {
    for (const name of readdirSync(this.settings.folder).filter(each => each.endsWith('.json')))
      this.resume(readJson(join(this.settings.folder, name)) as Work)
    void this.ping()
    void this.poll()
    this.next()
  }

  /** Says that the instance goes down; running scripts are left to who kills them. */
  async stop(): Promise<void> {
    this.ended.abort()
    const last = { InstanceId: this.settings.instanceId, AgentStatus: 'Inactive' }
    await this.client
      .call('AmazonSSM.UpdateInstanceInformation', last, 1_000)
      .catch(() => undefined)
  }

  /** What an earlier life left: queued runs, cut off is reported, a reboot asked for goes on. */
  private resume(work: Work): void {
    this.works.set(work.messageId, work)
    if (work.phase === 'rebooting') work.phase = 'queued'
    if (work.phase === 'ended') void this.reply(work)
    if (work.phase !== 'running') return
    this.cutOff(work, 'document process failed unexpectedly')
  }

  private cutOff(work: Work, complaint: string): void {
    const [first] = work.content.mainSteps
    work.results = [failedStep(first?.name ?? '', complaint, work.takenAt)]
    this.finish(work)
  }

  private async ping(): Promise<void> {
    const { instanceId } = this.settings
    while (!this.ended.signal.aborted) {
      const body = {
        InstanceId: instanceId,
        AgentName: 'amazon-ssm-agent',
        AgentVersion: VERSION,
        AgentStatus: 'Active',
        PlatformType: 'Linux',
      }
      await this.client
        .call('AmazonSSM.UpdateInstanceInformation', body, CALL_DEADLINE_MS)
        .catch(() => undefined)
      await this.pause(PING_MS)
    }
  }

  private async poll(): Promise<void> {
    let failures = 0
    while (!this.ended.signal.aborted)
      try {
        const answer = await this.client.call(
          'EC2WindowsMessageDeliveryService.GetMessages',
          {
            Destination: this.settings.instanceId,
            MessagesRequestId: randomUUID(),
            VisibilityTimeoutInSeconds: 10,
          },
          POLL_DEADLINE_MS,
          this.ended.signal,
        )
        failures = 0
        const { Messages } = z.object({ Messages: z.array(messageSchema) }).parse(answer)
        for (const message of Messages)
          if (message.Topic.startsWith('aws.ssm.cancelCommand')) this.cancel(message)
          else this.take(message)
      } catch {
        await this.pause(RETRY_MS[Math.min(failures, RETRY_MS.length - 1)] ?? 0)
        failures += 1
      }
  }

  private take(message: z.infer<typeof messageSchema>): void {
    const known = this.works.get(message.MessageId)
    if (known !== undefined) {
      this.acknowledge(message.MessageId)
      if (known.phase === 'ended') void this.reply(known)
      return
    }
    const waiting = [...this.works.values()].filter(work => work.phase === 'queued').length
    // Not acknowledged: the service hands it out again later.
    if (waiting >= MAX_QUEUED) return
    const payload = JSON.parse(message.Payload) as {
      CommandId: string
      DocumentContent: DocumentContent
      Parameters: Record<string, string | string[]>
    }
    const work: Work = {
      messageId: message.MessageId,
      commandId: payload.CommandId,
      content: payload.DocumentContent,
      parameters: Object.fromEntries(
        Object.entries(payload.Parameters).map(([name, value]) => [
          name,
          typeof value === 'string' ? [value] : value,
        ]),
      ),
      takenAt: Date.now(),
      phase: 'queued',
      results: [],
    }
    // On disk first: what cannot be kept is not taken, and comes again.
    this.save(work)
    this.works.set(work.messageId, work)
    this.acknowledge(work.messageId)
    this.forgetOld()
    this.next()
  }

  /** A queued command is not told: it runs at the agent's next start, as the real agent's does. */
  private cancel(message: z.infer<typeof messageSchema>): void {
    const { CancelMessageId } = JSON.parse(message.Payload) as { CancelMessageId: string }
    this.cancels.get(CancelMessageId)?.abort()
    this.acknowledge(message.MessageId)
  }

  private next(): void {
    const all = [...this.works.values()]
    const free = MAX_RUNNING - all.filter(work => work.phase === 'running').length
    for (const work of all.filter(each => each.phase === 'queued').slice(0, Math.max(0, free)))
      void this.run(work)
  }

  /** To its end, whatever happens to the agent's own files meanwhile. Never rejects. */
  private async run(work: Work): Promise<void> {
    const cancel = new AbortController()
    this.cancels.set(work.messageId, cancel)
    try {
      await this.runSteps(work, cancel.signal)
    } catch (error) {
      const { message } = error as Error
      this.settings.note(`command ${work.commandId}: ${message}`)
      this.cutOff(work, message)
    } finally {
      this.cancels.delete(work.messageId)
    }
    if (!this.ended.signal.aborted && work.phase === 'ended') this.next()
  }

  private async runSteps(work: Work, cancel: AbortSignal): Promise<void> {
    work.phase = 'running'
    this.save(work)
    void this.send(work, 'InProgress')
    for (const step of work.content.mainSteps.slice(work.results.length)) {
      const outcome = await runStep({
        content: work.content,
        step,
        parameters: work.parameters,
        folder: join(this.settings.folder, 'scripts', work.commandId),
        env: { ...this.settings.env, ...this.variables(work) },
        cancel,
      })
      if (this.ended.signal.aborted) return
      if (outcome.code === REBOOT) return this.rebootFor(work)
      work.results.push(outcome)
      this.save(work)
      if (isLast(outcome, step.inputs.onFailure)) break
    }
    this.finish(work)
  }

  private rebootFor(work: Work): void {
    work.phase = 'rebooting'
    this.save(work)
    this.settings.reboot()
  }

  private variables({ commandId }: Work): Record<string, string> {
    return {
      SSM_COMMAND_ID: commandId,
      AWS_SSM_INSTANCE_ID: this.settings.instanceId,
      AWS_SSM_REGION_NAME: this.settings.identity.region,
      AWS_SSM_PLATFORM_NAME: 'Linux',
      AWS_SSM_PLATFORM_VERSION: '1',
    }
  }

  /** Never throws: the answer goes out, whatever the disk says. */
  private finish(work: Work): void {
    work.phase = 'ended'
    // An older state of it on disk would run it again at the next boot.
    if (!this.attempt(work, () => this.save(work)))
      this.attempt(work, () => rmSync(this.fileOf(work), { force: true }))
    const scripts = join(this.settings.folder, 'scripts', work.commandId)
    this.attempt(work, () => rmSync(scripts, { recursive: true, force: true }))
    void this.reply(work)
  }

  private attempt({ commandId }: Work, act: () => void): boolean {
    try {
      act()
      return true
    } catch (error) {
      this.settings.note(`command ${commandId}: ${(error as Error).message}`)
      return false
    }
  }

  private async reply(work: Work): Promise<void> {
    const statuses = work.results.map(step => step.status as StepStatus)
    await this.send(work, documentStatus(statuses))
  }

  /** Tried with one reply id until the service has it. */
  private async send(work: Work, status: string): Promise<void> {
    const body = {
      MessageId: work.messageId,
      ReplyId: randomUUID(),
      Payload: JSON.stringify({
        documentStatus: status,
        runtimeStatus: Object.fromEntries(work.results.map(step => [step.name, stepPayload(step)])),
      }),
    }
    for (let attempt = 0; !this.ended.signal.aborted; attempt++)
      try {
        await this.client.call('EC2WindowsMessageDeliveryService.SendReply', body, CALL_DEADLINE_MS)
        return
      } catch (error) {
        if (attempt === 0) this.settings.note(`reply: ${(error as Error).message}`)
        if (Date.now() - work.takenAt > 4 * REMEMBER_MS) return
        await this.pause(RETRY_MS[Math.min(attempt, RETRY_MS.length - 1)] ?? 0)
      }
  }

  private acknowledge(messageId: string): void {
    this.client
      .call(
        'EC2WindowsMessageDeliveryService.AcknowledgeMessage',
        { MessageId: messageId },
        CALL_DEADLINE_MS,
      )
      .catch(() => undefined)
  }

  private forgetOld(): void {
    for (const work of this.works.values())
      if (work.phase === 'ended' && Date.now() - work.takenAt > REMEMBER_MS) {
        this.works.delete(work.messageId)
        rmSync(this.fileOf(work), { force: true })
      }
  }

  private save(work: Work): void {
    writePrivately(this.fileOf(work), work)
  }

  private fileOf({ commandId }: Work): string {
    return join(this.settings.folder, `${commandId}.json`)
  }

  private pause(ms: number): Promise<void> {
    const { signal } = this.ended
    return new Promise(resolve => {
      const done = () => {
        clearTimeout(timer)
        signal.removeEventListener('abort', done)
        resolve()
      }
      const timer = setTimeout(done, ms)
      signal.addEventListener('abort', done)
    })
  }
}

/** Whether no later step runs: exit 168 and 169 end the document, a failure only if the step says so. */
function isLast({ code, status }: StepResult, onFailure: string | undefined): boolean {
  if (code === 168 || code === 169) return true
  return status === 'Failed' && (onFailure === 'exit' || onFailure === 'successAndExit')
}

function stepPayload(step: StepResult) {
  return {
    status: step.status,
    code: step.code,
    name: 'aws:runShellScript',
    output: step.output,
    startDateTime: step.startedAt === null ? '' : new Date(step.startedAt).toISOString(),
    endDateTime: step.endedAt === null ? '' : new Date(step.endedAt).toISOString(),
    outputS3BucketName: '',
    outputS3KeyPrefix: '',
    stepName: step.name,
    standardOutput: step.stdout,
    standardError: step.stderr,
  }
}
