/**
 * What a managed instance says: `EC2WindowsMessageDeliveryService.*` (long poll) and its pings, in
 * the shapes of the real agent (ssm-run-command.md §7). Each call is for the caller's own instance.
 */
import { z } from 'zod'
import type { Commands, Message } from './commands.ts'
import { invalid, SsmError } from './errors.ts'
import type { Instances } from './instances.ts'
import type { StepResult } from './model.ts'
import { COMBINED_LIMIT, STDERR_LIMIT, STDOUT_LIMIT, truncated } from './output.ts'
import type { State } from './state.ts'

/** How long GetMessages is held when there is nothing. */
export const HOLD_MS = 10_000

export type AgentParts = {
  readonly commands: Commands
  readonly instances: Instances
  readonly state: State
  /** Resolves when there may be something for the instance, or after `HOLD_MS`. */
  readonly waitFor: (instanceId: string) => Promise<void>
  readonly now: () => number
  /** The caller has hung up: nothing may be handed out to it. */
  readonly isGone: () => boolean
}

type AgentCall = (body: unknown, instanceId: string, parts: AgentParts) => unknown

const stepReply = z.object({
  status: z.enum(['InProgress', 'Success', 'Failed', 'TimedOut', 'Cancelled', 'Skipped']),
  code: z.int(),
  output: z.string().default(''),
  startDateTime: z.string().default(''),
  endDateTime: z.string().default(''),
  standardOutput: z.string().default(''),
  standardError: z.string().default(''),
})

const replyPayload = z.object({
  documentStatus: z.enum(['InProgress', 'Success', 'Failed', 'TimedOut', 'Cancelled']),
  runtimeStatus: z.record(z.string(), stepReply).default({}),
})

export const AGENT_CALLS: Readonly<Record<string, AgentCall>> = {
  UpdateInstanceInformation: (body, instanceId, { instances }) => {
    const said = z
      .object({ AgentVersion: z.string().optional(), AgentStatus: z.string().optional() })
      .parse(body)
    instances.ping(instanceId, {
      agentVersion: said.AgentVersion ?? '',
      isInactive: said.AgentStatus === 'Inactive',
    })
    return {}
  },
  GetMessages: async (body, instanceId, parts) => {
    const { MessagesRequestId } = z.object({ MessagesRequestId: z.string() }).parse(body)
    parts.instances.ping(instanceId)
    let messages = parts.commands.messagesFor(instanceId)
    if (messages.length === 0) {
      await parts.waitFor(instanceId)
      messages = parts.isGone() ? [] : parts.commands.messagesFor(instanceId)
    }
    return {
      Destination: instanceId,
      MessagesRequestId,
      Messages: messages.map(message => messageView(message, instanceId, parts)),
    }
  },
  AcknowledgeMessage: (body, instanceId, { commands }) => {
    // The acknowledgement of a cancel changes nothing: the node's answer does.
    const id = ownMessage(body, instanceId)
    if (!id.startsWith('cancel.')) commands.acknowledge(id)
    return {}
  },
  SendReply: (body, instanceId, { commands }) => {
    const { ReplyId, Payload } = z.object({ ReplyId: z.string(), Payload: z.string() }).parse(body)
    const payload = replyPayload.safeParse(jsonOf(Payload))
    if (!payload.success) invalid('the payload of the reply is not readable')
    const MessageId = ownMessage(body, instanceId)
    commands.reply(MessageId, {
      replyId: ReplyId,
      documentStatus: payload.data.documentStatus,
      steps: Object.entries(payload.data.runtimeStatus).map(([name, step]) => stepOf(name, step)),
    })
    return { MessageId, ReplyId, ReplyStatus: 'Acknowledged' }
  },
  FailMessage: () => ({}),
  DeleteMessage: () => ({}),
  ListInstanceAssociations: () => ({ Associations: [] }),
}

function messageView(message: Message, instanceId: string, { state }: AgentParts) {
  const { command, messageId, kind } = message
  const created = new Date(command.requestedAt).toISOString()
  if (kind === 'cancel')
    return {
      MessageId: `cancel.${messageId}`,
      Destination: instanceId,
      Topic: 'aws.ssm.cancelCommand',
      CreatedDate: created,
      Payload: JSON.stringify({ CancelMessageId: messageId }),
    }
  const document = state.documents.get(command.documentName)
  const content = document?.versions[Number(command.documentVersion) - 1]?.content ?? '{}'
  return {
    MessageId: messageId,
    Destination: instanceId,
    Topic: 'aws.ssm.sendCommand',
    CreatedDate: created,
    Payload: JSON.stringify({
      Parameters: Object.fromEntries(
        Object.entries(command.parameters).map(([name, values]) => [
          name,
          values.length === 1 ? values[0] : values,
        ]),
      ),
      DocumentContent: jsonOf(content),
      CommandId: command.id,
      DocumentName: command.documentName,
      OutputS3BucketName: '',
      OutputS3KeyPrefix: '',
      CloudWatchLogGroupName: '',
      CloudWatchOutputEnabled: 'false',
    }),
  }
}

function stepOf(name: string, step: z.infer<typeof stepReply>): StepResult {
  return {
    name,
    status: step.status,
    code: step.code,
    stdout: truncated(Buffer.from(step.standardOutput), STDOUT_LIMIT),
    stderr: truncated(Buffer.from(step.standardError), STDERR_LIMIT),
    output: truncated(Buffer.from(step.output), COMBINED_LIMIT),
    startedAt: timeOf(step.startDateTime),
    endedAt: timeOf(step.endDateTime),
  }
}

function timeOf(text: string): number | null {
  const at = Date.parse(text)
  return Number.isNaN(at) ? null : at
}

function ownMessage(body: unknown, instanceId: string): string {
  const { MessageId } = z.object({ MessageId: z.string() }).parse(body)
  if (MessageId.endsWith(`.${instanceId}`)) return MessageId
  throw new SsmError('AuthorizationFailureException', 'the message is for another instance')
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
