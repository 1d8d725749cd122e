/**
 * Prepared statements of one client, binary and text. The client knows ids of the proxy; each server
 * session has its own, made when a statement is first needed there. Source: proxy-protocol.md §6.3–6.5;
 * proxy-protocol-tried.md A14.
 */
import type { ServerSession } from '../backend/server-session.ts'
import type { Statement } from '../sql/classify.ts'
import { lengthAt } from '../wire/framing.ts'
import { HEADER_BYTES, MAX_PAYLOAD } from '../wire/protocol.ts'
import { malformed } from '../wire/reader.ts'
import { setStatementId } from '../wire/statement.ts'
import type { SessionMemory } from './memory.ts'

/** Command byte, id, flags, iteration count: what stands before the NULL bitmap of EXECUTE. */
const EXECUTE_HEAD_BYTES = 10
const TYPE_BYTES = 2
/** What a statement costs besides its text, here and with the servers that have it: part of the session's memory. */
const STATEMENT_BYTES = 512

export type Prepared = {
  readonly id: number
  /** COM_STMT_PREPARE payload, to prepare it elsewhere. */
  readonly payload: Uint8Array
  readonly meaning: Statement
  /** Of its text, once it was counted. */
  digest: { readonly high: number; readonly low: number } | undefined
  parameterCount: number
  /** Types as the client last sent them, two bytes a parameter. */
  types: Uint8Array | undefined
  /** Where long data was sent, until it is used. */
  longDataOn: ServerSession | undefined
  cursorOn: ServerSession | undefined
  /** ERR payload of a prepare that SEND_LONG_DATA needed: EXECUTE tells it. */
  longDataError: Uint8Array | undefined
}

/**
 * A text statement, in the client's character set, as no sql_mode escapes it; undefined: it was
 * deallocated, servers that have it must forget it.
 */
export type TextPrepared = {
  readonly statement: Uint8Array | undefined
  /** What executing it means. */
  readonly meaning: Statement | undefined
  readonly version: number
}

export type NamedText = { readonly name: string; readonly entry: TextPrepared }

export class Statements {
  private readonly memory: SessionMemory
  private binary: Map<number, Prepared> | undefined
  private texts: Map<string, TextPrepared> | undefined
  private lastId = 0
  private textVersion = 0

  constructor(memory: SessionMemory) {
    this.memory = memory
  }

  /** @throws session.memory */
  add(payload: Uint8Array, meaning: Statement): Prepared {
    this.memory.keep(payload.length + STATEMENT_BYTES)
    this.lastId = this.lastId >= 0x7fff_ffff ? 1 : this.lastId + 1
    const made: Prepared = {
      id: this.lastId,
      payload,
      meaning,
      digest: undefined,
      parameterCount: 0,
      types: undefined,
      longDataOn: undefined,
      cursorOn: undefined,
      longDataError: undefined,
    }
    this.binary ??= new Map()
    this.binary.set(made.id, made)
    return made
  }

  /** Nothing was ever prepared: servers then name another error. */
  hasNever = true

  get(id: number): Prepared | undefined {
    return this.binary?.get(id)
  }

  /** A PREPARE that failed takes no id, as on a server. */
  refused(prepared: Prepared): void {
    this.remove(prepared)
    if (prepared.id === this.lastId) this.lastId -= 1
  }

  remove(prepared: Prepared): void {
    if (this.binary?.delete(prepared.id) === true)
      this.memory.drop(prepared.payload.length + (prepared.types?.length ?? 0) + STATEMENT_BYTES)
  }

  text(name: string): TextPrepared | undefined {
    return this.texts?.get(name)
  }

  /** All that a text of several statements may execute. */
  allTexts(): readonly NamedText[] | undefined {
    return this.texts && [...this.texts].map(([name, entry]) => ({ name, entry }))
  }

  /** `statement` undefined: DEALLOCATE. */
  setText(
    name: string,
    statement: Uint8Array | undefined,
    meaning: Statement | undefined,
  ): TextPrepared {
    const before = this.texts?.get(name)
    const overhead = before === undefined ? name.length + STATEMENT_BYTES : 0
    this.memory.keep(overhead + (statement?.length ?? 0) - (before?.statement?.length ?? 0))
    this.texts ??= new Map()
    const made = { statement, meaning, version: ++this.textVersion }
    this.texts.set(name, made)
    this.hasNever = false
    return made
  }

  /** No server has it any more. */
  dropText(name: string): void {
    const before = this.texts?.get(name)
    if (before === undefined) return
    this.texts?.delete(name)
    this.memory.drop(name.length + STATEMENT_BYTES + (before.statement?.length ?? 0))
  }

  /** After RESET_CONNECTION and CHANGE_USER nothing is left; ids begin anew, as on a server. */
  clear(): void {
    this.binary = undefined
    this.texts = undefined
    this.lastId = 0
  }
}

/** How many bytes of an EXECUTE's payload must be there to read or add its parameter types. */
export function executeHeadBytes(parameterCount: number): number {
  if (parameterCount === 0) return EXECUTE_HEAD_BYTES
  return boundFlagAt(parameterCount) + 1 + parameterCount * TYPE_BYTES
}

/** The types that an EXECUTE brings, a view; undefined when it leaves them to an earlier one. */
export function typesIn(head: Uint8Array, parameterCount: number): Uint8Array | undefined {
  if (parameterCount === 0) return undefined
  const flag = HEADER_BYTES + boundFlagAt(parameterCount)
  const end = flag + 1 + parameterCount * TYPE_BYTES
  if (head[flag] !== 1) return undefined
  if (head.length < end) throw malformed('EXECUTE cut short')
  return head.subarray(flag + 1, end)
}

/**
 * The EXECUTE as a server takes it: its own id, written in place, and the types where it has never
 * seen them. Undefined when the types do not fit: the packet would become two.
 */
export function executeFor(
  head: Uint8Array,
  serverId: number,
  prepared: Prepared,
  hasTypes: boolean,
): Uint8Array | undefined {
  setStatementId(head, HEADER_BYTES, serverId)
  const { parameterCount, types } = prepared
  if (parameterCount === 0 || hasTypes || types === undefined) return head
  const flag = HEADER_BYTES + boundFlagAt(parameterCount)
  if (head[flag] !== 0) return head
  const length = lengthAt(head, 0) + types.length
  if (length >= MAX_PAYLOAD) return undefined
  const grown = new Uint8Array(head.length + types.length)
  grown.set(head.subarray(0, flag))
  grown[flag] = 1
  grown.set(types, flag + 1)
  grown.set(head.subarray(flag + 1), flag + 1 + types.length)
  grown[0] = length & 0xff
  grown[1] = (length >>> 8) & 0xff
  grown[2] = length >>> 16
  return grown
}

function boundFlagAt(parameterCount: number): number {
  return EXECUTE_HEAD_BYTES + ((parameterCount + 7) >> 3)
}
