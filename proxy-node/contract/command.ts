/**
 * The closed set of lifecycle commands that Run Command carries to nodes. One document, one
 * parameter `order`: base64url JSON of an `Order`, a manifest from instance id to that node's entry
 * (PL3, ssm-run-command.md §9). There is no "run this shell".
 */
import { z } from 'zod'
import { logFilterSchema } from './log-filter.ts'
import { desiredNodeSchema, portSchema, secretReferenceSchema } from './node-state.ts'

/** Version of the order's shape; a node reads this one and the one before it (PL6). */
export const ORDER_SCHEMA = 1

/** Bound of the encoded order, as in the document's allowedPattern `^[A-Za-z0-9_-]{1,16384}$`. */
export const ORDER_MAX_CHARS = 16_384

export const VERBS = [
  'install',
  'start',
  'stop',
  'restart',
  'upgrade',
  'revert',
  'refresh',
  'drain',
  'undrain',
  'check',
  'status',
  'report',
  'uninstall',
  'probe',
  'take-over',
  'give-back',
  'release',
  'alter-proxyro',
  'diagnose',
  'collect-logs',
] as const

export type Verb = (typeof VERBS)[number]

export const packageRefSchema = z.object({
  /** `obproxy-<version>-<build>.<os>.<arch>.tar.gz` (PL11). */
  fileName: z.string().min(1).max(200),
  /** `4.3.2.0-1`: what the node will report. */
  version: z.string().min(1).max(60),
  sha256: z.string().regex(/^[0-9a-f]{64}$/, '64 hexadecimal digits'),
  sizeBytes: z.int().min(1),
  /** `spool:<file name>`, an https or an s3 URL. */
  url: z.string().min(1).max(1000),
})

export type PackageRef = z.infer<typeof packageRefSchema>

const probeSchema = z.object({
  /** `user@tenant`. */
  user: z.string().regex(/^[^#\s]{1,128}$/, 'user@tenant, without the OB cluster'),
  passwordSecret: secretReferenceSchema,
  cluster: z.string().regex(/^[^#\s]{1,128}$/, 'name of an OB cluster'),
})

/** Logins of one check: as many as fit into its answer line. */
export const MAX_PROBES = 8

/** Of how many OB clusters one order changes, or tries, the password of proxyro. */
export const MAX_PROXYRO_CHANGES = 50

const proxyroSchema = z.object({
  obCluster: z.string().min(1).max(128),
  /** `ip:sqlPort` each; any of them will do. */
  rootservice: z.array(z.string().min(1).max(260)).min(1).max(32),
  /** Of the password that it may have now; absent: only tried. */
  from: secretReferenceSchema.optional(),
  /** Of the one that it has afterwards. */
  to: secretReferenceSchema,
})

export type ProxyroOrder = z.infer<typeof proxyroSchema>

export const orderEntrySchema = z.object({
  /** The child operation of this node. */
  operationId: z.string().min(1).max(60),
  /** Step of that operation; with `attempt` the key of the node's ledger (N7). */
  step: z.string().min(1).max(60),
  attempt: z.int().min(1),
  /** Grows for ever per host (PL1); a node refuses a smaller one than it has seen. */
  fence: z.int().min(1),
  /** Epoch milliseconds after which this node may not begin, where that is before the order's own time. */
  expiresAt: z.int().optional(),
  /** What the node should be afterwards; for probe, what it would be; absent for status and report. */
  desired: desiredNodeSchema.optional(),
  /** For install and upgrade. */
  package: packageRefSchema.optional(),
  /**
   * For restart, upgrade and revert. `hot`: another process takes the listening sockets over and clients
   * stay until they are drained. `force`: stop, start; clients are cut. Absent: `force`, as orders of before said.
   */
  mode: z.enum(['hot', 'force']).optional(),
  /** How long clients may stay with a process that is being replaced or drained, seconds; absent: as the proxy is set. */
  drainSec: z.int().min(0).max(86_400).optional(),
  /** For drain: done when no more clients than these are left. */
  maxClients: z.int().min(0).optional(),
  /** For check: logins to try through the proxy, one for each OB cluster that is to be reached. */
  probe: z.array(probeSchema).max(MAX_PROBES).optional(),
  /** For collect-logs. */
  logs: logFilterSchema.optional(),
  /** For probe: where the proxy takes clients that is looked at. */
  sqlPort: portSchema.optional(),
  /** For probe and take-over: of the password that root@proxysys has now; absent: none. */
  sysPasswordSecret: secretReferenceSchema.optional(),
  /** For alter-proxyro: what is changed. For refresh and start: logins that must work before anything is done. */
  proxyro: z.array(proxyroSchema).max(MAX_PROXYRO_CHANGES).optional(),
})

export type OrderEntry = z.infer<typeof orderEntrySchema>

export const orderSchema = z.object({
  schema: z.int(),
  verb: z.enum(VERBS),
  /** Epoch milliseconds after which no node may begin: a cancelled command can still run at the next boot. */
  expiresAt: z.int(),
  nodes: z.record(z.string(), orderEntrySchema),
})

export type Order = z.infer<typeof orderSchema>

/** When an entry expires: its step fails then, and whoever comes next may have the node. */
export function expiryOf(order: Pick<Order, 'expiresAt'>, entry: OrderEntry): number {
  return Math.min(order.expiresAt, entry.expiresAt ?? order.expiresAt)
}

/** Result of one verb, the one JSON line on stdout, at most 2,000 bytes (N7). */
export const verbResultSchema = z.object({
  ok: z.boolean(),
  verb: z.enum(VERBS),
  operationId: z.string().optional(),
  step: z.string().optional(),
  attempt: z.int().optional(),
  /** Fault code when not ok. */
  code: z.string().max(60).optional(),
  /** One sentence: what was attempted, on what, what to do next. Never a secret. */
  message: z.string().max(600).optional(),
  /** The stored result of an earlier run of the same step was returned. */
  replayed: z.boolean().optional(),
  /** Small facts: pid, version, status. */
  facts: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])).optional(),
})

export type VerbResult = z.infer<typeof verbResultSchema>

/** Encodes an order as the document's parameter. @throws RangeError above ORDER_MAX_CHARS. */
export function encodeOrder(order: Order): string {
  const text = Buffer.from(JSON.stringify(order), 'utf8').toString('base64url')
  if (text.length > ORDER_MAX_CHARS)
    throw new RangeError(`order of ${text.length} characters exceeds ${ORDER_MAX_CHARS}`)
  return text
}

/** Parses the document's parameter. @throws Error with a plain message when it is no order. */
export function decodeOrder(text: string): Order {
  if (text.length > ORDER_MAX_CHARS) throw new Error('order is longer than 16384 characters')
  if (!/^[A-Za-z0-9_-]+$/.test(text)) throw new Error('order is not base64url text')
  return orderSchema.parse(JSON.parse(Buffer.from(text, 'base64url').toString('utf8')))
}
