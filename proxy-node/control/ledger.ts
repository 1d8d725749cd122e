/**
 * Results of the latest steps by (operation, step, attempt): Run Command delivers twice, and the
 * second delivery must return the first one's result instead of acting again (N7). Durable before
 * the answer leaves, bounded in number.
 */
import { renameSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { type OrderEntry, type VerbResult, verbResultSchema } from '#contract/command'
import { errorCode, readIfThere, writeDurably } from './durable-file.ts'
import type { Paths } from './paths.ts'

const LEDGER_SCHEMA = 1
/** At 2,000 bytes a result about 250 KB; operations of one node within a day are a handful. */
const MAX_ENTRIES = 128

const ledgerSchema = z.object({
  schema: z.int().min(0).max(LEDGER_SCHEMA),
  entries: z.array(z.object({ key: z.string(), at: z.int(), result: verbResultSchema })),
})

type Ledger = z.infer<typeof ledgerSchema>

export type StepKey = Pick<OrderEntry, 'operationId' | 'step' | 'attempt'>

/** Verbs that only look: no fence stops them, and they wait for nobody and hold nobody up. */
export const LOOKS = ['probe', 'diagnose', 'collect-logs'] as const

/** Whose steps: of verbs that change the node, or of one of those that only look. Each has one writer. */
export type Shelf = 'ledger' | (typeof LOOKS)[number]

/** The stored result of this very step, marked as replayed. */
export function storedResult(
  paths: Paths,
  step: StepKey,
  shelf: Shelf = 'ledger',
): VerbResult | undefined {
  const { entries } = read(paths, shelf)
  const found = entries.findLast(({ key }) => key === keyOf(step))
  return found === undefined ? undefined : { ...found.result, replayed: true }
}

/** Returns when the result is on disk. @throws node.not-written */
export function storeResult(
  { paths, shelf = 'ledger' }: { readonly paths: Paths; readonly shelf?: Shelf },
  step: StepKey,
  result: VerbResult,
  now: number,
): void {
  const entries = read(paths, shelf).entries.filter(({ key }) => key !== keyOf(step))
  const kept = [...entries, { key: keyOf(step), at: now, result }].slice(-MAX_ENTRIES)
  const text = JSON.stringify({ schema: LEDGER_SCHEMA, entries: kept })
  writeDurably(fileOf(paths, shelf), `${text}\n`)
}

/** The last steps that changed the node, or tried to, the newest last. */
export function latestSteps(
  paths: Paths,
  count: number,
): readonly { readonly at: number; readonly result: VerbResult }[] {
  return read(paths, 'ledger').entries.slice(-count)
}

/** A damaged ledger is set aside: verbs are idempotent, so a forgotten result only costs time. */
function read(paths: Paths, shelf: Shelf): Ledger {
  const file = fileOf(paths, shelf)
  try {
    const text = readIfThere(file)
    return text === undefined
      ? { schema: LEDGER_SCHEMA, entries: [] }
      : ledgerSchema.parse(JSON.parse(text))
  } catch (error) {
    if (errorCode(error) !== '') throw error
    renameSync(file, `${file}.damaged`)
    return { schema: LEDGER_SCHEMA, entries: [] }
  }
}

function keyOf({ operationId, step, attempt }: StepKey): string {
  return JSON.stringify([operationId, step, attempt])
}

function fileOf(paths: Paths, shelf: Shelf): string {
  return join(paths.state, shelf === 'ledger' ? 'ledger.json' : `looks-${shelf}.json`)
}
