/**
 * What is known of a session's state on its server, learned from OK packets and never by parsing
 * SET. Until state can be replayed elsewhere, a session that has any stays on its server.
 */
import { type OkPacket, parseOk } from '../wire/ok.ts'
import { STATUS } from '../wire/protocol.ts'

/** Changes that say something about a statement, not about the session (proxy-protocol-tried.md A8, A20, C1). */
const PASSING =
  /^(ob_proxy_|ob_last_schema_version$|ob_statement_trace_id$|ob_enable_transmission_checksum$|_nlj_batching_enabled$|timestamp$)/

/** Follow from the current database, which is restored by INIT_DB. */
const FOLLOWS_SCHEMA = /^(character_set|collation)_database$/

export class SessionMemory {
  status = 0
  /** Undefined: none selected. */
  schema: string | undefined
  /** Why the session must stay on its server for good, empty when it may move. */
  pinned = ''
  /** SET TRANSACTION waits for the transaction it is meant for (A8). */
  private hasTransactionSet = false
  /** The last statement was routed to a server that is not its table's leader. */
  missed = false

  get inTransaction(): boolean {
    return (this.status & STATUS.inTransaction) !== 0
  }

  /** True when a statement may run on another server. */
  get mayMove(): boolean {
    return this.pinned === '' && !this.inTransaction && !this.hasTransactionSet
  }

  /** Stays on its server for good; the first reason is kept. */
  pin(reason: string): void {
    if (this.pinned === '') this.pinned = reason
  }

  /** The login OK: every variable is listed, none is a change of this session. */
  learnLogin(payload: Uint8Array): OkPacket {
    const ok = parseOk(payload)
    this.status = ok.status
    if (ok.schema !== undefined) this.schema = ok.schema === '' ? undefined : ok.schema
    return ok
  }

  /** The OK that ended a response. `afterError` is true when it followed an ERR. */
  learn(payload: Uint8Array, afterError: boolean): OkPacket | undefined {
    this.missed = false
    if (this.isPlain(payload)) {
      this.status = (payload[3] as number) | ((payload[4] as number) << 8)
      return undefined
    }
    const ok = parseOk(payload)
    this.status = ok.status
    if (ok.schema !== undefined) this.schema = ok.schema === '' ? undefined : ok.schema
    if (ok.userVariables.size > 0) this.pin('user variables')
    for (const name of ok.systemVariables.keys())
      if (!PASSING.test(name) && !FOLLOWS_SCHEMA.test(name)) this.pin(`variable ${name}`)
    const isSet = ok.systemVariables.get('ob_proxy_set_trx_executed')
    if (isSet !== undefined) this.hasTransactionSet = isSet === 'ON' || isSet === '1'
    const hit = ok.systemVariables.get('ob_proxy_partition_hit')
    this.missed = !afterError && (hit === '0' || hit === 'OFF')
    return ok
  }

  /** No rows, no insert id, no state: the usual end of a result set, read without allocation. */
  private isPlain(payload: Uint8Array): boolean {
    return payload[1] === 0 && payload[2] === 0 && ((payload[4] as number) & 0x40) === 0
  }
}
