/**
 * What speaks against a server now: its state, the blacklist, or that nobody knows it. As bits, so that
 * the usual answer, nothing, costs one look-up. Source: proxy-routing.md §7.3 (force_congested), §9.3, §9.6.
 */
import { CONGESTED, type Server, type ServerAddress } from '../topology/model.ts'
import { isLoopback } from './ldc.ts'
import type { RouteView } from './view.ts'

export const AGAINST = {
  ...CONGESTED,
  missing: 1 << 3,
  inactive: 1 << 4,
  upgrade: 1 << 5,
  zoneUpgrade: 1 << 6,
  /** Beyond the reference: it is leaving, and what runs there will have to move. */
  deleting: 1 << 7,
  stale: 1 << 8,
} as const

/** Not taken in the first round whatever the blacklist is set to (§7.3). */
export const FORCED = AGAINST.inactive | AGAINST.upgrade | AGAINST.zoneUpgrade | AGAINST.deleting

const WORDS: readonly (readonly [bit: number, words: string])[] = [
  [AGAINST.dead, 'its state says that it does not serve'],
  [AGAINST.alive, 'too many failures'],
  [AGAINST.detected, 'probes fail'],
  [AGAINST.missing, 'no server list names it'],
  [AGAINST.inactive, 'INACTIVE'],
  [AGAINST.upgrade, 'stopped for an upgrade'],
  [AGAINST.zoneUpgrade, 'its zone is stopped for an upgrade'],
  [AGAINST.deleting, 'DELETING'],
  [AGAINST.stale, 'its replica was too old for a weak read'],
]

/** Bits of `AGAINST`; 0: nothing. `isTarget`: a forced target is judged in mock mode, too. */
export function against(
  view: RouteView,
  key: string,
  { host }: ServerAddress,
  isTarget: boolean,
): number {
  const { picture, verdicts } = view
  const server = picture.servers.get(key)
  const isChecked = checks(view, isTarget)
  if (server === undefined) return isChecked && !isLoopback(host) ? AGAINST.missing : 0
  const state = stateAgainst(server)
  return isChecked ? state | verdicts.congestionOf(key) : state
}

/** One that only traffic speaks against gets a statement now and then; explaining takes none (§9.4). */
export function mayTry({ trace, verdicts, nowMs }: RouteView, key: string, bits: number): boolean {
  return bits === AGAINST.alive && trace === undefined && verdicts.letsOneThrough(key, nowMs)
}

/** Whether the blacklist is asked at all (§9.6 row 1). */
function checks({ settings, picture }: RouteView, isTarget: boolean): boolean {
  if (!settings.enableCongestion || !picture.isLoaded || settings.mode === 'mysql') return false
  return settings.mode !== 'mock' || isTarget
}

function stateAgainst({ state, zone }: Server): number {
  let bits = zone.state === 'UPGRADE' ? AGAINST.zoneUpgrade : 0
  if (state === 'INACTIVE') bits |= AGAINST.inactive
  else if (state === 'UPGRADE') bits |= AGAINST.upgrade
  else if (state === 'DELETING') bits |= AGAINST.deleting
  return bits
}

/** For people; empty for nothing. */
export function againstInWords(bits: number): string {
  return WORDS.filter(([bit]) => (bits & bit) !== 0)
    .map(([, words]) => words)
    .join(', ')
}
