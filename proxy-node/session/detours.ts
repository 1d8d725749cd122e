/**
 * Statements that are routed by another text than their own: CALL by its routine's first statement, and
 * what a comment says of table and key. Source: proxy-routing.md §4.5, §5.4.
 */
import { classify, type Statement } from '../sql/classify.ts'
import type { SimpleRoute } from '../sql/directives.ts'
import { RoutineCall } from '../sql/routine-call.ts'
import { boundStatement } from '../sql/routine-text.ts'
import type { TablePartitions } from '../topology/partition/table-partitions.ts'

/** A text and what it means. */
export type Detour = { readonly bytes: Uint8Array; readonly meaning: Statement }

/** Where a call stands. */
export type CallText = {
  readonly bytes: Uint8Array
  /** Of the CALL. */
  readonly from: number
  /** Bits of LEXER_MODE. */
  readonly mode: number
}

const STAR = 0x2a

export class Detours {
  private readonly call = new RoutineCall()

  /** The routine that is called: its database, if it is named, and its name; undefined for none. */
  routine(
    text: CallText,
  ): { readonly database: string | undefined; readonly name: string } | undefined {
    if (!this.read(text)) return undefined
    const { names } = this.call
    const name = names.at(-1)
    return name === undefined || names.length > 2
      ? undefined
      : { database: names.length === 2 ? names[0] : undefined, name }
  }

  /** The routine's first statement `sql`, for this call of it. */
  ofCall(text: CallText, sql: string): Detour | undefined {
    const bytes = sql !== '' && this.read(text) ? boundStatement(sql, this.call) : undefined
    if (bytes === undefined) return undefined
    return { bytes, meaning: classify(bytes, 0, bytes.length, text.mode) }
  }

  private read({ bytes, from, mode }: CallText): boolean {
    return this.call.read({ bytes, to: bytes.length, mode, isCut: false }, from)
  }
}

/** A statement that finds the key of the comment in a table with one level of partitions. */
export function ofComment({ key }: SimpleRoute, partitions: TablePartitions): Detour | undefined {
  const [slot] = partitions.slots
  if (slot === undefined || partitions.columns.size !== 1) return undefined
  const sql = `SELECT 1 FROM t WHERE ${quotedName(slot.name)} = '${key.replaceAll("'", "''")}'`
  const bytes = Buffer.from(sql)
  return { bytes, meaning: classify(bytes, 0, bytes.length) }
}

/** What is of interest to the proxy alone does not make another statement of it for servers' plan caches. */
export function hideComment({ tableFrom, tableTo, keyFrom, keyTo }: SimpleRoute, head: Uint8Array) {
  head.fill(STAR, tableFrom, tableTo)
  head.fill(STAR, keyFrom, keyTo)
}

function quotedName(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``
}
