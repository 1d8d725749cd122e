/**
 * What the node remembers, `/var/lib/obfleet/node.json`: what it should be, written before a verb
 * acts, and the highest fence it has seen, which outlives every node on this host (PL1). No secrets.
 */
import { join } from 'node:path'
import { z } from 'zod'
import { Fault } from '#contract/fault'
import { type DesiredNode, desiredNodeSchema, NODE_STATE_SCHEMA } from '#contract/node-state'
import { readIfThere, reasonOf, writeDurably } from './durable-file.ts'
import type { Paths } from './paths.ts'

const memorySchema = z.object({
  schema: z.int().min(0).max(NODE_STATE_SCHEMA),
  fence: z.int().min(0),
  lastOperationId: z.string().nullable(),
  desired: desiredNodeSchema.nullable(),
  /** Version of the parameters that the proxy has, not of those it should have. */
  parameterVersion: z.int().nullable(),
  /** Names that were set here: one that is desired no more goes back to its default. */
  parameterNames: z.array(z.string()),
})

export type NodeMemory = z.infer<typeof memorySchema>

export const EMPTY_MEMORY: NodeMemory = {
  schema: NODE_STATE_SCHEMA,
  fence: 0,
  lastOperationId: null,
  desired: null,
  parameterVersion: null,
  parameterNames: [],
}

/** @throws node.state-damaged: without the fence no order may be trusted. */
export function readMemory(paths: Paths): NodeMemory {
  const file = fileOf(paths)
  try {
    const text = readIfThere(file)
    return text === undefined ? EMPTY_MEMORY : memorySchema.parse(JSON.parse(text))
  } catch (error) {
    const reason = error instanceof z.ZodError ? placeOf(error) : reasonOf(error)
    throw new Fault('node.state-damaged', { file, reason }, { cause: error })
  }
}

/** @throws node.not-written */
export function writeMemory(paths: Paths, memory: NodeMemory): void {
  writeDurably(fileOf(paths), `${JSON.stringify({ ...memory, schema: NODE_STATE_SCHEMA })}\n`)
}

/** What this host should be. @throws order.incomplete when it was never told. */
export function desiredOf({ desired }: NodeMemory, verb: string): DesiredNode {
  if (desired === null) throw new Fault('order.incomplete', { verb, part: 'desired state' })
  return desired
}

/** Where the first violation is, without the value. */
export function placeOf({ issues }: z.ZodError): string {
  const [issue] = issues
  return `${issue?.path.join('.') || 'document'}: ${issue?.message ?? 'invalid'}`
}

function fileOf(paths: Paths): string {
  return join(paths.state, 'node.json')
}
