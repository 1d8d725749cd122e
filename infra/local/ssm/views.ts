/** Commands and invocations as the API shows them (ssm-run-command.md §2, §4). Times in epoch seconds. */
import type { Command, Invocation, StepResult } from './model.ts'
import { type CommandDetail, commandStatus, DETAILS, isError, isFinal } from './status.ts'

export function commandView(command: Command, detail: CommandDetail) {
  const { invocations } = command
  return {
    CommandId: command.id,
    DocumentName: command.documentName,
    DocumentVersion: command.documentVersion,
    Comment: command.comment,
    ExpiresAfter: command.expiresAt / 1000,
    Parameters: command.parameters,
    InstanceIds: command.instanceIds,
    Targets: command.targets,
    RequestedDateTime: command.requestedAt / 1000,
    Status: commandStatus(detail),
    StatusDetails: detail,
    OutputS3BucketName: '',
    OutputS3KeyPrefix: '',
    MaxConcurrency: command.maxConcurrency,
    MaxErrors: command.maxErrors,
    TargetCount: invocations.length,
    CompletedCount: invocations.filter(each => isFinal(each.detail)).length,
    ErrorCount: invocations.filter(each => isError(each.detail)).length,
    DeliveryTimedOutCount: invocations.filter(each => each.detail === 'Delivery Timed Out').length,
    TimeoutSeconds: command.deliveryTimeoutSec,
  }
}

/** The answer to SendCommand: nothing has happened yet. */
export function sentView(command: Command) {
  const view = commandView(command, 'Pending')
  return command.targets.length > 0 ? { ...view, InstanceIds: [], TargetCount: 0 } : view
}

export function listedInvocation(
  command: Command,
  invocation: Invocation,
  withDetails: boolean,
  name: string,
) {
  return {
    CommandId: command.id,
    InstanceId: invocation.instanceId,
    InstanceName: name,
    Comment: command.comment,
    DocumentName: command.documentName,
    DocumentVersion: command.documentVersion,
    RequestedDateTime: command.requestedAt / 1000,
    Status: DETAILS[invocation.detail].status,
    StatusDetails: invocation.detail,
    StandardOutputUrl: '',
    StandardErrorUrl: '',
    CommandPlugins: withDetails ? invocation.steps.map(pluginView) : [],
  }
}

function pluginView(step: StepResult) {
  const detail = stepDetail(step)
  return {
    Name: step.name,
    Status: DETAILS[detail].status,
    StatusDetails: detail,
    ResponseCode: step.code,
    ...(step.startedAt === null ? {} : { ResponseStartDateTime: step.startedAt / 1000 }),
    ...(step.endedAt === null ? {} : { ResponseFinishDateTime: step.endedAt / 1000 }),
    Output: step.output,
    StandardOutputUrl: '',
    StandardErrorUrl: '',
    OutputS3BucketName: '',
    OutputS3KeyPrefix: '',
  }
}

/** GetCommandInvocation; `step` undefined: no step has answered. */
export function invocationView(
  command: Command,
  invocation: Invocation,
  step: StepResult | undefined,
) {
  const isEnded = isFinal(invocation.detail)
  return {
    CommandId: command.id,
    InstanceId: invocation.instanceId,
    Comment: command.comment,
    DocumentName: command.documentName,
    DocumentVersion: command.documentVersion,
    PluginName: step?.name ?? '',
    ResponseCode: isEnded && step !== undefined ? step.code : -1,
    ExecutionStartDateTime: isoOf(step?.startedAt),
    ExecutionElapsedTime: elapsed(step),
    ExecutionEndDateTime: isoOf(step?.endedAt),
    Status: DETAILS[invocation.detail].status,
    StatusDetails: invocation.detail,
    StandardOutputContent: isEnded ? (step?.stdout ?? '') : '',
    StandardOutputUrl: '',
    StandardErrorContent: isEnded ? (step?.stderr ?? '') : '',
    StandardErrorUrl: '',
    CloudWatchOutputConfig: { CloudWatchLogGroupName: '', CloudWatchOutputEnabled: false },
  }
}

function stepDetail(step: StepResult) {
  if (step.status === 'TimedOut') return 'Execution Timed Out'
  if (step.status === 'InProgress') return 'In Progress'
  return step.status === 'Skipped' ? 'Success' : step.status
}

function isoOf(at: number | null | undefined): string {
  return at === null || at === undefined ? '' : new Date(at).toISOString()
}

/** ISO 8601 duration of a step, `PT1.5S`. */
function elapsed(step: StepResult | undefined): string {
  if (step === undefined || step.startedAt === null || step.endedAt === null) return ''
  return `PT${(step.endedAt - step.startedAt) / 1000}S`
}
