/** Lifecycle commands by Systems Manager. A send is never repeated in here: who sends decides what a lost answer means (PL3). */
import {
  CancelCommandCommand,
  ListCommandInvocationsCommand,
  ListCommandsCommand,
  SendCommandCommand,
  type SSMClient,
} from '@aws-sdk/client-ssm'
import type { Invocation, InvocationState, RunCommand, SendOutcome } from '../domain/remote.ts'
import { described } from './instances.ts'
import { reading } from './reading.ts'

const MAX_HOSTS = 50
const PAGE = 50
/** Seconds a command may wait for its host; the least the service takes is 30. */
const DELIVERY_SEC = 60
/** Pages of commands that are looked through for a comment. */
const MAX_FIND_PAGES = 20

/** Errors after which nothing was accepted, and whether a later try may fare better. */
const REFUSALS: Readonly<Record<string, boolean>> = {
  InvalidInstanceId: true,
  ThrottlingException: true,
  TooManyRequestsException: true,
  RequestLimitExceeded: true,
  InvalidDocument: false,
  InvalidDocumentVersion: false,
  InvalidParameters: false,
  UnsupportedPlatformType: false,
  MaxDocumentSizeExceeded: false,
  DuplicateInstanceId: false,
  ValidationException: false,
  AccessDeniedException: false,
  UnrecognizedClientException: false,
  InvalidSignatureException: false,
  ExpiredTokenException: true,
}

/** By status details, without the spaces that some of them have (`In Progress`). */
const STATES: Readonly<Record<string, InvocationState>> = {
  Pending: 'waiting',
  InProgress: 'waiting',
  Delayed: 'waiting',
  Cancelling: 'waiting',
  Success: 'succeeded',
  Failed: 'failed',
  ExecutionTimedOut: 'timed-out',
  Cancelled: 'cancelled',
}

/** `once` retries nothing; `patient` is the SDK's own default for reads. */
export function ssmRunCommand(once: SSMClient, patient: SSMClient, document: string): RunCommand {
  return {
    online: hostIds => onlineOf(patient, hostIds),
    send: input => send(once, document, input),
    find: (comment, sinceMs) => reading(() => find(patient, document, comment, sinceMs)),
    results: commandId => reading(() => resultsOf(patient, commandId)),
    cancel: async (CommandId, hostIds) => {
      const InstanceIds = [...hostIds]
      await patient.send(new CancelCommandCommand({ CommandId, InstanceIds })).catch(() => {})
    },
  }
}

async function onlineOf(
  client: SSMClient,
  hostIds: readonly string[],
): Promise<ReadonlySet<string>> {
  const known = await described(client, hostIds)
  return new Set(
    known.flatMap(({ InstanceId, PingStatus }) =>
      InstanceId !== undefined && PingStatus === 'Online' ? [InstanceId] : [],
    ),
  )
}

async function send(
  client: SSMClient,
  document: string,
  { hostIds, order, comment }: Parameters<RunCommand['send']>[0],
): Promise<SendOutcome> {
  if (hostIds.length > MAX_HOSTS) throw new RangeError(`${hostIds.length} hosts in one command`)
  try {
    const { Command } = await client.send(
      new SendCommandCommand({
        DocumentName: document,
        InstanceIds: [...hostIds],
        Parameters: { order: [order] },
        Comment: comment,
        TimeoutSeconds: DELIVERY_SEC,
        // One bad node must not keep the others from being asked.
        MaxErrors: '100%',
        MaxConcurrency: `${MAX_HOSTS}`,
      }),
    )
    return Command?.CommandId === undefined
      ? { kind: 'unknown', detail: 'an answer without a command id' }
      : { kind: 'sent', commandId: Command.CommandId }
  } catch (error) {
    const name = error instanceof Error ? error.name : ''
    const detail = error instanceof Error ? `${name}: ${error.message}`.slice(0, 300) : 'unknown'
    return Object.hasOwn(REFUSALS, name)
      ? { kind: 'refused', isRetryable: REFUSALS[name] === true, detail }
      : { kind: 'unknown', detail }
  }
}

async function find(
  client: SSMClient,
  document: string,
  comment: string,
  sinceMs: number,
): Promise<string | null> {
  const Filters = [
    { key: 'InvokedAfter' as const, value: wholeSecond(sinceMs) },
    { key: 'DocumentName' as const, value: document },
  ]
  let NextToken: string | undefined
  for (let page = 0; page < MAX_FIND_PAGES; page++) {
    const answer = await client.send(
      new ListCommandsCommand({
        Filters,
        MaxResults: PAGE,
        ...(NextToken === undefined ? {} : { NextToken }),
      }),
    )
    const found = answer.Commands?.find(({ Comment }) => Comment === comment)
    if (found?.CommandId !== undefined) return found.CommandId
    NextToken = answer.NextToken
    if (NextToken === undefined) return null
  }
  return null
}

/** `2021-07-07T00:00:00Z`: the service takes no fractions. */
function wholeSecond(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`
}

/** A command that was sent just now may not be known everywhere yet: it has no results. */
async function resultsOf(client: SSMClient, commandId: string): Promise<readonly Invocation[]> {
  try {
    return await results(client, commandId)
  } catch (error) {
    if (error instanceof Error && error.name === 'InvalidCommandId') return []
    throw error
  }
}

async function results(client: SSMClient, CommandId: string): Promise<readonly Invocation[]> {
  const found: Invocation[] = []
  let NextToken: string | undefined
  do {
    const answer = await client.send(
      new ListCommandInvocationsCommand({
        CommandId,
        Details: true,
        MaxResults: PAGE,
        ...(NextToken === undefined ? {} : { NextToken }),
      }),
    )
    for (const each of answer.CommandInvocations ?? []) {
      const details = each.StatusDetails ?? each.Status ?? 'Pending'
      found.push({
        hostId: each.InstanceId ?? '',
        // Whatever else it is called, it is over and nobody knows what ran.
        state: STATES[details.replaceAll(' ', '')] ?? 'lost',
        details,
        output: each.CommandPlugins?.[0]?.Output ?? '',
      })
    }
    NextToken = answer.NextToken
  } while (NextToken !== undefined)
  return found
}
