/**
 * Brings one server session up to its client's state before a command runs there: what is missing is
 * planned as commands, then they are run one after the other, their answers kept from the client.
 * Source: proxy-protocol.md §4.5, with the corrections of proxy-protocol-tried.md A7, A9, A10.
 */
import type { ServerSession } from '../backend/server-session.ts'
import { prepareText } from '../sql/text-prepare.ts'
import { buildRequestExtra, type RequestExtra } from '../wire/extra-info.ts'
import { parseOk } from '../wire/ok.ts'
import { COMMAND, HEADER_BYTES, OB20_CAPABILITY } from '../wire/protocol.ts'
import { parsePrepareOk } from '../wire/statement.ts'
import { packet, Writer } from '../wire/writer.ts'
import { setStatements } from './literals.ts'
import type { SessionMemory } from './memory.ts'
import type { NamedText, Prepared } from './statements.ts'
import { followsSchema, isReplayable } from './system-variables.ts'
import { ANSWER_VARIABLE, answeredValues, questionOf, setUserStatements } from './user-values.ts'

/** What the command needs besides the session's state. */
export type Needs = {
  readonly prepared: Prepared | undefined
  readonly texts: readonly NamedText[] | undefined
  /** One that cannot be prepared now is left out: the server says so if it is executed. */
  readonly mayLackTexts: boolean
}

export type StepKind =
  | 'reset'
  | 'database'
  | 'system'
  | 'user'
  | 'option'
  | 'init'
  | 'begin'
  | 'prepare'
  | 'text'

type Step = {
  readonly kind: StepKind
  /** Payload with its command byte. */
  readonly payload: Uint8Array
  readonly text: NamedText | undefined
}

const utf8 = new TextEncoder()
/** Names of databases are read by servers in these, also by INIT_DB (tried). */
const CHARSETS = ['character_set_client', 'character_set_connection', 'collation_connection']
const IN_UTF8 = 'SET character_set_client = utf8mb4, character_set_connection = utf8mb4'
const NOT_ASCII = /[^\0-\x7f]/
/** How the OK of a BEGIN is learned. */
const PLAIN = { afterError: false, isPlain: false, blobs: [] } as const

/** True when the command can be sent as it is: a few comparisons, for every command. */
export function isUpToDate(
  memory: SessionMemory,
  server: ServerSession,
  { prepared, texts }: Needs,
): boolean {
  const { delivered } = server
  return (
    delivered.all === memory.version &&
    delivered.resets === memory.resets &&
    delivered.option === memory.option &&
    memory.heldBegin === undefined &&
    (prepared === undefined || delivered.serverStatement(prepared.id) !== undefined) &&
    (texts === undefined ||
      texts.every(({ name, entry }) => delivered.texts?.get(name) === entry.version))
  )
}

/** The commands that are missing on `server`, in the order they must run. */
export function missingSteps(memory: SessionMemory, server: ServerSession, needs: Needs): Step[] {
  const { delivered } = server
  const steps: Step[] = []
  const add = (kind: StepKind, payload: Uint8Array) =>
    steps.push({ kind, payload, text: undefined })
  if (delivered.resets !== memory.resets) {
    add('reset', Uint8Array.of(COMMAND.resetConnection))
    delivered.wasReset(memory.resets)
  }
  const schema = memory.schema === delivered.schema ? undefined : memory.schema
  if (isForeign(schema)) add('system', command(COMMAND.query, utf8.encode(IN_UTF8)))
  if (schema !== undefined) add('database', command(COMMAND.initDb, utf8.encode(schema)))
  if (memory.option !== delivered.option)
    add('option', Uint8Array.of(COMMAND.setOption, memory.option, 0))
  for (const text of systemTexts(memory, server)) add('system', command(COMMAND.query, text))
  for (const text of charsetTexts(memory, schema)) add('system', command(COMMAND.query, text))
  if (memory.userVersion > delivered.user) {
    const changed = memory.user?.since(delivered.user) ?? []
    const users = setUserStatements(changed, memory.connection)
    for (const text of users) add('user', command(COMMAND.query, text))
  }
  for (const sql of memory.initSql) add('init', command(COMMAND.query, utf8.encode(sql)))
  if (memory.heldBegin !== undefined) add('begin', memory.heldBegin)
  addPrepared(steps, server, needs)
  for (const text of needs.texts ?? []) addText(steps, memory, server, text)
  return steps
}

function isForeign(schema: string | undefined): boolean {
  return schema !== undefined && NOT_ASCII.test(schema)
}

/** The character sets that were changed for the name of a database. */
function charsetTexts(memory: SessionMemory, schema: string | undefined): readonly Uint8Array[] {
  if (!isForeign(schema)) return []
  return setStatements(
    CHARSETS.flatMap(name => {
      const value = memory.variable(name)
      return value === undefined ? [] : [[name, value] as const]
    }),
  )
}

/** System variables as SET, and what this server's tenant began with otherwise than the client's. */
function systemTexts(memory: SessionMemory, server: ServerSession): readonly Uint8Array[] {
  const { delivered } = server
  const changed =
    memory.systemVersion > delivered.system ? memory.systemSince(delivered.system) : []
  const others =
    delivered.system === 0 && server.baseline !== undefined
      ? (memory.baseline?.against(server.baseline) ?? [])
      : []
  // A blob arrives beside INIT_DB, which then changes what follows the database.
  if (takesBlob(memory, server) && others.length === 0)
    return setStatements(changed.filter(([name]) => followsSchema(name)))
  const own = new Set(changed.map(([name]) => name))
  const differing = others.filter(([name]) => !own.has(name) && isReplayable(name))
  return setStatements([...differing, ...changed])
}

/** The server takes system variables as a blob beside the command, and the blob says all of them. */
function takesBlob(memory: SessionMemory, server: ServerSession): boolean {
  const isAgreed = (server.capabilities & OB20_CAPABILITY.sessionVariableSync) !== 0
  return server.isOb20 && isAgreed && memory.isSystemBlobWhole
}

/** Extra info of the next command on `server`: what of the session it lacks, and once whose it is. */
export function stateFor(
  memory: SessionMemory,
  server: ServerSession,
  clientAddress: string,
): RequestExtra | undefined {
  const { delivered } = server
  const isTraced = memory.fullTrace === delivered.fullTrace
  if (delivered.blobs >= memory.blobVersion && delivered.toldClient && isTraced) return undefined
  delivered.fullTrace = memory.fullTrace
  const sessionState = memory.blobsSince(delivered.blobs)
  const told = delivered.toldClient ? undefined : clientAddress
  delivered.toldClient = true
  delivered.isBringing = sessionState.length > 0
  return buildRequestExtra({ clientAddress: told, sessionState, fullTrace: memory.fullTrace })
}

function addPrepared(steps: Step[], server: ServerSession, { prepared }: Needs): void {
  if (prepared !== undefined && server.delivered.serverStatement(prepared.id) === undefined)
    steps.push({ kind: 'prepare', payload: prepared.payload, text: undefined })
}

/** Written for the sql_mode that is in force now: it may be another than when the client prepared. */
function addText(
  steps: Step[],
  memory: SessionMemory,
  { delivered }: ServerSession,
  text: NamedText,
): void {
  const { name, entry } = text
  const has = delivered.texts?.get(name)
  if (has === entry.version) return
  if (entry.statement !== undefined) {
    const sql = prepareText(name, entry.statement, memory.lexerMode)
    steps.push({ kind: 'text', payload: command(COMMAND.query, sql), text })
  } else if (has !== undefined) {
    const sql = utf8.encode(`DEALLOCATE PREPARE \`${name.replaceAll('`', '``')}\``)
    steps.push({ kind: 'text', payload: command(COMMAND.query, sql), text })
  }
}

export type RestoreOwner = {
  /** The server session has everything. */
  readonly restored: (server: ServerSession) => void
  /** A step was refused: payload of the server's ERR. */
  readonly notRestored: (server: ServerSession, step: StepKind, error: Uint8Array) => void
  /** The server of user variables did not tell what they are. */
  readonly unknowable: () => void
}

/** Runs the steps on one server session at a time. */
export class Restorer {
  private readonly memory: SessionMemory
  private readonly client: { readonly clientIp: string }
  private readonly owner: RestoreOwner
  private steps: Step[] = []
  private needs: Needs | undefined
  private error: Uint8Array | undefined
  private serverId = 0
  /** The session that is being restored. */
  server: ServerSession | undefined
  /** The one that is asked about user variables before. */
  private asked: ServerSession | undefined

  /** The session whose answer is waited for. */
  get waitsFor(): ServerSession | undefined {
    return this.asked ?? this.server
  }

  constructor(memory: SessionMemory, client: { readonly clientIp: string }, owner: RestoreOwner) {
    this.memory = memory
    this.client = client
    this.owner = owner
  }

  /** `source` has user variables of which more must be known than its OKs told. */
  start(server: ServerSession, needs: Needs, source: ServerSession | undefined): void {
    this.server = server
    this.needs = needs
    if (source === undefined) {
      this.bring(server, needs)
      return
    }
    this.asked = source
    source.begin(COMMAND.query)
    const question = questionOf(this.memory.user?.guessed() ?? [])
    source.write(packet(0, command(COMMAND.query, question)), true)
  }

  private bring(server: ServerSession, needs: Needs): void {
    this.steps = missingSteps(this.memory, server, needs)
    this.next()
  }

  /** The session that was asked has answered, or is gone: then there is nothing to know any more. */
  answered(ok: Uint8Array | undefined): void {
    const { memory, server, needs } = this
    const answer = ok === undefined ? undefined : parseOk(ok).userVariables.get(ANSWER_VARIABLE)
    const values = answeredValues(memory.user?.guessed() ?? [], answer)
    this.asked = undefined
    this.error = undefined
    memory.user?.noMoreGuesses(values ?? [])
    if (server === undefined || needs === undefined) return
    if (values !== undefined) this.bring(server, needs)
    else {
      this.stop()
      this.owner.unknowable()
    }
  }

  /** Whether `server` was asked, and its answer will not come. */
  lostAsked(server: ServerSession): void {
    if (server === this.asked) this.answered(undefined)
  }

  /** Bytes of a step's answer. */
  forward(bytes: Uint8Array): void {
    const payload = bytes.subarray(HEADER_BYTES)
    if (payload[0] === 0xff) this.error = payload.slice()
    else if (this.steps[0]?.kind === 'prepare' && this.serverId === 0 && payload[0] === 0)
      this.serverId = parsePrepareOk(payload).statementId
  }

  /** A step's answer is complete; its OK says nothing new of the client's session but its status. */
  finished(server: ServerSession, ok: Uint8Array | undefined): void {
    if (server === this.asked) {
      this.answered(ok)
      return
    }
    const step = this.steps.shift()
    if (step === undefined || server !== this.server) return
    const { error, memory } = this
    const isLeftOut = step.kind === 'text' && this.needs?.mayLackTexts === true
    if (server.tracker.errorCode !== 0 && !isLeftOut) {
      this.stop()
      this.owner.notRestored(server, step.kind, error ?? new Uint8Array(0))
      return
    }
    memory.broughtTo(server.delivered)
    if (server.tracker.errorCode === 0) this.took(server, step, ok)
    this.error = undefined
    this.next()
  }

  /** Forgets what was under way; an answer that nobody waits for would be taken for another's. */
  stop(): void {
    this.asked?.drop()
    this.asked = undefined
    this.server = undefined
    this.steps = []
    this.error = undefined
    this.serverId = 0
  }

  private took(server: ServerSession, step: Step, ok: Uint8Array | undefined): void {
    const { memory, needs } = this
    const { delivered } = server
    if (step.kind === 'database') delivered.schema = memory.schema
    else if (step.kind === 'option') delivered.option = memory.option
    else if (step.kind === 'init') {
      memory.initSql = memory.initSql.slice(1)
      if (ok !== undefined) memory.learn(ok, delivered, PLAIN)
    } else if (step.kind === 'begin') {
      memory.heldBegin = undefined
      if (ok !== undefined) memory.learn(ok, delivered, PLAIN)
    } else if (step.kind === 'prepare' && needs?.prepared !== undefined) {
      delivered.prepared(needs.prepared.id, this.serverId)
      this.serverId = 0
    } else if (step.text !== undefined) delivered.tookText(step.text.name, step.text.entry.version)
  }

  private next(): void {
    const { server, memory } = this
    const [step] = this.steps
    if (server === undefined) return
    if (step === undefined) {
      this.stop()
      server.delivered.system = Math.max(server.delivered.system, memory.version)
      server.delivered.user = memory.version
      if (server.delivered.blobs >= memory.blobVersion) server.delivered.all = memory.version
      this.owner.restored(server)
      return
    }
    server.begin(step.payload[0] as number)
    // A reset takes away what comes with it.
    if (server.isOb20 && step.kind !== 'reset')
      server.bring(stateFor(memory, server, this.client.clientIp), 0)
    server.write(packet(0, step.payload), true)
  }
}

function command(code: number, body: Uint8Array): Uint8Array {
  return new Writer(body.length + 1).u8(code).raw(body).payload()
}
