/** Status changes as EventBridge delivers them: best effort, perhaps late, twice or never (ssm-run-command.md §5). */
import { randomUUID } from 'node:crypto'
import type { StatusChange } from './commands.ts'
import type { Faults } from './faults.ts'
import { commandStatus, DETAILS } from './status.ts'

const ATTEMPTS = 3
const RETRY_MS = 500
const DEADLINE_MS = 5_000
/** Events on their way; more are dropped, as a bus under pressure may. */
const MAX_PENDING = 1_000

export type EventTarget = { readonly url: string; readonly token: string }

export class Events {
  private readonly target: EventTarget | undefined
  private readonly faults: Faults
  private pending = 0

  constructor(target: EventTarget | undefined, faults: Faults) {
    this.target = target
    this.faults = faults
  }

  emit(change: StatusChange, now: number): void {
    const { target } = this
    if (target === undefined) return
    const { lose, copies, delayMs } = this.faults.events
    const body = JSON.stringify(eventOf(change, now))
    for (let copy = 0; copy < copies; copy++) {
      if (Math.random() < lose || this.pending >= MAX_PENDING) continue
      this.pending += 1
      setTimeout(
        () => void this.deliver(target, body).finally(() => (this.pending -= 1)),
        Math.random() * delayMs,
      )
    }
  }

  private async deliver(target: EventTarget, body: string): Promise<void> {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      const answer = await fetch(target.url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${target.token}` },
        body,
        signal: AbortSignal.timeout(DEADLINE_MS),
      }).catch(() => undefined)
      if (answer?.ok) return
      await new Promise(resolve => setTimeout(resolve, RETRY_MS * attempt))
    }
  }
}

function eventOf({ command, invocation, detail }: StatusChange, now: number) {
  const requested = new Date(command.requestedAt).toISOString()
  const common = {
    version: '0',
    id: randomUUID(),
    source: 'aws.ssm',
    account: '000000000000',
    region: 'local',
    time: new Date(now).toISOString(),
  }
  if (invocation === undefined)
    return {
      ...common,
      'detail-type': 'EC2 Command Status-change Notification',
      resources: command.invocations.map(each => arnOf(each.instanceId)),
      detail: {
        'command-id': command.id,
        'document-name': command.documentName,
        'expire-after': new Date(command.expiresAt).toISOString(),
        parameters: JSON.stringify(command.parameters),
        'requested-date-time': requested,
        status: commandStatus(detail as Parameters<typeof commandStatus>[0]),
      },
    }
  return {
    ...common,
    'detail-type': 'EC2 Command Invocation Status-change Notification',
    resources: [arnOf(invocation.instanceId)],
    detail: {
      'command-id': command.id,
      'document-name': command.documentName,
      'instance-id': invocation.instanceId,
      'requested-date-time': requested,
      status: DETAILS[invocation.detail].status,
    },
  }
}

function arnOf(instanceId: string): string {
  return `arn:aws:ec2:local:000000000000:instance/${instanceId}`
}
