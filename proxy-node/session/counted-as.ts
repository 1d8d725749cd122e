/** How decisions are counted. */
import { ROUTES, type RouteName } from '#contract/names'
import type { DecisionKind } from '../routing/decision.ts'

const NAMES: Readonly<Record<DecisionKind, RouteName>> = {
  leader: 'leader',
  replica: 'replica',
  blind: 'blind',
  'primary-zone': 'primary_zone',
  'cached-server': 'cached',
  'last-insert-id': 'cached',
  'last-server': 'bound',
  coordinator: 'bound',
  'lock-server': 'bound',
  holder: 'bound',
  bound: 'forced',
  'target-servers': 'forced',
  'test-servers': 'forced',
  'single-leader': 'single_leader',
  none: 'blind',
}

/** Positions in `ROUTES`, made once: each statement looks one up. */
export const COUNTED_AS = Object.fromEntries(
  Object.entries(NAMES).map(([kind, name]) => [kind, ROUTES.indexOf(name)]),
) as Readonly<Record<DecisionKind, number>>
/** Of what is not decided about. */
export const BOUND = ROUTES.indexOf('bound')
export const FORCED = ROUTES.indexOf('forced')
