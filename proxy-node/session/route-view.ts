/**
 * What a decision looks at, filled from a client session for the statement at hand. One a worker: it
 * is good until the next statement of any session is looked at, and makes nothing.
 * Source: proxy-routing.md §2, §7.1–7.3, §8.1. Hot path: see the rules.
 */
import type { ServerSession } from '../backend/server-session.ts'
import type { Clock } from '../base/clock.ts'
import { parseTargets } from '../routing/forced.ts'
import { chosenIdc, type Ldc } from '../routing/ldc.ts'
import { type FollowerPolicy, followerPolicy } from '../routing/orders.ts'
import type { StaleReplicas } from '../routing/stale-replicas.ts'
import type {
  Command,
  RouteView,
  RoutingSettings,
  ServerGroups,
  SessionView,
  StatementView,
  Trace,
} from '../routing/view.ts'
import { NO_STATEMENT, type Statement } from '../sql/classify.ts'
import { FLAG } from '../sql/words.ts'
import type { Place } from '../topology/location-view.ts'
import type {
  ClusterPicture,
  KeyedServer,
  PartitionLocation,
  Tenant,
  TenantServers,
  Verdicts,
} from '../topology/model.ts'
import { STATUS } from '../wire/protocol.ts'
import type { SessionMemory } from './memory.ts'
import type { ClusterView, SessionSettings } from './ports.ts'

const SESSIONAL: Readonly<Partial<Record<Statement['verb'], true>>> = {
  set: true,
  use: true,
  show: true,
  query: true,
}

/** Values of `ob_read_consistency`; servers tell them as numbers or as words. */
const CONSISTENCIES: Readonly<Record<string, SessionView['readConsistency']>> = {
  '1': 'frozen',
  '2': 'weak',
  FROZEN: 'frozen',
  WEAK: 'weak',
}

/** Who asks, and what for. */
export type Asker = {
  readonly memory: SessionMemory
  readonly tenant: string
  /** Its own, as of now. */
  readonly settings: SessionSettings
  readonly servers: { readonly current: ServerSession | undefined }
  /** Of the cluster that it is logged in to, or logs in to. */
  readonly outlook: ClusterView | undefined
  /** Who wants an explanation. */
  readonly trace?: Trace | undefined
}

/** What is looked at. */
export type Viewed = {
  readonly command: Command
  readonly meaning: Statement | undefined
  /** Not all of its text has come. */
  readonly isCut: boolean
}

/** The statement's part of a view. */
class StatementPart implements StatementView {
  command: Command = 'other'
  meaning: Statement = NO_STATEMENT
  textForm: StatementView['textForm'] = 'plain'
  hint: StatementView['hint'] = 'none'
  isCut = false
  // Counts in transactions that span servers only, of which there are none.
  readonly isLarge = false
  hasDblink = false

  get isSelect(): boolean {
    return this.meaning.verb === 'select'
  }
  get isForUpdate(): boolean {
    return (this.meaning.flags & FLAG.locking) !== 0
  }
  get isDml(): boolean {
    return this.meaning.kind !== 'other'
  }
  get isCall(): boolean {
    return this.meaning.verb === 'call'
  }
  get hasTable(): boolean {
    return this.meaning.table !== undefined
  }
  get isSessional(): boolean {
    return SESSIONAL[this.meaning.verb] === true
  }
  get isMultiple(): boolean {
    return (this.meaning.flags & FLAG.multiple) !== 0
  }
  // What ties a statement to a server session is the way's matter, before anything is decided.
  readonly leansOnLast = false
  readonly usesLastInsertId = false
  readonly usesTableLock = false
}

/** The session's part of a view. Ties and pins have been looked at before: nothing binds the session. */
class SessionPart implements SessionView {
  memory: SessionMemory | undefined
  last: KeyedServer | undefined
  hasRunDml = false
  readonly isInternal = false
  readonly canReadWeakly = true
  readonly isTransactionSpecified = false
  readonly isRoutedInternally = false
  readonly isSwitchingAuth = false
  readonly boundTo = undefined
  readonly heldBy = undefined
  readonly lastInsertIdServer = undefined
  readonly coordinator = undefined
  readonly lockServer = undefined

  get readConsistency(): SessionView['readConsistency'] {
    return CONSISTENCIES[this.memory?.readConsistency ?? ''] ?? 'strong'
  }
  get hasSetReadConsistency(): boolean {
    return this.memory?.hasSetReadConsistency ?? false
  }
  get isAutocommit(): boolean {
    return ((this.memory?.status ?? STATUS.autocommit) & STATUS.autocommit) !== 0
  }
  get transaction(): SessionView['transaction'] {
    return this.memory?.heldBegin === undefined ? 'none' : 'held'
  }
  get routePolicy(): number {
    return Number(this.memory?.variable('ob_route_policy') ?? 1)
  }
  get proxyRoutePolicy(): FollowerPolicy | undefined {
    const value = this.memory?.userText('proxy_route_policy')
    return value === undefined ? undefined : followerPolicy(value)
  }
  get lastServer(): KeyedServer | undefined {
    return this.last
  }
}

type RouteViewDeps = {
  readonly clock: Clock
  readonly random: () => number
  readonly settings: () => SessionSettings
}

export class SessionRouteView implements RouteView {
  readonly statement = new StatementPart()
  readonly session = new SessionPart()
  private readonly deps: RouteViewDeps
  private cluster: ClusterView | undefined
  private configuredIdc = ''
  /** Undefined: not looked for yet. Most statements go to a leader, however near. */
  private idcName: string | undefined
  settings: RoutingSettings
  private tenantName = ''
  servers: TenantServers = { replicas: [], groupSize: 1 }
  place: Place | undefined
  targets: ServerGroups = []
  trace: Trace | undefined
  readonly snapshots = undefined

  constructor(deps: RouteViewDeps) {
    this.deps = deps
    this.settings = deps.settings().routing
  }

  get random(): () => number {
    return this.deps.random
  }

  get location(): PartitionLocation | undefined {
    return this.place?.location
  }

  get locationKey(): string {
    return this.place?.key ?? ''
  }

  get picture(): ClusterPicture {
    return this.view.picture
  }

  get tenant(): Tenant | undefined {
    return this.picture.tenants.get(this.tenantName)
  }

  get nowMs(): number {
    return this.deps.clock.now()
  }

  get verdicts(): Verdicts {
    return this.view.verdicts
  }

  get stale(): StaleReplicas {
    return this.view.stale
  }

  get ldc(): Ldc {
    const { memory } = this.session
    this.idcName ??= memory === undefined ? '' : chosenIdc(memory, this.configuredIdc)
    return this.view.ldcs.find(this.picture, this.idcName)
  }

  private get view(): ClusterView {
    if (this.cluster === undefined)
      throw new Error('a route view is looked at before it was filled')
    return this.cluster
  }

  /** For a statement of this session; `settings` are the session's. */
  fill(asker: Asker, { command, meaning, isCut }: Viewed): void {
    const { settings } = asker
    const { statement, session } = this
    this.cluster = asker.outlook
    this.settings = settings.routing
    this.configuredIdc = settings.idcName
    this.idcName = undefined
    this.tenantName = asker.tenant
    this.trace = asker.trace
    statement.command = command
    statement.meaning = meaning ?? NO_STATEMENT
    statement.isCut = isCut
    this.targets = targetsOf(statement.meaning, settings.targets)
    statement.hint = hintOf(statement.meaning)
    session.memory = asker.memory
    session.last = asker.servers.current?.keyed
    session.hasRunDml = asker.memory.hasRunDml
  }
}

function hintOf({ hints }: Statement): StatementView['hint'] {
  const { consistency } = hints
  return consistency === 'weak' || consistency === 'strong' ? consistency : 'none'
}

/** The statement's own servers before the configured ones (§7.2 row 5). */
function targetsOf({ directives }: Statement, configured: ServerGroups): ServerGroups {
  const { targetServers } = directives
  if (targetServers.length === 0) return configured
  return parseTargets(targetServers.map(group => group.join(',')).join(';')) ?? configured
}
