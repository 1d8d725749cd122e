/** Bodies of the calls, with the bounds of the service model (ssm-run-command.md §2, §4). */
import { z } from 'zod'
import { invalid } from './errors.ts'

const instanceId = z.string().regex(/^(i-(\w{8}|\w{17})|mi-\w{17})$/, 'must be an instance id')
const commandId = z.uuid()
const paging = {
  MaxResults: z.int().min(1).max(50).optional(),
  NextToken: z.string().optional(),
}
const limit = (least: number) =>
  z
    .string()
    .min(1)
    .max(7)
    .regex(/^\d+%?$/, 'must be a number or a percentage')
    .refine(
      text =>
        Number.parseInt(text, 10) >= least &&
        (!text.endsWith('%') || Number.parseInt(text, 10) <= 100),
      {
        message: `must be at least ${least}`,
      },
    )

export const sendCommand = z.object({
  DocumentName: z.string().regex(/^[a-zA-Z0-9_\-.:/]{3,128}$/),
  DocumentVersion: z
    .string()
    .regex(/^(\$LATEST|\$DEFAULT|[1-9]\d*)$/)
    .optional(),
  DocumentHash: z.string().max(256).optional(),
  DocumentHashType: z.enum(['Sha256', 'Sha1']).optional(),
  InstanceIds: z.array(instanceId).max(50).optional(),
  Targets: z
    .array(z.object({ Key: z.string().min(1).max(163), Values: z.array(z.string()).max(50) }))
    .max(5)
    .optional(),
  Parameters: z.record(z.string(), z.array(z.string())).optional(),
  TimeoutSeconds: z.int().min(30).max(2_592_000).optional(),
  MaxConcurrency: limit(1).optional(),
  MaxErrors: limit(0).optional(),
  Comment: z.string().max(100).optional(),
})

const getCommandInvocation = z.object({
  CommandId: commandId,
  InstanceId: instanceId,
  PluginName: z.string().optional(),
})

const filters = z
  .array(
    z.object({
      key: z.enum(['InvokedAfter', 'InvokedBefore', 'Status', 'ExecutionStage', 'DocumentName']),
      value: z.string().min(1).max(128),
    }),
  )
  .min(1)
  .max(5)

const listCommands = z.object({
  CommandId: commandId.optional(),
  InstanceId: instanceId.optional(),
  Filters: filters.optional(),
  Details: z.boolean().optional(),
  ...paging,
})

const cancelCommand = z.object({
  CommandId: commandId,
  InstanceIds: z.array(instanceId).max(50).optional(),
})

const describeInstances = z.object({
  Filters: z
    .array(z.object({ Key: z.string().min(1), Values: z.array(z.string()).min(1).max(100) }))
    .optional(),
  MaxResults: z.int().min(5).max(50).optional(),
  NextToken: z.string().optional(),
})

const putParameter = z.object({
  Name: z
    .string()
    .min(1)
    .max(2048)
    .regex(/^[A-Za-z0-9_.\-/]+$/),
  Value: z.string(),
  Type: z.enum(['String', 'StringList', 'SecureString']).optional(),
  Overwrite: z.boolean().optional(),
})

const getParameter = z.object({
  Name: z.string().min(1).max(2048),
  WithDecryption: z.boolean().optional(),
})

const getParameters = z.object({
  Names: z.array(z.string().min(1).max(2048)).min(1).max(10),
  WithDecryption: z.boolean().optional(),
})

const deleteParameter = z.object({ Name: z.string().min(1).max(2048) })

const createDocument = z.object({
  Name: z.string(),
  Content: z.string().min(1),
  DocumentType: z.literal('Command').optional(),
  DocumentFormat: z.literal('JSON').optional(),
})

const updateDocument = z.object({
  Name: z.string(),
  Content: z.string().min(1),
  DocumentVersion: z.string().optional(),
  DocumentFormat: z.literal('JSON').optional(),
})

const updateDefault = z.object({ Name: z.string(), DocumentVersion: z.string() })

const oneDocument = z.object({
  Name: z.string(),
  DocumentVersion: z.string().optional(),
})

const listDocuments = z.object({ ...paging })

/** Body schemas by what they ask. */
export const requests = {
  sendCommand,
  getCommandInvocation,
  listCommands,
  cancelCommand,
  describeInstances,
  putParameter,
  getParameter,
  getParameters,
  deleteParameter,
  createDocument,
  updateDocument,
  updateDefault,
  oneDocument,
  listDocuments,
}

/** The request in `body`. @throws SsmError ValidationException in the service's words. */
export function parsed<T>(schema: z.ZodType<T>, body: unknown): T {
  const result = schema.safeParse(body)
  if (result.success) return result.data
  const wrong = result.error.issues.map(
    issue =>
      `Value at '${issue.path.map(lowerFirst).join('.')}' failed to satisfy constraint: ${issue.message}`,
  )
  const count = wrong.length
  invalid(`${count} validation error${count === 1 ? '' : 's'} detected: ${wrong.join('; ')}`)
}

function lowerFirst(part: PropertyKey): string {
  const text = String(part)
  return text.charAt(0).toLowerCase() + text.slice(1)
}
