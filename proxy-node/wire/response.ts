/**
 * Where a server's response ends, packet by packet, without decoding rows. OceanBase ends every
 * response to a proxy with one more OK; this tells what to forward, hold back and swallow.
 * Hot path: see the rules. Source: proxy-protocol.md §7.1–7.3, proxy-protocol-tried.md A17, A18.
 */
import { COMMAND, STATUS } from './protocol.ts'
import { malformed } from './reader.ts'

/** An OK's status is within its first 21 bytes, whatever its counts. */
const OPENING_BYTES = 24
/** An ERR's code ends at its third byte. */
const ERROR_HEAD_BYTES = 3
/** A payload of 0xFE that is this long begins a row or is an authentication switch, never an EOF. */
const EOF_LIMIT_BYTES = 9
/** Header byte, two counts, status, warnings. */
const OK_MIN_BYTES = 7
/** Header byte, statement id, two counts. */
const PREPARE_OK_MIN_BYTES = 9

/** What to do with the packet just shown. Numbers, because this runs for every row. */
export const ACTION = {
  /** Goes to the client as it is. */
  forward: 0,
  /** Goes to the client as it is; the response is complete. */
  forwardLast: 1,
  /** Must not reach the client before the OK that follows has been read. */
  hold: 2,
  /** The extra OK of a proxy connection: read it, do not forward it; the response is complete. */
  swallowLast: 3,
  /** The OK is the answer itself: read it, forward it rebuilt; the response is complete. */
  rewriteLast: 4,
  /** The server asks for a file (LOAD DATA LOCAL). */
  infile: 5,
  /** The OK of one of several results, with others to come: read it, forward it rebuilt. */
  rewrite: 6,
} as const

const PHASE = { first: 0, columns: 1, rows: 2, definitions: 3, awaitOk: 4 } as const

export class ResponseTracker {
  /** OceanBase appends an OK to each response of a proxy connection; MySQL does not. */
  readonly extraOk: boolean
  /** The server agreed to bit 9: its statistics, too, are followed by an OK. */
  private readonly statisticsOk: boolean
  private command = 0
  private phase: number = PHASE.first
  private definitionsLeft = 0
  /** Of the last ERR of this response, 0 if none. */
  errorCode = 0
  /** The response has a result set. */
  hasRows = false
  /** Status bits of the last EOF or OK that had any. */
  status = 0

  constructor(extraOk: boolean, statisticsOk = extraOk) {
    this.extraOk = extraOk
    this.statisticsOk = statisticsOk
  }

  /** True when only the OK after an ERR is missing: the client's part of the response is whole. */
  get isFailedAndWhole(): boolean {
    return this.phase === PHASE.awaitOk && this.errorCode !== 0
  }

  /** True where an ERR may take the place of what comes next: before anything, or among rows. */
  get takesError(): boolean {
    return this.phase === PHASE.first || this.phase === PHASE.rows || this.phase === PHASE.awaitOk
  }

  /** Begins the response to `command`. */
  begin(command: number): void {
    this.command = command
    this.definitionsLeft = 0
    this.errorCode = 0
    this.hasRows = false
    this.phase =
      command === COMMAND.stmtFetch || command === COMMAND.fieldList ? PHASE.rows : PHASE.first
  }

  /** How many bytes of a payload of `length` bytes `packet` must be able to see. */
  peek(length: number): number {
    if (this.phase === PHASE.first) return Math.min(length, OPENING_BYTES)
    return length < EOF_LIMIT_BYTES ? length : ERROR_HEAD_BYTES
  }

  /**
   * Judges the packet whose payload of `length` bytes begins at `at`; continuation packets of a
   * payload above 16 MiB must not be shown. @throws protocol.malformed when the extra OK is none.
   */
  packet(bytes: Uint8Array, at: number, length: number): number {
    const first = length > 0 ? (bytes[at] as number) : 0
    if (this.phase === PHASE.rows) return this.row(bytes, at, length, first)
    if (this.phase === PHASE.awaitOk) return this.extra(first, length)
    if (first === 0xff && length > 0) return this.failed(bytes, at, length)
    if (this.phase === PHASE.definitions) return this.definition()
    if (this.phase === PHASE.columns) return this.column(bytes, at, length, first)
    return this.opening(bytes, at, length, first)
  }

  private row(bytes: Uint8Array, at: number, length: number, first: number): number {
    if (first === 0xff) return this.failed(bytes, at, length)
    if (first !== 0xfe || length >= EOF_LIMIT_BYTES) return ACTION.forward
    this.status = statusOfEof(bytes, at, length)
    if ((this.status & STATUS.moreResults) === 0) return this.ended()
    this.phase = PHASE.first
    return ACTION.forward
  }

  private column(bytes: Uint8Array, at: number, length: number, first: number): number {
    if (first !== 0xfe || length >= EOF_LIMIT_BYTES) return ACTION.forward
    this.status = statusOfEof(bytes, at, length)
    const cursor = this.command === COMMAND.stmtExecute && (this.status & STATUS.cursorExists) !== 0
    if (cursor) return this.ended()
    this.phase = PHASE.rows
    return ACTION.forward
  }

  private opening(bytes: Uint8Array, at: number, length: number, first: number): number {
    if (this.command === COMMAND.stmtPrepare) return this.prepared(bytes, at, length)
    if (this.command === COMMAND.statistics)
      return this.statisticsOk ? this.ended() : ACTION.forwardLast
    if (first === 0x00) return this.ok(bytes, at, length)
    if (first === 0xfe) return ACTION.forwardLast
    if (first === 0xfb && this.command === COMMAND.query) return ACTION.infile
    this.phase = PHASE.columns
    this.hasRows = true
    return ACTION.forward
  }

  private ok(bytes: Uint8Array, at: number, length: number): number {
    if (length < OK_MIN_BYTES) throw malformed('OK packet cut short')
    this.status = statusOfOk(bytes, at, length)
    const isLast = (this.status & STATUS.moreResults) === 0
    if (!this.extraOk) return isLast ? ACTION.forwardLast : ACTION.forward
    return isLast ? ACTION.rewriteLast : ACTION.rewrite
  }

  private extra(first: number, length: number): number {
    if (first !== 0x00 || length < OK_MIN_BYTES) throw malformed('OK packet expected at the end')
    return ACTION.swallowLast
  }

  private prepared(bytes: Uint8Array, at: number, length: number): number {
    if (bytes[at] !== 0x00 || length < PREPARE_OK_MIN_BYTES) throw malformed('answer to PREPARE')
    const columns = (bytes[at + 5] ?? 0) | ((bytes[at + 6] ?? 0) << 8)
    const parameters = (bytes[at + 7] ?? 0) | ((bytes[at + 8] ?? 0) << 8)
    this.definitionsLeft = (parameters > 0 ? parameters + 1 : 0) + (columns > 0 ? columns + 1 : 0)
    if (this.definitionsLeft === 0) return this.ended()
    this.phase = PHASE.definitions
    return ACTION.forward
  }

  private definition(): number {
    this.definitionsLeft -= 1
    return this.definitionsLeft === 0 ? this.ended() : ACTION.forward
  }

  private failed(bytes: Uint8Array, at: number, length: number): number {
    if (length < ERROR_HEAD_BYTES) throw malformed('ERR packet cut short')
    this.errorCode = (bytes[at + 1] ?? 0) | ((bytes[at + 2] ?? 0) << 8)
    return this.ended()
  }

  private ended(): number {
    if (!this.extraOk) return ACTION.forwardLast
    this.phase = PHASE.awaitOk
    return ACTION.hold
  }
}

function statusOfEof(bytes: Uint8Array, at: number, length: number): number {
  return length < 5 ? 0 : (bytes[at + 3] as number) | ((bytes[at + 4] as number) << 8)
}

function statusOfOk(bytes: Uint8Array, at: number, length: number): number {
  const affectedEnd = at + 1 + lenencSize(bytes[at + 1] ?? 0)
  const statusAt = affectedEnd + lenencSize(bytes[affectedEnd] ?? 0)
  if (statusAt + 1 >= at + length) return 0
  return (bytes[statusAt] as number) | ((bytes[statusAt + 1] as number) << 8)
}

function lenencSize(first: number): number {
  if (first === 0xfc) return 3
  if (first === 0xfd) return 4
  return first === 0xfe ? 9 : 1
}
