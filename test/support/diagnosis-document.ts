/** A diagnosis as a node sends it in, with whatever a suite wants to be otherwise. */
import type { Diagnosis, DiagnosisFacts } from '#contract/diagnosis'
import { diagnosisFindings } from '../../proxy-node/control/diagnosis-findings.ts'

export const LOOKED_AT = Date.parse('2026-11-24T10:00:00Z')

/** Of a node that is well. */
export const WELL: DiagnosisFacts = {
  process: {
    pid: 12,
    executable: '/home/admin/obproxy/bin/obproxy',
    command: '/home/admin/obproxy/bin/obproxy -N -p 2883',
    isReplaced: false,
    startedAt: LOOKED_AT - 3_600_000,
    processes: 3,
    residentBytes: 200 * 2 ** 20,
    openFiles: 100,
    maxOpenFiles: 655_350,
  },
  availableBytes: 4 * 2 ** 30,
  unit: { active: true, pid: 12 },
  watchdogs: 0,
  version: '4.3.2.0-1',
  login: '',
  exporter: '',
  serving: 'ACTIVE',
  upgrade: ['state:HU_STATE_WAIT_HU_CMD'],
  ports: [{ port: 2883, isListening: true }],
  clients: [{ cluster: 'ob', tenant: 'app', count: 3 }],
  clientTotal: { clients: 3, tenants: 1 },
  maxClients: 8192,
  avoided: [],
  locationEntries: 12,
  obClusters: [{ name: 'ob', ms: 3, error: null }],
  configService: null,
  certificateExpiresAt: null,
  differing: [],
  pendingRestart: [],
  disks: [
    {
      folder: '/home/admin/obproxy',
      freeBytes: 5 * 2 ** 30,
      totalBytes: 2 ** 33,
      freeInodes: 900,
      totalInodes: 1000,
    },
  ],
  crash: null,
  errors: [],
  errorCount: 0,
  plane: '',
  clockMs: 20,
  bootFailure: null,
  left: [],
  ledger: [{ verb: 'start', at: LOOKED_AT - 3_600_000, outcome: 'ok' }],
}

export function diagnosisOf(
  of: Pick<Diagnosis, 'nodeId' | 'instanceId' | 'operationId'>,
  facts: Partial<DiagnosisFacts> = {},
): Diagnosis {
  const all = { ...WELL, ...facts }
  const desired = { state: 'RUNNING', version: '4.3.2.0-1' } as const
  return {
    schema: 1,
    ...of,
    at: LOOKED_AT,
    findings: [...diagnosisFindings(all, { desired, now: LOOKED_AT })],
    facts: all,
  }
}
