/**
 * Answers of one session as packets: results, OKs and errors, with the OK that a proxy gets behind
 * them and the session state that goes with it. Results are written as the reader takes them.
 * Source: proxy-protocol.md §7.1–7.3, proxy-protocol-tried.md A17, A18.
 */
import {
  type Cell,
  columnPacket,
  eofPacket,
  errorPacket,
  lenenc,
  okPacket,
  schemaChange,
} from '../codec.ts'
import type { Answer } from './answer.ts'
import type { Reply } from './replies.ts'
import type { Result, ResultColumn } from './select.ts'
import type { Session } from './session.ts'
import type { SessionInfo } from './session-info.ts'
import type { SqlError } from './sql-error.ts'

export const MORE_RESULTS = 0x0008
export const CURSOR_EXISTS = 0x0040
export const LAST_ROW_SENT = 0x0080
/** Set in every OK, in no EOF. */
const ALWAYS_IN_OK = 0x0020

export type ToRow = (row: readonly Cell[], columns: readonly ResultColumn[]) => Buffer

type Counts = { readonly affectedRows: number; readonly lastInsertId: number }

const NOTHING: Counts = { affectedRows: 0, lastInsertId: 0 }

export class Answers {
  private readonly session: Session
  private readonly info: SessionInfo
  private readonly isProxy: boolean

  constructor(session: Session, info: SessionInfo, isProxy: boolean) {
    this.session = session
    this.info = info
    this.isProxy = isProxy
  }

  /** `more` is MORE_RESULTS when another result follows, else 0. */
  async write(reply: Reply, answer: Answer, { toRow, more }: { toRow: ToRow; more: number }) {
    switch (answer.kind) {
      case 'ok':
        this.session.rowCount = answer.affectedRows
        this.okInside(reply, answer, more)
        break
      case 'rows':
        await this.rows(reply, answer.result, { toRow, more })
        break
      case 'results':
        for await (const result of answer.results)
          await this.rows(reply, result, { toRow, more: MORE_RESULTS })
        this.session.rowCount = 0
        this.okInside(reply, NOTHING, more)
        break
      case 'file':
        reply.add(Buffer.from(`\xfb${answer.load.file}`, 'latin1'), this.info.first())
        break
    }
  }

  private okInside(reply: Reply, counts: Counts, more: number): void {
    if (more === 0) this.ok(reply, counts)
    else reply.add(okPacket({ ...counts, status: this.session.status | more, changes: [] }))
  }

  /** The OK that ends a response. */
  ok(reply: Reply, counts: Counts = NOTHING): void {
    const changes = this.isProxy ? this.takeChanges() : []
    const { status } = this.session
    const info = [...this.info.feedback(), ...this.info.last(false)]
    reply.add(okPacket({ ...counts, status, changes }), info)
  }

  /** ERR and, for a proxy, its OK. */
  fail(reply: Reply, error: SqlError): void {
    this.session.rowCount = -1
    this.session.warnings = [['Error', error.errno, error.message]]
    reply.add(errorPacket(error.errno, error.state, error.message), this.info.first())
    this.extraOk(reply, { isError: true, flags: 0 })
  }

  async rows(
    reply: Reply,
    { columns, rows, found }: Result,
    { toRow, more }: { readonly toRow: ToRow; readonly more: number },
  ): Promise<void> {
    this.definitions(reply, columns, more)
    let count = 0
    for (const row of rows) {
      reply.add(toRow(row, columns))
      count += 1
      if (!reply.isFull) continue
      await reply.flush()
      this.session.stayAlive()
    }
    this.session.foundRows = found ?? count
    this.session.rowCount = -1
    const status = (this.session.status | more) & ~ALWAYS_IN_OK
    reply.add(eofPacket(status), more === 0 ? this.info.feedback() : [])
    if (more === 0) this.extraOk(reply, { isError: false, flags: 0 })
  }

  /** The number of columns, each, and the EOF behind them. */
  definitions(reply: Reply, columns: readonly ResultColumn[], flags: number): void {
    reply.add(lenenc(columns.length), this.info.first())
    for (const { name, type } of columns) reply.add(columnPacket(name, type))
    reply.add(this.eof(flags))
  }

  eof(flags: number): Buffer {
    return eofPacket((this.session.status | flags) & ~ALWAYS_IN_OK)
  }

  /** Only a proxy gets it. */
  extraOk(reply: Reply, how: { readonly isError: boolean; readonly flags: number }): void {
    if (!this.isProxy) return
    const status = this.session.status | how.flags
    const info = [...this.info.feedback(), ...this.info.last(how.isError)]
    reply.add(okPacket({ ...NOTHING, status, changes: this.takeChanges() }), info)
  }

  private takeChanges(): readonly Buffer[] {
    const { session } = this
    const changes = [...session.variables.takeChanges()]
    if (session.isDatabaseChanged) changes.push(schemaChange(session.database ?? ''))
    session.isDatabaseChanged = false
    return changes
  }
}
