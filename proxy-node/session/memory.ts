/**
 * What a client session is made of, whichever server runs its next statement: learned from OK packets
 * and extra info, never by parsing SET. Each change gets the next version; a server session that is
 * behind is brought up to it before it is used (`restore.ts`). What cannot be carried is a pin
 * (`pins.ts`). Source: proxy-protocol.md §4; proxy-protocol-tried.md A7–A11, A20.
 */
import { Fault } from '#contract/fault'
import type { Baseline, Baselines } from '../backend/baseline.ts'
import type { Delivered } from '../backend/delivered.ts'
import { lexerMode, nameMode } from '../sql/lexer-mode.ts'
import { isBareOk, type OkPacket, parseOk } from '../wire/ok.ts'
import { STATUS } from '../wire/protocol.ts'
import { mayMove, PINS } from './pins.ts'
import { isOn, isReplayable, isUsedUp, NEWS } from './system-variables.ts'
import { type Connection, userValue } from './user-values.ts'
import { isFeedback, UserVariables } from './user-variables.ts'
import { changedSince, type Versioned } from './versioned.ts'

/** What of a status word is the session's and not one answer's; bit 0x0020 is always set by OceanBase. */
const KEPT_STATUS = STATUS.inTransaction | STATUS.autocommit | STATUS.noBackslashEscapes | 0x0020

const NO_STATEMENTS: readonly string[] = []

const READ_CONSISTENCY = 'ob_read_consistency'
/** Extra-info blob of system variables (§3.3.1). */
export const SYSTEM_BLOB = 4

type LearnContext = {
  /** The OK followed an ERR. */
  readonly afterError: boolean
  /** The statement gave plain literals to user variables (`plain-set.ts`). */
  readonly isPlain: boolean
  readonly blobs: readonly (readonly [type: number, bytes: Uint8Array])[]
}

export class SessionMemory {
  status = 0
  /** Bits of `PINS`. */
  pins = 0
  /** Undefined: none selected. */
  schema: string | undefined
  /** The last statement was routed to a server that is not its table's leader. */
  missed = false
  /** Once it has changed rows, compacting zones are avoided (§7.5). */
  hasRunDml = false
  /** COM_QUERY payload of a BEGIN that no server has seen (§5.2). */
  heldBegin: Uint8Array | undefined
  /** Counts the changes; what a server session has is compared with it. */
  version = 1
  /** Versions of the last change of each kind. */
  systemVersion = 0
  /** The session has said how it reads, if only what it did before. */
  hasSetReadConsistency = false
  userVersion = 0
  blobVersion = 0
  /** How often COM_RESET_CONNECTION was done. */
  resets = 0
  /** COM_SET_OPTION of this session: 0 multi-statements on, as servers begin. */
  option = 0
  baseline: Baseline | undefined
  /** System variables that the session has whatever its client sets; undefined: none. */
  prescribed: ReadonlyMap<string, string> | undefined
  /** Statements of `init_sql` that have not run yet, in order. */
  initSql: readonly string[] = NO_STATEMENTS
  /** A server has told another value of what is prescribed. */
  private isDefied = false
  /** Full-link trace as a server made it (extra info 2003); relayed, never read. */
  fullTrace: Uint8Array | undefined
  private system: Map<string, Versioned<string>> | undefined
  /** Made when the first one is set: most sessions have none. */
  user: UserVariables | undefined
  private blobs: Map<number, Versioned<Uint8Array>> | undefined
  private mode = 0
  private consistency: string | undefined
  /** The system variables that `mode` and `consistency` were made of. */
  private modeVersion = -1
  /** Bytes of all the above and of statements; bounded by `client_max_memory_size`. */
  private bytes = 0
  readonly limitBytes: number

  constructor(limitBytes = 8 * 1024 * 1024) {
    this.limitBytes = limitBytes
  }

  get inTransaction(): boolean {
    return (this.status & STATUS.inTransaction) !== 0
  }

  /** True when a statement may run on another server without the client noticing. */
  get mayMove(): boolean {
    return mayMove(this.pins, this.status) || this.heldBegin !== undefined
  }

  /** The BEGIN that no server has seen is thrown away. */
  dropBegin(): void {
    this.heldBegin = undefined
    this.status &= ~STATUS.inTransaction
  }

  /** The session's value of a system variable, display text; undefined before login. */
  variable(name: string): string | undefined {
    return this.system?.get(name)?.value ?? this.baseline?.value(name)
  }

  /** A user variable that holds a text; the name in lower case. */
  userText(name: string): string | undefined {
    return this.user?.text(name)
  }

  /** A variable that counts seconds; `otherwise` where no server has told it. */
  seconds(name: string, otherwise: number): number {
    const value = Number(this.variable(name))
    return value >= 1 ? value : otherwise
  }

  /** Bits of LEXER_MODE: how statements of this session are read. */
  get lexerMode(): number {
    if (this.modeVersion !== this.systemVersion) this.learnMode()
    return this.mode
  }

  /** `ob_read_consistency`, as the server writes it. */
  get readConsistency(): string | undefined {
    if (this.modeVersion !== this.systemVersion) this.learnMode()
    return this.consistency
  }

  private learnMode(): void {
    this.consistency = this.variable('ob_read_consistency')
    this.mode =
      lexerMode(this.variable('sql_mode') ?? '', this.variable('character_set_client') ?? '') |
      nameMode(
        this.variable('lower_case_table_names') ?? '',
        this.variable('ob_compatibility_mode') ?? '',
      )
    this.modeVersion = this.systemVersion
  }

  /** In which character set and collation texts of this session are. */
  get connection(): Connection {
    return {
      client: this.variable('character_set_client') ?? 'utf8mb4',
      charset: this.variable('character_set_connection') ?? 'utf8mb4',
      collation: this.variable('collation_connection') ?? 'utf8mb4_general_ci',
      mode: this.lexerMode,
    }
  }

  /** System variables that changed after `version`. */
  systemSince(version: number): [string, string][] {
    return changedSince(this.system, version)
  }

  blobsSince(version: number): [number, Uint8Array][] {
    return changedSince(this.blobs, version)
  }

  /** Whether the blob of system variables says all that SET would (A10: it can be missing after an ERR). */
  get isSystemBlobWhole(): boolean {
    const blob = this.blobs?.get(SYSTEM_BLOB)
    return blob !== undefined && blob.version >= this.systemVersion
  }

  /** The current database is no more. */
  schemaGone(): void {
    this.schema = undefined
    this.version += 1
  }

  pin(bit: number): void {
    this.pins |= bit
  }

  /** @throws session.memory when the session would keep more than it may. */
  keep(bytes: number): void {
    this.bytes += bytes
    if (this.bytes > this.limitBytes) throw new Fault('session.memory', { bytes: this.limitBytes })
  }

  drop(bytes: number): void {
    this.bytes -= bytes
  }

  /** The client's own login: every variable is listed, none is a change of this session. */
  learnLogin(payload: Uint8Array, baselines: Baselines): OkPacket {
    this.baseline = baselines.of(payload)
    const ok = parseOk(payload)
    this.status = ok.status & KEPT_STATUS
    this.schema = ok.schema || undefined
    return ok
  }

  /** MySQL mode: nothing but the status is of interest. */
  learnStatus(payload: Uint8Array): OkPacket {
    const ok = parseOk(payload)
    this.status = ok.status & KEPT_STATUS
    return ok
  }

  /**
   * The OK that ended a response of a server session whose state is `delivered`, with the blobs that
   * came in its extra info. Undefined when it says nothing but its status. @throws session.memory
   */
  learn(
    payload: Uint8Array,
    delivered: Delivered,
    { afterError, isPlain, blobs }: LearnContext,
  ): OkPacket | undefined {
    this.missed = false
    const wasCurrent = this.isCurrent(delivered, afterError)
    const hadUser = delivered.user >= this.userVersion
    const ok = isBareOk(payload)
      ? undefined
      : this.learnState(parseOk(payload), afterError, isPlain)
    if (ok === undefined)
      this.status = ((payload[3] as number) | ((payload[4] as number) << 8)) & KEPT_STATUS
    // Behind the variables, so that a blob is known to say what this OK says (A10).
    // After an error inside a routine the blob has the routine's variables, not the session's.
    for (const [type, bytes] of blobs)
      if (!afterError || type !== SYSTEM_BLOB) this.learnBlob(type, bytes)
    if (ok?.schema !== undefined) delivered.schema = this.schema
    if (wasCurrent) this.delivered(delivered)
    // They do not travel as blobs: what may not have arrived is not theirs, and SET would clear warnings.
    else if (hadUser) delivered.user = this.version
    if (this.isDefied) this.insist()
    return ok
  }

  /** The session begins: it gets `values` and runs `initSql` before its first command on any server. */
  prescribe(values: ReadonlyMap<string, string>, initSql: readonly string[]): void {
    this.prescribed = values.size === 0 ? undefined : values
    this.initSql = initSql
    for (const [name, value] of values) this.keepSystem(name, value)
    // Every server session is behind now, so that what is to run is looked for.
    if (initSql.length > 0) this.version += 1
  }

  /** What is prescribed is set again, on every server. */
  private insist(): void {
    this.isDefied = false
    this.system ??= new Map()
    this.version += 1
    this.systemVersion = this.version
    for (const [name, value] of this.prescribed ?? [])
      this.system.set(name, { value, version: this.version })
  }

  /** Whether a server session had everything when its answer was made. */
  private isCurrent(delivered: Delivered, afterError: boolean): boolean {
    const { isBringing } = delivered
    if (!afterError) {
      this.broughtTo(delivered)
      return delivered.system >= this.systemVersion && delivered.blobs >= this.blobVersion
    }
    delivered.isBringing = false
    return !isBringing && delivered.all === this.version
  }

  /** A command that brought blobs succeeded. */
  broughtTo(delivered: Delivered): void {
    if (!delivered.isBringing) return
    delivered.isBringing = false
    delivered.blobs = this.blobVersion
  }

  /** A blob that came in extra info (§3.3.1); a later one of a type replaces an earlier one. */
  private learnBlob(type: number, bytes: Uint8Array): void {
    const before = this.blobs?.get(type)
    this.keep(bytes.length - (before?.value.length ?? 0))
    this.blobs ??= new Map()
    this.version += 1
    this.blobVersion = this.version
    this.blobs.set(type, { value: bytes, version: this.version })
  }

  /** A server session has everything as of now. */
  delivered(delivered: Delivered): void {
    delivered.schema = this.schema
    delivered.all = this.version
    delivered.system = this.version
    delivered.user = this.version
    delivered.blobs = this.version
  }

  /** COM_RESET_CONNECTION succeeded on one server; the others are reset before they are used. */
  reset(): void {
    this.resets += 1
    // Servers keep what COM_SET_OPTION set.
    const { option } = this
    this.forget()
    this.option = option
    this.status &= ~(STATUS.inTransaction | STATUS.noBackslashEscapes)
  }

  /** Another login took the place of the first: nothing of the old session is left. */
  forget(): void {
    this.fullTrace = undefined
    this.system = undefined
    this.user = undefined
    this.blobs = undefined
    this.heldBegin = undefined
    this.pins = 0
    this.option = 0
    this.bytes = 0
    this.hasSetReadConsistency = false
    this.hasRunDml = false
    this.prescribed = undefined
    this.initSql = NO_STATEMENTS
    this.modeVersion = -1
    this.version += 1
    this.systemVersion = 0
    this.userVersion = 0
    this.blobVersion = 0
  }

  private learnState(ok: OkPacket, afterError: boolean, isPlain: boolean): OkPacket {
    this.status = ok.status & KEPT_STATUS
    if (ok.schema !== undefined) this.learnSchema(ok.schema)
    for (const [name, value] of ok.systemVariables) this.learnSystem(name, value, afterError)
    for (const [name, literal] of ok.userVariables)
      if (!isFeedback(name)) this.learnUser(name, literal, isPlain)
    return ok
  }

  private learnSchema(schema: string): void {
    this.schema = schema || undefined
    this.version += 1
  }

  private learnSystem(name: string, value: string, afterError: boolean): void {
    const news = NEWS.get(name)
    if (news === 'transactionSet') this.setPin(PINS.nextTransaction.bit, isOn(value))
    else if (news === 'temporaryUsed') this.setPin(PINS.temporaryTables.bit, isOn(value))
    else if (news === 'partitionHit') this.missed = !afterError && !isOn(value)
    else if (isUsedUp(name)) {
      if (value !== '0') this.pin(PINS.usedUp.bit)
    } else if (news === undefined && isReplayable(name)) this.keepSystem(name, value)
  }

  private keepSystem(name: string, value: string): void {
    const before = this.system?.get(name)
    if (name === READ_CONSISTENCY) this.hasSetReadConsistency = true
    if ((this.prescribed?.get(name) ?? value) !== value) {
      this.isDefied = true
      return
    }
    if (before?.value === value) return
    if (before === undefined && this.baseline?.value(name) === value) return
    this.keep(value.length - (before === undefined ? -name.length : before.value.length))
    this.system ??= new Map()
    this.version += 1
    this.systemVersion = this.version
    // Set anew, so that the order of a replayed SET is the order of the changes.
    this.system.delete(name)
    this.system.set(name, { value, version: this.version })
  }

  private learnUser(name: string, given: Uint8Array, isPlain: boolean): void {
    const value = userValue(given, this.connection, isPlain)
    this.user ??= new UserVariables()
    this.keep(this.user.bytesMore(name, value))
    this.version += 1
    this.userVersion = this.version
    this.user.set(name, value, this.version)
  }

  setPin(bit: number, isOn: boolean): void {
    this.pins = isOn ? this.pins | bit : this.pins & ~bit
  }
}
