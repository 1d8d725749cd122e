/**
 * What is set below the global level, as a worker has it: told whole with each change, looked up once a
 * login and once a session after a change, worked out once for all sessions of the same rows.
 * Source: proxy-admin.md §3.5.
 */
import { PARAMETERS } from '#contract/parameters'
import { isSecret } from '#contract/secret-names'
import { type LoginRules, loginRulesOf } from '../auth/identity.ts'
import {
  decidedBelow,
  type Levels,
  type PlaceValues,
  placeKey,
  placesOf,
  type Whose,
} from '../config/levels.ts'
import { defaultText, type ParameterReader, readerOf } from '../config/reader.ts'
import type { ConfigStore } from '../config/store.ts'
import type { SessionSettings } from '../session/ports.ts'
import { sessionSettings } from './session-settings.ts'

type ToldPlace = Omit<PlaceValues, 'values'> & {
  readonly values: Readonly<Record<string, string>>
}

/** Rows without secrets; with them what is set for the node, since settings are made of both. */
export type LevelNews = {
  readonly node: Readonly<Record<string, string>>
  readonly places: readonly ToldPlace[]
}

export function levelNews(config: ConfigStore): LevelNews {
  const places = config.places().flatMap(place => {
    const open = [...place.values].filter(([name]) => !isSecret(name))
    return open.length === 0 ? [] : [{ ...place, values: Object.fromEntries(open) }]
  })
  if (places.length === 0) return { node: {}, places }
  const set = [...PARAMETERS.keys()].filter(name => config.isSet(name) && !isSecret(name))
  return { node: Object.fromEntries(set.map(name => [name, config.get(name)])), places }
}

/** Combinations of rows that are remembered; sessions keep what they have. */
const MAX_REMEMBERED = 10_000

/** The node's own, made from the same news. */
type General = {
  readonly sessions: SessionSettings
  readonly login: LoginRules
  readonly slowQueryMs: number
}

export class LevelSettings {
  private readonly levels: Levels
  private readonly node: Readonly<Record<string, string>>
  private readonly general: General
  private readonly workers: number
  private readonly made = new Map<string, SessionSettings>()

  constructor({ node, places }: LevelNews, general: General, workers: number) {
    this.levels = new Map(
      places.map(place => [
        placeKey(place),
        { ...place, values: new Map(Object.entries(place.values)) },
      ]),
    )
    this.node = node
    this.general = general
    this.workers = workers
  }

  /** The same object for all who have the same rows. */
  of(whose: Whose): SessionSettings {
    const places = placesOf(this.levels, whose)
    if (places.length === 0) return this.general.sessions
    const key = places.map(placeKey).join('\x01')
    const known = this.made.get(key)
    if (known !== undefined) return known
    const made = {
      ...sessionSettings(this.reader(places), this.workers),
      setBelow: setBelow(places),
    }
    if (this.made.size >= MAX_REMEMBERED) this.made.clear()
    this.made.set(key, made)
    return made
  }

  /** By where the client has connected to: who it is is what they say. */
  loginRules(vip: Whose['vip']): LoginRules {
    const places = placesOf(this.levels, { cluster: '', tenant: '', vip })
    return places.length === 0 ? this.general.login : loginRulesOf(this.reader(places).get)
  }

  /** What takes longer counts as slow. */
  slowMs(cluster: string, tenant: string): number {
    const places = placesOf(this.levels, { cluster, tenant, vip: undefined })
    if (places.length === 0) return this.general.slowQueryMs
    return this.reader(places).timeMs('slow_query_time_threshold')
  }

  private reader(places: readonly PlaceValues[]): ParameterReader {
    return readerOf(
      name => decidedBelow(places, name)?.value ?? this.node[name] ?? defaultText(name),
    )
  }
}

/** By name; where several places set it, the first decides. */
function setBelow(places: readonly PlaceValues[]): SessionSettings['setBelow'] {
  const names = new Set(places.flatMap(({ values }) => [...values.keys()]))
  return [...names].sort().flatMap(name => {
    const decided = decidedBelow(places, name)
    return decided === undefined ? [] : [[name, decided.level] as const]
  })
}
