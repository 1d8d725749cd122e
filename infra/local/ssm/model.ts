/** What the endpoint remembers: commands with their invocations, and managed instances. Times are epoch ms. */
import type { ParameterValues } from './documents.ts'
import type { Detail, StepStatus } from './status.ts'

export type Target = { readonly Key: string; readonly Values: readonly string[] }

/** What a node answered about one step; outputs are cut already. */
export type StepResult = {
  readonly name: string
  readonly status: StepStatus | 'InProgress'
  readonly code: number
  readonly stdout: string
  readonly stderr: string
  /** Both, as a list shows them. */
  readonly output: string
  readonly startedAt: number | null
  readonly endedAt: number | null
}

export type Invocation = {
  readonly instanceId: string
  detail: Detail
  /** When the node got the message; it comes again when it is not acknowledged. */
  deliveredAt: number | null
  isAcknowledged: boolean
  /** When a cancel was asked, and whether the node has been told. */
  cancelDeliveredAt: number | null
  steps: readonly StepResult[]
  /** Repeats of a reply are dropped. */
  replyIds: readonly string[]
}

export type Command = {
  readonly id: string
  readonly documentName: string
  readonly documentVersion: string
  readonly comment: string
  readonly parameters: ParameterValues
  readonly instanceIds: readonly string[]
  readonly targets: readonly Target[]
  readonly requestedAt: number
  readonly deliveryTimeoutSec: number
  readonly expiresAt: number
  readonly maxConcurrency: string
  readonly maxErrors: string
  isCancelled: boolean
  readonly invocations: readonly Invocation[]
}

export type ManagedInstance = {
  readonly id: string
  readonly name: string
  readonly address: string
  readonly tags: Readonly<Record<string, string>>
  lastPingAt: number | null
  isInactive: boolean
  platformName: string
  platformVersion: string
  agentVersion: string
}
