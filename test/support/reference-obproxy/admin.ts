/** Answers the proxy's own statements: who may say them, what they do, what they show. */
import type { Answer, ClientSession, Role } from './client-session.ts'
import type { Clusters } from './clusters.ts'
import { EMPTY_VIEW, VARIABLES, VIEW } from './columns.ts'
import { PARAMETERS, type Parameter } from './parameter.ts'
import { Refusal } from './refusal.ts'
import { attributeRows, clusterRows, idcRows, processRow, resourceRow, sessionRow } from './rows.ts'
import { replacedRows } from './rows-text.ts'
import type { Settings } from './settings.ts'
import {
  isLike,
  type KillTarget,
  preambleOf,
  type Showing,
  type Statement,
  statementOf,
  type TableName,
} from './statements.ts'
import { isGauge, STATISTICS } from './statistics.ts'
import type { LevelRow, Store } from './store.ts'
import type { Column } from './wire.ts'

export type AdminParts = {
  readonly settings: Settings
  readonly store: Store
  readonly clusters: Clusters
  readonly clients: () => readonly ClientSession[]
  readonly version: { readonly text: string; readonly lines: () => string }
  readonly status: () => 'ACTIVE' | 'BE_INACTIVE' | 'INACTIVE'
  readonly isAccepting: () => boolean
  readonly upgrade: () => string
  readonly counted: (name: string) => number
}

const DONE: Answer = { kind: 'ok', affected: 0 }

/** Kinds that every user may say, restricted to what is the user's own. */
const FOR_ALL: readonly Statement['kind'][] = [
  'show-sessions',
  'show-attributes',
  'show-processes',
  'kill',
  'ping',
  'select-version',
  'select-status',
]

export class Admin {
  private readonly parts: AdminParts

  constructor(parts: AdminParts) {
    this.parts = parts
  }

  /** Undefined: it goes to a server. @throws Refusal */
  answer(text: string, asking: ClientSession): Answer | undefined {
    const statement = statementOf(text)
    if (asking.role === 'inspector' && statement?.kind !== 'ping')
      throw new Refusal('unknown-command')
    if (statement !== undefined && isAllowed(statement, asking)) return this.run(statement, asking)
    return asking.role === 'user' ? undefined : preamble(text)
  }

  private run(statement: Statement, asking: ClientSession): Answer {
    const { settings, clusters, version, status, isAccepting } = this.parts
    switch (statement.kind) {
      case 'alter-config':
        settings.alter(statement.name, statement.value)
        return DONE
      case 'delete-resource':
        clusters.delete(statement.cluster)
        return DONE
      case 'kill':
        return this.kill(statement.target, asking)
      case 'ping':
        return isAccepting() ? DONE : { kind: 'end' }
      case 'select-version':
        return table(VIEW.version, [[version.text]])
      case 'select-status':
        return table(VIEW.status, [[status()]])
      case 'replace':
        return this.replace(statement.table, statement.text)
      case 'delete-rows':
        return { kind: 'ok', affected: this.deleteRows(statement.table, statement.text) }
      case 'select-rows':
        return this.select(statement.text)
      default:
        return this.show(statement, asking)
    }
  }

  private show(statement: Showing, asking: ClientSession): Answer {
    const { clusters, settings } = this.parts
    switch (statement.kind) {
      case 'show-config':
        return this.config(statement)
      case 'show-config-levels':
        return table(
          VIEW['config-levels'],
          settings.below().filter(named(statement.like)).map(levelRow),
        )
      case 'show-info':
        return this.info(statement.of)
      case 'show-clusters': {
        const found = clusters.all().filter(named(statement.like))
        return statement.of === 'idcs'
          ? table(VIEW['cluster-idcs'], found.flatMap(idcRows))
          : table(VIEW.clusters, found.flatMap(clusterRows))
      }
      case 'show-resources': {
        const found = clusters.inUse().filter(({ cluster }) => named(statement.like)(cluster))
        return table(
          VIEW.resources,
          found.map(resource => resourceRow(resource, this.visible(asking), clusters.changedAtMs)),
        )
      }
      case 'show-sessions':
        return table(VIEW.sessions, this.visible(asking).map(sessionRow))
      case 'show-processes':
        return table(VIEW.processes, this.visible(asking).map(processRow))
      case 'show-attributes':
        return this.attributes(statement, asking)
      case 'show-statistics':
        return this.statistics(statement.like)
      case 'show-empty':
        return table(EMPTY_VIEW[statement.view] ?? VIEW.info, [])
    }
  }

  private config({ of, like }: Extract<Statement, { kind: 'show-config' }>): Answer {
    const { settings } = this.parts
    if (of === 'all' && like === 'syslog_level') return logLevels(settings.shown('syslog_level'))
    const parameters = [...PARAMETERS.values()]
      .filter(named(like))
      .filter(({ name, defaultValue }) => of === 'all' || settings.shown(name) !== defaultValue)
      .filter(({ visibleLevel }) => of !== 'diff-user' || visibleLevel === 'USER')
      .map(parameter => parameterRow(parameter, settings.shown(parameter.name)))
    const virtual =
      of === 'all' ? this.virtualRows().filter(([name]) => isLike(name ?? '', like)) : []
    return table(VIEW.config, [...parameters, ...virtual])
  }

  private virtualRows(): (string | null)[][] {
    const { list, changedAtMs } = this.parts.clusters
    const time = new Date(changedAtMs).toISOString().replace('T', ' ').replace('Z', '000')
    const rows: readonly (readonly [name: string, value: string, reboot: string])[] = [
      ['json_config_version', list?.version ?? '', 'false'],
      ['json_config_bin_url', list?.binUrl ?? '', 'false'],
      ['json_config_meta_table_db', '', 'true'],
      ['json_config_meta_table_user', '', 'true'],
      ['json_config_real_meta_cluster', list?.metaCluster ?? '', 'true'],
      ['json_config_cluster_count', String(list?.clusters.length ?? 0), 'false'],
      ['json_config_modified_time', time, 'false'],
    ]
    return rows.map(([name, value, reboot]) => [name, value, '', reboot, 'virtual', null, null])
  }

  private info(of: 'binary' | 'upgrade' | 'idc'): Answer {
    const { version, upgrade, settings, clusters } = this.parts
    if (of === 'binary') return table(VIEW.info, [['binary info', version.lines()]])
    if (of === 'upgrade') return table(VIEW.info, [['hot upgrade info', upgrade()]])
    const idc = settings.get('proxy_idc_name')
    return table(
      VIEW['info-idc'],
      clusters.all().map(({ name }) => [idc, name, 'MATCHED_BY_NONE', '', '', '', '']),
    )
  }

  private attributes(
    { id, like }: { readonly id: number | undefined; readonly like: string },
    asking: ClientSession,
  ): Answer {
    const wanted = id ?? asking.id
    const found = this.visible(asking).find(client => client.id === wanted)
    if (found === undefined) throw new Refusal('unknown-thread', `Unknown thread id: ${wanted}`)
    return table(
      VIEW.attributes,
      attributeRows(found).filter(([name]) => isLike(name ?? '', like)),
    )
  }

  private statistics(like: string): Answer {
    const rows = STATISTICS.filter(name => isLike(name, like)).map(name => [
      name,
      String(this.parts.counted(name)),
      isGauge(name) ? 'NULL' : 'PERSISTENT',
    ])
    return table(VIEW.statistics, rows)
  }

  /** Sessions that `asking` may see. */
  private visible(asking: ClientSession): readonly ClientSession[] {
    const all = this.parts.clients().filter(({ isLoggedIn }) => isLoggedIn)
    if (asking.role !== 'user') return all
    const { tenant, user, cluster } = asking.who
    return all.filter(
      ({ who, role }) =>
        role === 'user' &&
        who.cluster === cluster &&
        (tenant === 'sys' || (who.tenant === tenant && who.user === user)),
    )
  }

  private kill({ id, what }: KillTarget, asking: ClientSession): Answer {
    const victim = this.parts.clients().find(client => client.id === id)
    if (victim === asking) throw new Refusal('interrupted')
    const isVisible = victim !== undefined && this.visible(asking).includes(victim)
    const isNeighbour =
      victim !== undefined && asking.role === 'user' && victim.who.tenant === asking.who.tenant
    if (!isVisible && isNeighbour)
      throw new Refusal('not-owner', `You are not owner of thread ${id}`)
    if (!isVisible) throw new Refusal('unknown-thread', `Unknown thread id: ${id}`)
    if (what === 'query') throw new Refusal('not-supported')
    if (what === 'server-session') victim?.server?.close()
    else victim?.close()
    return DONE
  }

  private replace(name: TableName, text: string): Answer {
    const rows = replacedRows(text)
    if (name === 'proxy_config') this.parts.settings.replace(rows.map(levelRowOf))
    else this.onStore(store => store.run(text))
    return { kind: 'ok', affected: rows.length }
  }

  private deleteRows(name: TableName, text: string): number {
    return this.onStore(store =>
      name === 'proxy_config' ? this.parts.settings.deleteRows(text) : store.run(text),
    )
  }

  private select(text: string): Answer {
    const { columns, rows } = this.onStore(store => store.select(text))
    return table(
      columns.map(name => ({ name, type: 'text' as const })),
      rows,
    )
  }

  private onStore<T>(act: (store: Store) => T): T {
    try {
      return act(this.parts.store)
    } catch (error) {
      throw error instanceof Refusal ? error : new Refusal('unknown-command', String(error))
    }
  }
}

function isAllowed(statement: Statement, { role, who }: { role: Role; who: ClientSession['who'] }) {
  if (role !== 'user' || FOR_ALL.includes(statement.kind)) return true
  const isOfTables = ['replace', 'delete-rows', 'select-rows'].includes(statement.kind)
  return who.user === 'root' && who.tenant === 'sys' && !isOfTables
}

/** @throws Refusal */
function preamble(text: string): Answer {
  const said = preambleOf(text)
  switch (said?.kind) {
    case 'fine':
      return DONE
    case 'variables':
      return table(VIEW.variables, VARIABLES)
    case 'value':
      return table([{ name: said.column, type: 'text' }], [[said.value]])
    case undefined:
      throw new Refusal('unknown-command')
  }
}

function table(columns: readonly Column[], rows: readonly (readonly (string | null)[])[]): Answer {
  return { kind: 'table', table: { columns, rows } }
}

function named(like: string): (thing: { readonly name: string }) => boolean {
  return ({ name }) => isLike(name, like)
}

function parameterRow(parameter: Parameter, value: string): (string | null)[] {
  const { name, meaning, needsRestart, visibleLevel, range, isMultiLevel } = parameter
  const level = isMultiLevel ? 'LEVEL_VIP' : 'LEVEL_GLOBAL'
  return [name, value, meaning, String(needsRestart), visibleLevel, range, level]
}

function levelRow(row: LevelRow): string[] {
  const { vid, vip, vport, tenant_name, cluster_name, name, value, config_level } = row
  return [String(vid), vip, String(vport), tenant_name, cluster_name, name, value, config_level]
}

function levelRowOf(fields: Readonly<Record<string, string>>): LevelRow {
  return {
    vid: Number(fields['vid'] ?? -1),
    vip: fields['vip'] ?? '',
    vport: Number(fields['vport'] ?? 0),
    tenant_name: fields['tenant_name'] ?? '',
    cluster_name: fields['cluster_name'] ?? '',
    name: fields['name'] ?? '',
    value: fields['value'] ?? '',
    config_level: fields['config_level'] ?? '',
  }
}

function logLevels(level: string): Answer {
  return table(VIEW['log-levels'], [['ROOT', '', level, 'alter proxyconfig set syslog_level']])
}
