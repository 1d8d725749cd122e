/**
 * Prepared statements of one connection as texts: what an execution would be if it were written out,
 * for an engine that can only be asked about texts.
 */
import type { Cell } from './codec.ts'
import { readExecution } from './scripted/binary.ts'

type Prepared = {
  readonly sql: string
  readonly parameters: number
  types: readonly number[] | undefined
}

const MAX_PREPARED = 1_000
const NO_LONG: ReadonlyMap<number, string> = new Map()
/** Quoted texts and names, comments, and the question marks outside of them. */
const PARTS = /'(?:[^'\\]|''|\\[\s\S])*'|"(?:[^"\\]|""|\\[\s\S])*"|`[^`]*`|\/\*[\s\S]*?\*\/|\?/g

export class PreparedTexts {
  private readonly all = new Map<number, Prepared>()

  prepared(id: number, sql: string, parameters: number): void {
    if (this.all.size < MAX_PREPARED) this.all.set(id, { sql, parameters, types: undefined })
  }

  closed(id: number): void {
    this.all.delete(id)
  }

  /** Undefined for what is not known. @throws SqlError, MalformedPacket for what cannot be read */
  textOf(execution: Buffer): string | undefined {
    const found = this.all.get(execution.readUInt32LE(1))
    if (found === undefined) return undefined
    const known = { types: found.types, long: NO_LONG }
    const { types, values } = readExecution(execution, found.parameters, known)
    found.types = types
    let at = 0
    return found.sql.replace(PARTS, part => (part === '?' ? literal(values[at++] ?? null) : part))
  }
}

function literal(value: Cell): string {
  if (value === null) return 'NULL'
  if (typeof value === 'number') return String(value)
  return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`
}
