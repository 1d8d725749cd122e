/**
 * The table `proxy_config`, where parameters are set for less than the whole node: REPLACE, DELETE and
 * SELECT, with conditions that are columns equal to texts. Source: proxy-admin.md §3.5.
 */
import { Fault } from '#contract/fault'
import { CLUSTER_LEVEL, GLOBAL_LEVEL, type LevelRow } from '../config/levels.ts'
import type { ConfigStore } from '../config/store.ts'
import { literalText, OK, type Rule, splitList, textRows } from './answer.ts'

const COLUMNS = [
  'vid',
  'vip',
  'vport',
  'tenant_name',
  'cluster_name',
  'name',
  'value',
  'info',
  'range',
  'need_reboot',
  'visible_level',
  'config_level',
] as const

type Column = (typeof COLUMNS)[number]

/** proxy-admin.md §3.5. */
const MAX_ROWS = 200

const LITERAL = `(?:'(?:[^'\\\\]|\\\\.|'')*'|"(?:[^"\\\\]|\\\\.|"")*"|-?\\w+)`
const TUPLE = new RegExp(`^\\(\\s*${LITERAL}(?:\\s*,\\s*${LITERAL})*\\s*\\)`)
const EQUAL = new RegExp(`^(\\w+)\\s*=\\s*(${LITERAL})(?:\\s+and\\s+|$)`, 'i')

export const LEVEL_RULES: readonly Rule[] = [
  {
    grammar: /^replace\s+into\s+proxy_config\s*\(([\w\s,]+)\)\s*values\s*(.+)$/is,
    answer: ([, names = '', tuples = ''], { config }) => {
      const columns = splitList(names).map(columnOf)
      config.replaceRows(tuplesOf(tuples).map(values => rowOf(columns, values)))
      return OK
    },
  },
  {
    grammar: /^delete\s+from\s+proxy_config(?:\s+where\s+(.+))?$/is,
    answer: ([, where], { config }) => {
      const wanted = conditionsOf(where)
      // A DELETE of everything would take global rows along, which cannot be.
      const isOfClusters = wanted.some(([column]) => column === 'cluster_name')
      if (!isOfClusters) throw new Fault('config.level', NEEDS_CLUSTER)
      config.deleteRows((cluster, name) => matches(clusterRow(cluster, name, ''), wanted))
      return OK
    },
  },
  {
    grammar: /^select\s+(\*|[\w\s,]+)\s+from\s+proxy_config(?:\s+where\s+(.+))?$/is,
    answer: ([, names = '*', where], { config }) => {
      const columns = names.trim() === '*' ? COLUMNS : splitList(names).map(columnOf)
      const wanted = conditionsOf(where)
      const rows = allRows(config).filter(row => matches(row, wanted))
      return textRows(
        columns,
        rows.map(row => columns.map(column => row[column])),
      )
    },
  },
]

const NEEDS_CLUSTER = { name: 'proxy_config', detail: 'rows are deleted by their cluster_name' }

type Row = Readonly<Record<Column, string>>

/** @throws admin.argument */
function columnOf(name: string): Column {
  const found = COLUMNS.find(column => column === name.trim().toLowerCase())
  if (found === undefined) throw new Fault('admin.argument', { wanted: COLUMNS.join(', ') })
  return found
}

/** @throws admin.argument, which repeats nothing: a value may be a password */
function tuplesOf(text: string): readonly (readonly string[])[] {
  const found: string[][] = []
  for (let rest = text.trim(); ; ) {
    const tuple = TUPLE.exec(rest)?.[0]
    if (tuple === undefined || found.length >= MAX_ROWS)
      throw new Fault('admin.argument', { wanted: `VALUES (…),(…), ${MAX_ROWS} rows at most` })
    found.push(splitList(tuple.slice(1, -1)).map(literalText))
    rest = rest.slice(tuple.length).trim()
    if (rest === '') return found
    if (!rest.startsWith(',')) throw new Fault('admin.argument', { wanted: 'VALUES (…),(…)' })
    rest = rest.slice(1).trim()
  }
}

/** @throws admin.argument */
function rowOf(columns: readonly Column[], values: readonly string[]): LevelRow {
  if (values.length !== columns.length)
    throw new Fault('admin.argument', { wanted: `${columns.length} values a row` })
  const of = (column: Column) => values[columns.indexOf(column)] ?? ''
  return {
    cluster: of('cluster_name'),
    tenant: of('tenant_name'),
    vip: of('vip'),
    level: of('config_level').toUpperCase() || GLOBAL_LEVEL,
    name: of('name').toLowerCase(),
    value: of('value'),
  }
}

type Wanted = readonly (readonly [Column, string])[]

/** @throws admin.argument */
function conditionsOf(where: string | undefined): Wanted {
  const found: [Column, string][] = []
  for (let rest = where?.trim() ?? ''; rest !== ''; ) {
    const one = EQUAL.exec(rest)
    if (one === null) throw new Fault('admin.argument', { wanted: "column = 'text' AND …" })
    found.push([columnOf(one[1] ?? ''), literalText(one[2] ?? '')])
    rest = rest.slice(one[0].length)
  }
  return found
}

function matches(row: Row, wanted: Wanted): boolean {
  return wanted.every(([column, text]) => row[column] === text)
}

function allRows(config: ConfigStore): readonly Row[] {
  return [
    ...config.rows().map(
      ({ parameter, configured }): Row => ({
        ...clusterRow('', parameter.name, configured),
        info: parameter.meaning,
        range: parameter.range,
        need_reboot: String(parameter.needsRestart),
        visible_level: parameter.visibility,
        config_level: GLOBAL_LEVEL,
      }),
    ),
    ...config.levelRows().map(({ cluster, name, value }) => clusterRow(cluster, name, value)),
  ]
}

function clusterRow(cluster: string, name: string, value: string): Row {
  return {
    vid: '-1',
    vip: '',
    vport: '0',
    tenant_name: '',
    cluster_name: cluster,
    name,
    value,
    info: '',
    range: '',
    need_reboot: '',
    visible_level: '',
    config_level: CLUSTER_LEVEL,
  }
}
