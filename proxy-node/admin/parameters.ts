/** SHOW PROXYCONFIG and ALTER PROXYCONFIG SET. Source: proxy-admin.md §2.4, §3.3. */
import { Fault } from '#contract/fault'
import type { Assignment } from '../config/apply.ts'
import { LEVELS, type LevelName, levelsOf } from '../config/levels.ts'
import type { ConfigStore, ParameterRow } from '../config/store.ts'
import type { Cell } from '../wire/resultset.ts'
import {
  type DirectoryView,
  isLike,
  LIKE,
  literalText,
  OK,
  type Rule,
  splitList,
  textRows,
} from './answer.ts'

const COLUMNS = ['name', 'value', 'info', 'need_reboot', 'visible_level', 'range', 'config_level']
const STATE_COLUMNS = [
  'name',
  'value',
  'running_value',
  'default_value',
  'need_reboot',
  'takes_effect',
  'set_below',
]

/** State of the config server that OBProxy lists behind its parameters; name and whether it needs a restart. */
type VirtualRow = readonly [name: string, value: string, needsRestart: boolean]

function virtualRows(directory: DirectoryView | undefined): readonly VirtualRow[] {
  const facts = directory?.facts()
  const modified = facts?.modifiedAt ?? 0
  return [
    ['json_config_version', facts?.version ?? '', false],
    ['json_config_bin_url', facts?.binUrl ?? '', false],
    ['json_config_meta_table_db', facts?.metadataDatabase ?? '', true],
    ['json_config_meta_table_user', facts?.metadataUser ?? '', true],
    ['json_config_real_meta_cluster', '', true],
    ['json_config_cluster_count', String(facts?.clusterCount ?? 0), false],
    ['json_config_modified_time', modified === 0 ? '' : new Date(modified).toISOString(), false],
  ]
}

export const PARAMETER_RULES: readonly Rule[] = [
  {
    grammar: /^alter\s+proxyconfig\s+set\s+(.+)$/is,
    answer: ([, list], { config }) => {
      config.alter(splitList(list ?? '').map(assignment))
      return OK
    },
  },
  {
    grammar: new RegExp(`^show\\s+proxyconfig${LIKE}`, 'is'),
    answer: ([, , pattern], { config, directory }) => {
      const parameters = config.rows().filter(({ parameter }) => isLike(pattern, parameter.name))
      const virtual = virtualRows(directory).filter(([name]) => isLike(pattern, name))
      return textRows(COLUMNS, [...parameters.map(cellsOf), ...virtual.map(virtualCells)])
    },
  },
  {
    grammar: /^show\s+proxyconfig\s+diff(\s+user)?$/is,
    answer: ([, user], { config }) => {
      const changed = config.rows().filter(row => !row.isDefault)
      const seen = changed.filter(
        ({ parameter }) => user === undefined || parameter.visibility === 'USER',
      )
      return textRows(COLUMNS, seen.map(cellsOf))
    },
  },
  {
    // Ours: what is set beside what runs, whether it matters, and where rows of less than the node decide.
    grammar: new RegExp(`^show\\s+proxyconfig\\s+state${LIKE}`, 'is'),
    answer: ([, , pattern], { config }) => {
      const below = countsBelow(config)
      return textRows(
        STATE_COLUMNS,
        config
          .rows()
          .filter(({ parameter }) => isLike(pattern, parameter.name))
          .map(({ parameter, configured, running }) => [
            parameter.name,
            configured,
            running,
            parameter.default,
            String(parameter.needsRestart),
            String(parameter.takesEffect),
            below.get(parameter.name) ?? '',
          ]),
      )
    },
  },
]

/** How many rows decide before the global value, by parameter: `LEVEL_VIP 1, LEVEL_TENANT 2`. */
function countsBelow(config: ConfigStore): ReadonlyMap<string, string> {
  const counts = new Map<string, Map<LevelName, number>>()
  for (const { name, level } of config.levelRows()) {
    const of = counts.get(name) ?? new Map<LevelName, number>()
    counts.set(name, of.set(level, (of.get(level) ?? 0) + 1))
  }
  const text = (of: ReadonlyMap<LevelName, number>) =>
    LEVELS.flatMap(level => (of.has(level) ? `${level} ${of.get(level)}` : [])).join(', ')
  return new Map([...counts].map(([name, of]) => [name, text(of)]))
}

/** `name = value`: quoted text, a bare word, a number, or nothing for the empty value. */
function assignment(text: string): Assignment {
  const found = /^[`]?(\w{1,127})[`]?\s*=\s*(.*)$/s.exec(text)
  // The text itself may hold a password, so it is not repeated.
  if (found === null) throw new Fault('admin.argument', { wanted: 'name = value' })
  const [, name = '', value = ''] = found
  return [name.toLowerCase(), literalText(value)]
}

function cellsOf({ parameter, configured }: ParameterRow): readonly Cell[] {
  return [
    parameter.name,
    configured,
    parameter.meaning,
    String(parameter.needsRestart),
    parameter.visibility,
    parameter.range,
    levelsOf(parameter.name).length > 0 ? 'LEVEL_VIP' : 'LEVEL_GLOBAL',
  ]
}

function virtualCells([name, value, needsRestart]: VirtualRow): readonly Cell[] {
  return [name, value, '', String(needsRestart), 'virtual', null, null]
}
