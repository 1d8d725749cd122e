/** The other clients of a node that is one worker alone: tests, and a worker's own part of the answer. */
import type { Peers } from './ports.ts'
import type { Sessions } from './sessions.ts'

export function peersOf(sessions: () => Sessions): Peers {
  return {
    list: by => Promise.resolve(sessions().processRows(by)),
    kill: (id, by, onlyQuery) => Promise.resolve(sessions().killFor(id, by, onlyQuery)),
  }
}

/** Settings of a session where nobody says otherwise: the defaults of the parameters (§9). */
export const DEFAULT_SETTINGS = {
  maxAttempts: 3,
  connectTimeoutMs: 5_000,
  minConnectingMs: 100,
  loginTimeoutMs: 10_000,
  maxLoginBytes: 64 * 1024,
  maxLogins: 4096,
  maxLoginsPerAddress: 1024,
  evictsIdle: false,
  inactivitySeconds: 180_000,
  isReadOnly: false,
  readsWeakly: false,
  maxReadStaleUs: -1,
  initSql: [],
  isTlsForced: false,
  usesServerTls: false,
  setBelow: [],
  queryTimeoutDeltaMs: 20_000,
  maxMemoryBytes: 8 * 1024 * 1024,
  usesOb20: true,
  checksCluster: true,
  tracesFullLink: false,
  routing: {
    mode: 'oceanbase',
    testServers: [],
    enableCongestion: true,
    enablePrimaryZone: true,
    enableCachedServer: true,
    enableSingleLeaderNodeRouting: true,
    enableReadWriteSplit: false,
    enableTransactionSplit: false,
    proxyPrimaryZones: [],
    proxyRoutePolicy: undefined,
    maxRetries: 3,
    avoidsStaleReplicas: false,
    staleRetryMs: 5_000,
    staleRemoveMs: 21_600_000,
    enableReroute: false,
    enableWeakReroute: true,
  },
  targets: [],
  idcName: '',
  routesRoutines: true,
  prunes: true,
  analysedBytes: 4096,
  wholeBytes: 8192,
  rejectsUnroutable: false,
  diagnosisLevel: 2,
  digests: 1000,
} as const
