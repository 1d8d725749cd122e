/**
 * What `diagnose` finds on one node: named findings for people, and the facts they were drawn from. The
 * answer line of a verb has room for the names only, so the document goes to the plane by a signed
 * upload of its own, bounded, without secrets. Source: management.md §2.6, management-beyond.md §3.
 */
import { z } from 'zod'

export const DIAGNOSIS_SCHEMA = 1

/** Bound of the document as it is sent; what does not fit gives way on the node. */
export const DIAGNOSIS_MAX_BYTES = 24_576

export const FINDING_LEVELS = ['ok', 'warn', 'fail'] as const

export type FindingLevel = (typeof FINDING_LEVELS)[number]

export const DIAGNOSIS_FINDINGS = [
  'process',
  'executable',
  'descriptors',
  'memory',
  'version',
  'unit',
  'watchdog',
  'boot',
  'interrupted',
  'login',
  'exporter',
  'serving',
  'hot-upgrade',
  'clients',
  'congestion',
  'ob-clusters',
  'config-service',
  'certificate',
  'parameters',
  'pending-restart',
  'disk',
  'crash',
  'errors',
  'plane',
  'clock',
] as const

export type DiagnosisFindingId = (typeof DIAGNOSIS_FINDINGS)[number]

const findingSchema = z.object({
  id: z.enum(DIAGNOSIS_FINDINGS),
  level: z.enum(FINDING_LEVELS),
  detail: z.string().max(300),
  /** Null for what is well. */
  remedy: z.string().max(200).nullable(),
})

export type DiagnosisFinding = z.infer<typeof findingSchema>

const text = z.string().max(400)
const count = z.int().min(0)

/** Sizes are bytes, times epoch milliseconds; null is what could not be seen. */
export const diagnosisFactsSchema = z.object({
  process: z
    .object({
      pid: z.int(),
      executable: text,
      /** Without secrets, cut. */
      command: text,
      isReplaced: z.boolean(),
      startedAt: z.int().nullable(),
      /** Of all processes of the proxy together. */
      processes: count,
      residentBytes: count,
      /** Of the process that has most. */
      openFiles: count,
      maxOpenFiles: count.nullable(),
    })
    .nullable(),
  availableBytes: count.nullable(),
  unit: z.object({ active: z.boolean(), pid: z.int().nullable() }).nullable(),
  watchdogs: count,
  version: z.string().max(60).nullable(),
  login: text,
  exporter: text,
  serving: z.string().max(40).nullable(),
  upgrade: z.array(text).max(20),
  ports: z.array(z.object({ port: z.int(), isListening: z.boolean() })).max(4),
  /** Of some of the tenants. */
  clients: z.array(z.object({ cluster: text, tenant: text, count })).max(50),
  /** Of all of them. */
  clientTotal: z.object({ clients: count, tenants: count }).nullable(),
  maxClients: count.nullable(),
  /** Servers that statements are kept away from, `cluster address`. */
  avoided: z.array(text).max(50),
  locationEntries: count.nullable(),
  obClusters: z
    .array(
      z.object({
        name: text,
        /** Of a login as proxyro straight at a root server; null: none let it in. */
        ms: count.nullable(),
        /** Number of the error, code of a fault, or 0 for silence; null: it went well. */
        error: z.union([z.int(), z.string().max(60)]).nullable(),
      }),
    )
    .max(16),
  configService: text.nullable(),
  /** When the next certificate in use expires; null: none is in use. */
  certificateExpiresAt: z.int().nullable(),
  differing: z.array(text).max(50),
  pendingRestart: z.array(text).max(50),
  disks: z
    .array(
      z.object({
        folder: text,
        freeBytes: count,
        totalBytes: count,
        freeInodes: count,
        totalInodes: count,
      }),
    )
    .max(4),
  /** The newest core or dump. */
  crash: z.object({ file: text, at: z.int() }).nullable(),
  /** The last lines of errors, redacted, the newest last. */
  errors: z.array(text).max(20),
  /** Of the last hour, in the ends of the logs. */
  errorCount: count,
  plane: text,
  /** This host's clock minus the plane's. */
  clockMs: z.int().nullable(),
  bootFailure: text.nullable(),
  /** What an interrupted verb has left, in words. */
  left: z.array(text).max(10),
  /** Steps of the node's ledger, the newest last. */
  ledger: z.array(z.object({ verb: z.string().max(20), at: z.int(), outcome: text })).max(10),
})

export type DiagnosisFacts = z.infer<typeof diagnosisFactsSchema>

export const diagnosisSchema = z.object({
  schema: z.int(),
  nodeId: z.string().min(1).max(60),
  instanceId: z.string().min(1).max(40),
  /** The operation of this node that asked for it. */
  operationId: z.string().min(1).max(60),
  at: z.int(),
  findings: z.array(findingSchema).max(DIAGNOSIS_FINDINGS.length),
  facts: diagnosisFactsSchema,
})

export type Diagnosis = z.infer<typeof diagnosisSchema>

/** `disk=warn`, one a word: what is left of the findings when only the answer line arrives. */
export function levelsText(findings: readonly DiagnosisFinding[]): string {
  return findings
    .filter(({ level }) => level !== 'ok')
    .map(({ id, level }) => `${id}=${level}`)
    .join(' ')
}
