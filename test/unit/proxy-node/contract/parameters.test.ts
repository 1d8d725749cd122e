/** The catalogue says of each parameter whether this proxy works by it; the sources say so too. */
import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import {
  ALLOWED_VALUES,
  FIXED_AT_START,
  isReadOnly,
  PARAMETERS,
  PROXYRO_SLOTS,
} from '#contract/parameters'

const ROOT = resolve(import.meta.dirname, '../../../..')

function textOf(...path: readonly string[]): string {
  return readFileSync(join(ROOT, 'proxy-node', ...path), 'utf8')
}

function textsIn(folder: string): string {
  return readdirSync(join(ROOT, 'proxy-node', folder))
    .map(name => textOf(folder, name))
    .join('\n')
}

/** Parts of the configuration that read it for others. */
const CONFIG_READERS = ['bound-address.ts', 'certificate-watch.ts']

/** What reads the configuration when the proxy runs. */
function readers(): string {
  const made = [textOf('main.ts'), ...['process', 'admin', 'observe'].map(textsIn)].join('\n')
  return [
    made,
    textOf('auth', 'identity.ts'),
    ...CONFIG_READERS.map(name => textOf('config', name)),
  ].join('\n')
}

test('what takes effect is what the node reads, and nothing else', () => {
  const named = new Set([...readers().matchAll(/'([a-z0-9_]+)'/g)].map(([, name]) => name))
  // The list of proxyro's passwords is the contract's.
  const slots = new Set<string>(readers().includes('PROXYRO_SLOTS') ? PROXYRO_SLOTS : [])
  const read = [...PARAMETERS.keys()].filter(name => named.has(name) || slots.has(name))

  const said = [...PARAMETERS.values()].filter(({ takesEffect }) => takesEffect)

  expect(said.map(({ name }) => name)).toEqual(read)
})

test('parameters of routing that the README says to be without effect are', () => {
  const readme = textOf('README.md')
  const from = readme.indexOf('## Parameters of routing without effect')
  const rows = readme.slice(from, readme.indexOf('\n## ', from + 1)).matchAll(/^\| (`.*?`) \|/gm)
  const named = [...rows].flatMap(([, names = '']) => names.replaceAll('`', '').split(', '))

  expect(named.length).toBeGreaterThan(0)
  expect(named.filter(name => PARAMETERS.get(name)?.takesEffect !== false)).toEqual([])
})

test('the README counts them right', () => {
  const readme = readFileSync(join(ROOT, 'README.md'), 'utf8')
  const count = [...PARAMETERS.values()].filter(({ takesEffect }) => takesEffect).length

  expect(readme).toContain(`${PARAMETERS.size} parameters kept, ${count} take effect`)
})

test('rules about single parameters are about parameters that there are', () => {
  const named = [...FIXED_AT_START, ...ALLOWED_VALUES.keys()]

  expect(named.filter(name => !PARAMETERS.has(name))).toEqual([])
  for (const [name, allowed] of ALLOWED_VALUES)
    expect(allowed).toContain(PARAMETERS.get(name)?.default)
})

test('a node’s place and orders are no settings of a cluster', () => {
  const readOnly = [...PARAMETERS.values()].filter(isReadOnly).map(({ name }) => name)

  expect(readOnly).toEqual(expect.arrayContaining([...FIXED_AT_START, 'proxy_local_cmd']))
  expect(readOnly).toEqual(expect.arrayContaining(['partition_location_expire_relative_time']))
  expect(readOnly).not.toContain('client_max_connections')
})
