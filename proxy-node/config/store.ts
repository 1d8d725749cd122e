/**
 * The node's parameters: what is set, what runs, where it is kept. A change is validated, written to
 * disk and only then taken; a write that fails leaves everything as it was. Files are written beside
 * and renamed, so `kill -9` at any moment leaves the old values or the new ones.
 */
import { createHash } from 'node:crypto'
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { Fault } from '#contract/fault'
import { HASHED_PASSWORDS, isSecret, PARAMETERS, type Parameter } from '#contract/parameters'
import { magnitude, normalise } from './values.ts'

const STORE_SCHEMA = 1
const MASK = '******'

export type ParameterRow = Parameter & { readonly shown: string }

export class ConfigStore {
  private readonly folder: string
  private readonly running: ReadonlyMap<string, string>
  private configured: Map<string, string>
  private readonly listeners: ((name: string) => void)[] = []

  private constructor(folder: string, configured: Map<string, string>) {
    this.folder = folder
    this.configured = configured
    this.running = new Map(configured)
  }

  /**
   * Reads `<workdir>/etc`, lays `overrides` (the command line, already hashed passwords) over it and
   * keeps the result. Stored names that are unknown or no longer valid fall back to their defaults.
   * @throws config.unknown-parameter, config.invalid-value, or an Error of the file system
   */
  static open(workdir: string, overrides: ReadonlyMap<string, string>): ConfigStore {
    const folder = join(workdir, 'etc')
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    const values = new Map<string, string>()
    for (const [name, text] of readStored(folder)) {
      const parameter = PARAMETERS.get(name)
      const value = parameter === undefined ? undefined : normalise(parameter, text)
      if (value !== undefined) values.set(name, value)
    }
    for (const [name, text] of overrides) values.set(name, validated(name, text))
    check(values)
    const store = new ConfigStore(folder, values)
    store.persist(values)
    return store
  }

  /** What this process works with: of parameters that need a restart the value at start. */
  get(name: string): string {
    const parameter = known(name)
    const source = parameter.needsRestart ? this.running : this.configured
    return source.get(name) ?? parameter.default
  }

  isOn(name: string): boolean {
    return this.get(name) === 'True'
  }

  /** Integers as they are, times in microseconds, sizes in bytes. */
  number(name: string): number {
    return magnitude(known(name).type, this.get(name)) ?? 0
  }

  timeMs(name: string): number {
    return this.number(name) / 1000
  }

  /** Calls `act` after a change of `name`. */
  onChange(act: (name: string) => void): void {
    this.listeners.push(act)
  }

  /** All parameters as SHOW PROXYCONFIG displays them, secrets masked. */
  rows(): readonly ParameterRow[] {
    return [...PARAMETERS.values()].map(parameter => {
      const value = this.configured.get(parameter.name) ?? parameter.default
      return { ...parameter, shown: isSecret(parameter.name) && value !== '' ? MASK : value }
    })
  }

  /** Takes ALTER PROXYCONFIG SET. @throws config.unknown-parameter, config.read-only, config.invalid-value */
  set(name: string, text: string): void {
    if (known(name).name === 'app_name') throw new Fault('config.read-only', { name })
    const plain = HASHED_PASSWORDS.has(name) && text !== ''
    const value = plain ? createHash('sha1').update(text).digest('hex') : validated(name, text)
    const next = new Map(this.configured).set(name, value)
    check(next)
    this.persist(next)
    this.configured = next
    for (const listener of this.listeners) listener(name)
  }

  private persist(values: ReadonlyMap<string, string>): void {
    const kept = [...values]
      .filter(([name]) => PARAMETERS.get(name)?.visibility !== 'MEMORY')
      .sort()
    const text = `${JSON.stringify({ schema: STORE_SCHEMA, values: Object.fromEntries(kept) })}\n`
    writeAtomically(join(this.folder, 'proxyconfig_v1.db'), text)
    // Deployers tell a first start by this file (proxy-admin.md §1.2).
    const marker = join(this.folder, 'obproxy_config.bin')
    if (!existsSync(marker)) writeAtomically(marker, 'obfleet\n')
  }
}

function known(name: string): Parameter {
  const parameter = PARAMETERS.get(name)
  if (parameter === undefined) throw new Fault('config.unknown-parameter', { name })
  return parameter
}

function validated(name: string, text: string): string {
  const parameter = known(name)
  const value = normalise(parameter, text)
  if (value === undefined) {
    const range = parameter.range === '' ? '' : ` in ${parameter.range}`
    throw new Fault('config.invalid-value', { name, detail: `wants ${parameter.type}${range}` })
  }
  return value
}

/** Checks over several parameters, at start and at each change (proxy-admin.md §3.3). */
function check(values: ReadonlyMap<string, string>): void {
  const of = (name: string) => values.get(name) ?? PARAMETERS.get(name)?.default ?? ''
  const oneOf = (name: string, allowed: readonly string[]) => {
    if (!allowed.includes(of(name)))
      throw new Fault('config.invalid-value', { name, detail: `is one of ${allowed.join(', ')}` })
  }
  oneOf('server_routing_mode', ['oceanbase', 'random', 'mock', 'mysql'])
  oneOf('proxy_service_mode', ['client', 'server'])
  const list = of('rootservice_list')
  if (list !== '' && !/^\s*[^;:\s]+:\d{1,5}\s*(;\s*[^;:\s]+:\d{1,5}\s*)*;?$/.test(list))
    throw new Fault('config.invalid-value', {
      name: 'rootservice_list',
      detail: 'is ip:port;ip:port',
    })
}

function readStored(folder: string): readonly [string, string][] {
  const file = join(folder, 'proxyconfig_v1.db')
  if (!existsSync(file)) return []
  try {
    const { values } = JSON.parse(readFileSync(file, 'utf8')) as { values: Record<string, string> }
    return Object.entries(values)
  } catch (cause) {
    throw new Error(`${file} is damaged; restore it or remove it to start from defaults`, { cause })
  }
}

function writeAtomically(file: string, text: string): void {
  const beside = `${file}.new`
  const descriptor = openSync(beside, 'w', 0o600)
  try {
    writeSync(descriptor, text)
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
  renameSync(beside, file)
}
