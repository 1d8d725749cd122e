/**
 * The table `proxy_config`, where parameters are set for less than the whole node: REPLACE, DELETE and
 * SELECT, with conditions that are columns equal to texts; and SHOW PROXYCONFIG ALL, which is what is in
 * it below the global level. Source: proxy-admin.md §2.4, §3.5.
 */
import { Fault } from '#contract/fault'
import { GLOBAL_LEVEL, type LevelRow, type PlaceValues } from '../config/levels.ts'
import type { ConfigStore } from '../config/store.ts'
import { bigint, varchar } from '../wire/resultset.ts'
import {
  type AdminRows,
  endOfPiece,
  isLike,
  LIKE,
  literalText,
  OK,
  type Rule,
  splitList,
} from './answer.ts'

/** What a row is for. */
const KEY = ['vid', 'vip', 'vport', 'tenant_name', 'cluster_name', 'name'] as const

const COLUMNS = [
  ...KEY,
  'value',
  'info',
  'range',
  'need_reboot',
  'visible_level',
  'config_level',
] as const

type Column = (typeof COLUMNS)[number]

/** Of SHOW PROXYCONFIG ALL (§2.4). */
const SHOWN: readonly Column[] = [...KEY, 'value', 'config_level']

/** By which rows may be deleted: place and name. */
const PLACE_COLUMNS: readonly Column[] = [...KEY, 'config_level']

const NUMBERS: ReadonlySet<Column> = new Set(['vid', 'vport'])

/** Of one statement (§3.5). */
const MAX_ROWS = 200
export const MAX_STATEMENT_BYTES = 1024 * 1024
/** More than any value may have. */
const MAX_LITERAL_CHARS = 16 * 1024

const NO_VID = '-1'

const TABLE = '(?:`?proxyconfig`?\\s*\\.\\s*)?`?proxy_config`?'
/** Without ambiguity, so that a hostile one ends. */
const NAMES = '[\\w`]+(?:\\s*,\\s*[\\w`]+)*'
const LITERAL = `(?:'(?:[^'\\\\]|\\\\.|'')*'|"(?:[^"\\\\]|\\\\.|"")*"|-?\\w+)`
const WHOLE_LITERAL = new RegExp(`^${LITERAL}$`, 's')
const EQUAL = new RegExp(`^(\`?\\w+\`?)\\s*=\\s*(${LITERAL})(?:\\s+and\\s+|$)`, 'is')

export const LEVEL_RULES: readonly Rule[] = [
  {
    grammar: new RegExp(
      `^replace\\s+into\\s+${TABLE}\\s*\\(\\s*(${NAMES})\\s*\\)\\s*values\\s*(.+)$`,
      'is',
    ),
    answer: ([text = '', names = '', tuples = ''], { config }) => {
      if (Buffer.byteLength(text) > MAX_STATEMENT_BYTES)
        throw new Fault('admin.argument', { wanted: `${MAX_STATEMENT_BYTES} bytes at most` })
      const columns = splitList(names).map(columnOf)
      config.replaceRows(tuplesOf(tuples).map(values => rowOf(columns, values)))
      return OK
    },
  },
  {
    grammar: new RegExp(`^delete\\s+from\\s+${TABLE}(?:\\s+where\\s+(.+))?$`, 'is'),
    answer: ([, where], { config }) => {
      const wanted = conditionsOf(where)
      // Values may be passwords: nobody is told, by what goes and what stays, which they are.
      if (wanted.some(([column]) => !PLACE_COLUMNS.includes(column)))
        throw new Fault('admin.argument', { wanted: PLACE_COLUMNS.join(', ') })
      if (globalRows(config).some(row => matches(row, wanted)))
        throw new Fault('config.level', NOT_DELETED)
      config.deleteRows((place, name) => matches(placeRow(place, name, ''), wanted))
      return OK
    },
  },
  {
    grammar: new RegExp(
      `^select\\s+(\\*|${NAMES})\\s+from\\s+${TABLE}(?:\\s+where\\s+(.+))?$`,
      'is',
    ),
    answer: ([, names = '*', where], { config }) => {
      const columns = names.trim() === '*' ? COLUMNS : splitList(names).map(columnOf)
      const wanted = conditionsOf(where)
      const rows = [...globalRows(config), ...rowsBelow(config)]
      return table(
        columns,
        rows.filter(row => matches(row, wanted)),
      )
    },
  },
  {
    grammar: new RegExp(`^show\\s+proxyconfig\\s+all${LIKE}`, 'is'),
    answer: ([, , pattern], { config }) =>
      table(
        SHOWN,
        rowsBelow(config).filter(({ name }) => isLike(pattern, name)),
      ),
  },
]

const NOT_DELETED = {
  name: 'proxy_config',
  detail: `keeps its rows of ${GLOBAL_LEVEL}: conditions name a config_level, a cluster, a tenant or a vip`,
}

type Row = Readonly<Record<Column, string>>

function table(columns: readonly Column[], rows: readonly Row[]): AdminRows {
  return {
    kind: 'rows',
    columns: columns.map(column => (NUMBERS.has(column) ? bigint(column) : varchar(column))),
    rows: rows.map(row =>
      columns.map(column => (NUMBERS.has(column) ? Number(row[column]) : row[column])),
    ),
  }
}

/** @throws admin.argument */
function columnOf(name: string): Column {
  const bare = name.trim().replaceAll('`', '').toLowerCase()
  const found = COLUMNS.find(column => column === bare)
  if (found === undefined) throw new Fault('admin.argument', { wanted: COLUMNS.join(', ') })
  return found
}

/** @throws admin.argument, which repeats nothing: a value may be a password */
function tuplesOf(text: string): readonly (readonly string[])[] {
  const found: string[][] = []
  for (let at = 0; ; ) {
    const end = text[at] === '(' ? endOfTuple(text, at) : -1
    if (end < 0 || found.length >= MAX_ROWS)
      throw new Fault('admin.argument', { wanted: `VALUES (…),(…), ${MAX_ROWS} rows at most` })
    found.push(splitList(text.slice(at + 1, end - 1)).map(literalOf))
    at = afterBlanks(text, end)
    if (at >= text.length) return found
    if (text[at] !== ',') throw new Fault('admin.argument', { wanted: 'VALUES (…),(…)' })
    at = afterBlanks(text, at + 1)
  }
}

/** Behind the closing bracket; -1 without one. */
function endOfTuple(text: string, from: number): number {
  for (let at = from + 1; at < text.length; ) {
    if (text[at] === ')') return at + 1
    at = endOfPiece(text, at).end
  }
  return -1
}

function afterBlanks(text: string, from: number): number {
  let at = from
  while (at < text.length && /\s/.test(text[at] ?? '')) at += 1
  return at
}

/** @throws admin.argument */
function literalOf(text: string): string {
  if (text.length > MAX_LITERAL_CHARS || !WHOLE_LITERAL.test(text))
    throw new Fault('admin.argument', { wanted: "'texts' and numbers as values" })
  return literalText(text)
}

/** @throws admin.argument */
function rowOf(columns: readonly Column[], values: readonly string[]): LevelRow {
  if (values.length !== columns.length)
    throw new Fault('admin.argument', { wanted: `${columns.length} values a row` })
  const of = (column: Column) => values[columns.indexOf(column)] ?? ''
  const vport = of('vport') === '' ? '0' : of('vport')
  if (!/^\d{1,5}$/.test(vport)) throw new Fault('admin.argument', { wanted: 'a port as vport' })
  return {
    vid: of('vid') || NO_VID,
    cluster: of('cluster_name'),
    tenant: of('tenant_name'),
    vip: of('vip'),
    vport: Number(vport),
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

function globalRows(config: ConfigStore): readonly Row[] {
  return config.rows().map(({ parameter, configured }) => ({
    ...NO_ROW,
    name: parameter.name,
    value: configured,
    info: parameter.meaning,
    range: parameter.range,
    need_reboot: String(parameter.needsRestart),
    visible_level: parameter.visibility,
  }))
}

function rowsBelow(config: ConfigStore): readonly Row[] {
  return config.levelRows().map(row => placeRow(row, row.name, row.value))
}

const NO_ROW: Row = {
  vid: NO_VID,
  vip: '',
  vport: '0',
  tenant_name: '',
  cluster_name: '',
  name: '',
  value: '',
  info: '',
  range: '',
  need_reboot: '',
  visible_level: '',
  config_level: GLOBAL_LEVEL,
}

function placeRow(place: Omit<PlaceValues, 'values'>, name: string, value: string): Row {
  return {
    ...NO_ROW,
    vip: place.vip,
    vport: String(place.vport),
    tenant_name: place.tenant,
    cluster_name: place.cluster,
    config_level: place.level,
    name,
    value,
  }
}
