/** What a look at a proxy comes to, within the bound of a result line: how its parameters differ, and what gives way. Pure. */
import type { DesiredNode } from '#contract/node-state'
import { FIXED_AT_START, PARAMETERS } from '#contract/parameters'
import type { ProbeFacts } from '#contract/probe'
import { isSecret } from '#contract/secret-names'
import { type Change, isSame } from './parameters.ts'
import { withoutSecrets } from './redaction.ts'

/** With the rest of a result below the 2,000 bytes of a line (N7). */
const MAX_FACTS_BYTES = 1_800
const MAX_VALUE_CHARS = 60

/** What has its own bound, in characters. */
const BOUNDS = {
  user: 40,
  executable: 160,
  workDir: 120,
  rpms: 200,
  ownedBy: 100,
  version: 40,
  configUrl: 200,
  appName: 64,
  loginError: 160,
  obClusters: 600,
  autoStart: 400,
  // Never left out: what is in it has to be seen.
  startsByHand: 200,
} as const satisfies Partial<Record<keyof ProbeFacts, number>>

/** Give way in this order when all together is too long; the first two hold what only people read. */
const ELASTIC = [
  'command',
  'others',
  'differences',
  'loginError',
  'autoStart',
  'configUrl',
  'obClusters',
  'rpms',
  'workDir',
  'appName',
  'ownedBy',
  'executable',
] as const

/** The proxy's own counters, which nobody sets. */
const OWN_STATE: ReadonlySet<string> = new Set(['current_local_config_version'])

/** Has its value by the proxy's own hand, its place in a cluster, or is never shown. */
function isLeftOut(name: string): boolean {
  return isSecret(name) || FIXED_AT_START.has(name) || OWN_STATE.has(name)
}

/**
 * What a take-over changes of a proxy's parameters: those that the cluster sets to something else, and
 * those that it leaves at their default. What nobody sets and whose default is not known stays.
 * @param changed those of `running` that are not at the proxy's own default, which may be another one
 */
export function changesOf(
  running: ReadonlyMap<string, string>,
  changed: ReadonlyMap<string, string>,
  desired: DesiredNode['parameters'],
): readonly Change[] {
  const wanted = new Map(Object.entries(desired))
  for (const name of changed.keys()) {
    const otherwise = PARAMETERS.get(name)?.default
    if (!wanted.has(name) && otherwise !== undefined) wanted.set(name, otherwise)
  }
  return [...wanted]
    .filter(([name, value]) => !isLeftOut(name) && !isSame(name, running.get(name), value))
    .map(([name, value]) => ({ name, value }))
    .sort((one, other) => (one.name < other.name ? -1 : 1))
}

/** They, `name=value` as they are. */
export function differencesOf(
  running: ReadonlyMap<string, string>,
  changed: ReadonlyMap<string, string>,
  desired: DesiredNode['parameters'],
): readonly string[] {
  return changesOf(running, changed, desired).map(
    ({ name }) => `${name}=${shownValue(running.get(name) ?? '')}`,
  )
}

export function shownValue(value: string): string {
  return cut(withoutSecrets(value).replace(/\s+/g, ' '), MAX_VALUE_CHARS)
}

/** The facts with every text within its bound, and all of them within a line. */
export function fitted(facts: ProbeFacts): ProbeFacts {
  let kept = facts
  for (const [name, most] of Object.entries(BOUNDS)) kept = within(kept, name, most)
  for (const name of ELASTIC)
    while (bytesOf(kept) > MAX_FACTS_BYTES && (kept[name] ?? '') !== '')
      kept = within(kept, name, (kept[name] ?? '').length - (bytesOf(kept) - MAX_FACTS_BYTES))
  return kept
}

/** Lists lose whole lines. */
function within(facts: ProbeFacts, name: string, most: number): ProbeFacts {
  const text = facts[name as keyof ProbeFacts]
  if (typeof text !== 'string' || text.length <= most) return facts
  if (!text.includes('\n')) return { ...facts, [name]: cut(text, most) }
  const end = text.lastIndexOf('\n', Math.max(0, most))
  return { ...facts, [name]: text.slice(0, Math.max(0, end)) }
}

function cut(text: string, chars: number): string {
  if (text.length <= chars) return text
  return chars < 1 ? '' : `${text.slice(0, chars - 1)}…`
}

function bytesOf(facts: ProbeFacts): number {
  return Buffer.byteLength(JSON.stringify(facts))
}
