/** Command documents: content checked, parameters checked and substituted as the agent does (ssm-run-command.md §6, §9). */
import { createHash } from 'node:crypto'
import { z } from 'zod'
import { SsmError } from './errors.ts'

const MAX_CONTENT_BYTES = 65_536
const NAME = /^[a-zA-Z0-9_\-.]{3,128}$/
const RESERVED = /^(aws|amazon|amzn)/i

const parameterSchema = z.object({
  type: z.enum(['String', 'StringList']),
  description: z.string().optional(),
  default: z.union([z.string(), z.array(z.string())]).optional(),
  allowedPattern: z.string().optional(),
  allowedValues: z.array(z.string()).optional(),
})

const stepSchema = z.object({
  action: z.literal('aws:runShellScript'),
  name: z.string().min(1).max(128),
  precondition: z.record(z.string(), z.array(z.string())).optional(),
  inputs: z.object({
    runCommand: z.union([z.string(), z.array(z.string())]),
    timeoutSeconds: z.union([z.string(), z.number()]).optional(),
    workingDirectory: z.string().optional(),
    onFailure: z.string().optional(),
  }),
})

const contentSchema = z.object({
  schemaVersion: z.literal('2.2'),
  description: z.string().optional(),
  parameters: z.record(z.string().regex(/^[A-Za-z0-9]+$/), parameterSchema).optional(),
  mainSteps: z.array(stepSchema).min(1),
})

export type DocumentContent = z.infer<typeof contentSchema>
export type DocumentStep = z.infer<typeof stepSchema>

export type StoredDocument = {
  readonly name: string
  readonly defaultVersion: number
  /** The first is version 1. */
  readonly versions: readonly {
    readonly content: string
    readonly createdAt: number
    readonly hash: string
  }[]
}

/** The document in `text`. @throws SsmError InvalidDocumentContent, MaxDocumentSizeExceeded */
export function parseContent(text: string): DocumentContent {
  if (Buffer.byteLength(text) > MAX_CONTENT_BYTES)
    throw new SsmError('MaxDocumentSizeExceeded', 'the content is larger than 64 KB')
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    throw new SsmError('InvalidDocumentContent', 'the content is not JSON')
  }
  const parsed = contentSchema.safeParse(json)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw new SsmError('InvalidDocumentContent', `${issue?.path.join('.')}: ${issue?.message}`)
}

export function checkName(name: string): void {
  if (!NAME.test(name) || RESERVED.test(name))
    throw new SsmError('ValidationException', `"${name}" is no valid document name`)
}

export function documentHash(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

/** The version that `asked` names. @throws SsmError InvalidDocumentVersion */
export function versionNumber(document: StoredDocument, asked: string | undefined): number {
  if (asked === undefined || asked === '$DEFAULT') return document.defaultVersion
  if (asked === '$LATEST') return document.versions.length
  const number = /^[1-9]\d{0,5}$/.test(asked) ? Number(asked) : 0
  if (document.versions[number - 1] !== undefined) return number
  throw new SsmError('InvalidDocumentVersion', `${document.name} has no version ${asked}`)
}

export type ParameterValues = Readonly<Record<string, readonly string[]>>

/** The service's check: known, required, allowed values. @throws SsmError InvalidParameters */
export function checkParameters(content: DocumentContent, given: ParameterValues): void {
  const declared = content.parameters ?? {}
  for (const [name, values] of Object.entries(given)) {
    const rule = declared[name]
    if (rule === undefined) throw new SsmError('InvalidParameters', `unknown parameter ${name}`)
    if (rule.type === 'String' && values.length !== 1)
      throw new SsmError('InvalidParameters', `parameter ${name} takes one value`)
    if (!values.every(value => isAllowed(value, rule)))
      throw new SsmError('InvalidParameters', `the value of parameter ${name} is not allowed`)
  }
  for (const [name, rule] of Object.entries(declared))
    if (rule.default === undefined && given[name] === undefined)
      throw new SsmError('InvalidParameters', `parameter ${name} is required`)
}

function isAllowed(value: string, rule: z.infer<typeof parameterSchema>): boolean {
  if (rule.allowedPattern !== undefined && !new RegExp(rule.allowedPattern).test(value))
    return false
  return rule.allowedValues === undefined || rule.allowedValues.includes(value)
}

/** One pass of text substitution: an undeclared `{{x}}` stays, a StringList becomes its JSON. */
export function substituted(
  text: string,
  content: DocumentContent,
  given: ParameterValues,
): string {
  const declared = content.parameters ?? {}
  return text.replace(/\{\{\s*([A-Za-z0-9]+)\s*\}\}/g, (whole, name: string) => {
    const rule = declared[name]
    if (rule === undefined) return whole
    const value = given[name] ?? rule.default
    if (value === undefined) return 'null'
    if (typeof value === 'string') return value
    return rule.type === 'String' ? (value[0] ?? '') : JSON.stringify(value)
  })
}

/** Execution time-out of a step in seconds: 5..172 800, anything else is 3600. */
export function stepTimeoutSec(step: DocumentStep): number {
  const { timeoutSeconds } = step.inputs
  const text = `${timeoutSeconds ?? ''}`.trim()
  const value = /^\d+(\.\d+)?$/.test(text) ? Math.floor(Number(text)) : 0
  return value >= 5 && value <= 172_800 ? value : 3600
}

export function scriptOf(step: DocumentStep): string {
  const { runCommand } = step.inputs
  return typeof runCommand === 'string' ? runCommand : runCommand.join('\n')
}

/** Whether the step is for this platform; a step that is not is skipped. */
export function matchesPlatform(step: DocumentStep, platform: string): boolean {
  const operands = step.precondition?.['StringEquals']
  if (operands === undefined) return step.precondition === undefined
  const [left, right] = operands.map(word => (word === 'platformType' ? platform : word))
  return operands.length === 2 && left === right
}
