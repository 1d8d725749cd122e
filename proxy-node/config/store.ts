/**
 * The node's parameters: what is set, what runs, and who wants to know of a change. A change is
 * validated as a whole, taken, told to its subscribers and kept on disk; when any of that fails, all
 * is as before. Source: proxy-admin.md §1.3, §3.1, §3.3.
 */
import { createHash } from 'node:crypto'
import { Fault } from '#contract/fault'
import { isSameValue, normalise } from '#contract/parameter-values'
import { PARAMETERS, type Parameter } from '#contract/parameters'
import { isSecret } from '#contract/secret-names'
import { type Assignment, amended, knownParameter, type PasswordForm } from './apply.ts'
import {
  decidedBelow,
  type LevelRow,
  type Levels,
  type PlaceValues,
  placed,
  placesOf,
  usable,
  without,
} from './levels.ts'
import { defaultText, readerOf } from './reader.ts'
import { readStored, type Stored, writeStored } from './store-file.ts'

const MASK = '******'
const CENTRAL_VERSION = 'current_local_config_version'

/** A parameter as answers may show it: secrets masked, booleans as True and False. */
export type ParameterRow = {
  readonly parameter: Parameter
  readonly configured: string
  /** What this process works with; another one than configured until the next start. */
  readonly running: string
  readonly isDefault: boolean
}

type Listener = (names: readonly string[]) => void

export class ConfigStore {
  private readonly workdir: string
  private readonly running: ReadonlyMap<string, string>
  private configured: ReadonlyMap<string, string>
  private levels: Levels
  private readonly listeners: Listener[] = []
  private storedVersion: number
  private isFrozen = false
  private readonly reader = readerOf(name => this.get(name))

  private constructor(
    workdir: string,
    configured: ReadonlyMap<string, string>,
    { version, places }: Pick<Stored, 'version' | 'places'>,
  ) {
    this.workdir = workdir
    this.running = configured
    this.configured = configured
    this.levels = usable(places, (name, text) => accepted(configured, name, text, 'hashed'))
    this.storedVersion = version
  }

  /**
   * Reads `<workdir>/etc`, lays `overrides` (command line and environment, passwords hashed) over it
   * and keeps the result. Stored names that are unknown or no longer valid fall back to defaults.
   * @throws config.unknown-parameter, config.invalid-value, config.proxy-id, config.damaged, config.not-written
   */
  static open(workdir: string, overrides: ReadonlyMap<string, string>): ConfigStore {
    const stored = readStored(workdir)
    const valid = new Map([...stored.values].flatMap(([name, text]) => stillValid(name, text)))
    const values = amended(valid, overrides, 'hashed')
    // Another application starts over with the central configuration (proxy-admin.md §1.3).
    const isOther = values.get('app_name') !== valid.get('app_name')
    if (isOther && !overrides.has(CENTRAL_VERSION)) values.delete(CENTRAL_VERSION)
    const store = new ConfigStore(workdir, values, stored)
    if (stored.version === 0 || !isSame(persistent(values), stored.values)) store.persist()
    return store
  }

  /** The text of `name`: of parameters that need a restart the one at start. @throws config.unknown-parameter */
  get(name: string): string {
    const parameter = knownParameter(name)
    const source = parameter.needsRestart ? this.running : this.configured
    return source.get(name) ?? defaultText(parameter.name)
  }

  /** The text of `name` for one OB cluster: its own, else everybody's. */
  at(name: string, cluster: string): string {
    const places = placesOf(this.levels, { cluster, tenant: '', vip: undefined })
    return decidedBelow(places, name)?.value ?? this.get(name)
  }

  isOn(name: string): boolean {
    return this.reader.isOn(name)
  }

  /** For the node, or for anything less. */
  isOnAnywhere(name: string): boolean {
    return this.isOn(name) || this.places().some(({ values }) => values.get(name) === 'True')
  }

  /** Integers as they are, times in microseconds, sizes in bytes. */
  number(name: string): number {
    return this.reader.number(name)
  }

  timeMs(name: string): number {
    return this.reader.timeMs(name)
  }

  /** Whether somebody chose its value: what follows a server unless set is told apart by this. */
  isSet(name: string): boolean {
    const source = knownParameter(name).needsRestart ? this.running : this.configured
    return source.has(name)
  }

  /** Grows by one with each change that is kept; survives restarts. */
  get version(): number {
    return this.storedVersion
  }

  /** Calls `act` with the names of each change, before it is kept; an error of `act` undoes the change. */
  onChange(act: Listener): void {
    this.listeners.push(act)
  }

  /** All parameters by name. */
  rows(): readonly ParameterRow[] {
    return [...PARAMETERS.values()].map(parameter => {
      const value = this.configured.get(parameter.name) ?? defaultText(parameter.name)
      return {
        parameter,
        configured: masked(parameter, value),
        running: masked(parameter, this.get(parameter.name)),
        isDefault: isSameValue(parameter, value, parameter.default),
      }
    })
  }

  /** Names whose new value waits for a restart. */
  waitingForRestart(): readonly string[] {
    return this.rows()
      .filter(({ parameter }) => parameter.needsRestart)
      .filter(({ parameter: { name } }) => this.configured.get(name) !== this.running.get(name))
      .map(({ parameter }) => parameter.name)
  }

  /**
   * ALTER PROXYCONFIG SET: all assignments or none, passwords in clear.
   * @throws config.frozen, config.read-only, config.unknown-parameter, config.invalid-value,
   *   config.proxy-id, config.not-written
   */
  alter(assignments: readonly Assignment[]): void {
    if (this.isFrozen) throw new Fault('config.frozen')
    this.change(assignments, this.levels, [])
  }

  /** What is set below the global level, secrets as they are kept, in order. */
  places(): readonly PlaceValues[] {
    return sortedPlaces(this.levels)
  }

  /** The same, one row a value, secrets masked. */
  levelRows(): readonly (Omit<PlaceValues, 'values'> & {
    readonly name: string
    readonly value: string
  })[] {
    return this.places().flatMap(({ values, ...place }) =>
      [...values].map(([name, value]) => ({
        ...place,
        name,
        value: masked(knownParameter(name), value),
      })),
    )
  }

  /** REPLACE INTO proxy_config: all rows or none, passwords in clear. @throws as `alter`, config.level */
  replaceRows(rows: readonly LevelRow[]): void {
    if (this.isFrozen) throw new Fault('config.frozen')
    const { global, levels } = placed(this.levels, rows, (name, text) =>
      accepted(this.configured, name, text, 'clear'),
    )
    this.change(
      global,
      levels,
      rows.map(({ name }) => name),
    )
  }

  /** DELETE FROM proxy_config: rows below the global level; how many. @throws config.frozen, config.not-written */
  deleteRows(isGone: (place: PlaceValues, name: string) => boolean): number {
    if (this.isFrozen) throw new Fault('config.frozen')
    const names = new Set<string>()
    const { levels, count } = without(this.levels, (place, name) => {
      const goes = isGone(place, name)
      if (goes) names.add(name)
      return goes
    })
    if (count > 0) this.change([], levels, [...names])
    return count
  }

  private change(
    assignments: readonly Assignment[],
    levels: Levels,
    ofLevels: readonly string[],
  ): void {
    const names = [...new Set([...assignments.map(([name]) => name), ...ofLevels])]
    if (assignments.some(([name]) => name === 'app_name'))
      throw new Fault('config.read-only', { name: 'app_name' })
    const before = { configured: this.configured, levels: this.levels }
    this.configured = amended(before.configured, assignments, 'clear')
    this.levels = levels
    try {
      this.tell(names)
      const isKept = isSame(persistent(before.configured), persistent(this.configured))
      if (!isKept || levels !== before.levels) this.persist()
    } catch (error) {
      this.configured = before.configured
      this.levels = before.levels
      this.tell(names)
      throw error
    }
  }

  /** No change from here on: another process has read the store and is going to write it. */
  freeze(): void {
    this.isFrozen = true
  }

  /** That process is gone; what it wrote has only ever grown the version. @throws config.damaged */
  thaw(): void {
    this.isFrozen = false
    this.storedVersion = Math.max(this.storedVersion, readStored(this.workdir).version)
  }

  private tell(names: readonly string[]): void {
    for (const listener of this.listeners) listener(names)
  }

  private persist(): void {
    const version = this.storedVersion + 1
    writeStored(this.workdir, {
      version,
      values: persistent(this.configured),
      places: this.places(),
    })
    this.storedVersion = version
  }

  /** Fingerprint of everything that is set but secrets, equal on nodes that are configured alike. */
  checksum(): string {
    const open = [...persistent(this.configured)].filter(([name]) => !isSecret(name)).sort()
    const below = this.levelRows().filter(({ name }) => !isSecret(name))
    const all = below.length === 0 ? open : [open, below]
    return createHash('sha256').update(JSON.stringify(all)).digest('hex')
  }
}

function stillValid(name: string, text: string): Assignment[] {
  const parameter = PARAMETERS.get(name)
  const value = parameter === undefined ? undefined : normalise(parameter, text)
  return value === undefined ? [] : [[name, value]]
}

/** A value as it would be kept beside the others. @throws config.unknown-parameter, config.invalid-value */
function accepted(
  values: ReadonlyMap<string, string>,
  name: string,
  text: string,
  passwords: PasswordForm,
): string {
  return amended(values, [[name, text]], passwords).get(name) ?? ''
}

/** By level, then by their keys, so that equal levels are written alike. */
function sortedPlaces(levels: Levels): readonly PlaceValues[] {
  return [...levels.values()]
    .map(place => ({ ...place, values: new Map([...place.values].sort()) }))
    .sort((one, other) => (orderOf(one) < orderOf(other) ? -1 : 1))
}

function orderOf({ level, cluster, tenant, vip, vport }: PlaceValues): string {
  return [level, cluster, tenant, vip, vport].join('\0')
}

/** MEMORY parameters are orders to this process, not settings. */
function persistent(values: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  return new Map([...values].filter(([name]) => PARAMETERS.get(name)?.visibility !== 'MEMORY'))
}

function isSame(left: ReadonlyMap<string, string>, right: ReadonlyMap<string, string>): boolean {
  return left.size === right.size && [...left].every(([name, text]) => right.get(name) === text)
}

function masked({ name }: Parameter, value: string): string {
  return isSecret(name) && value !== '' ? MASK : value
}
