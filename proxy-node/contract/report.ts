/** What a node says of itself once a minute and after each verb (N8, PL9). It works for OceanBase's obproxy too. */
import { z } from 'zod'

export const REPORT_SCHEMA = 1

export const nodeReportSchema = z.object({
  schema: z.int(),
  nodeId: z.string().min(1).max(60),
  instanceId: z.string().min(1).max(40),
  /** Epoch milliseconds by the node's clock; the plane orders reports by `sequence`. */
  at: z.int(),
  /** Grows with each report of this node, survives reboots. */
  sequence: z.int().min(1),
  bootId: z.string().max(60),
  /** RUNNING: process there, SQL port answers as proxysys, exporter answers. STOPPED: no process and none wanted. */
  status: z.enum(['RUNNING', 'STOPPED', 'UNAVAILABLE']),
  reason: z.string().max(300).optional(),
  desiredState: z.enum(['RUNNING', 'STOPPED', 'DELETED']),
  pid: z.int().nullable(),
  startedAt: z.int().nullable(),
  version: z.string().max(60).nullable(),
  /** Highest fence the node has accepted. */
  fence: z.int().min(0),
  lastOperationId: z.string().max(60).nullable(),
  parameterVersion: z.int().nullable(),
  parameterChecksum: z.string().max(64).nullable(),
  linkChecksum: z.string().max(64).nullable(),
  clientConnections: z.int().nullable(),
  /** Parameters whose value in force is not the one that is set: a restart is wanted. Absent: not known. */
  pendingRestart: z.array(z.string().max(127)).max(50).optional(),
  /** Of the host, as packages name it: `x86_64`; absent: not known. */
  arch: z.string().max(20).optional(),
  /** Bytes: what the proxy's processes have, and what can be had besides; absent: not known. */
  memory: z.object({ used: z.int().min(0), available: z.int().min(0) }).optional(),
  /** As `SELECT PROXY_STATUS()` says; absent: not known. */
  serving: z.enum(['ACTIVE', 'BE_INACTIVE', 'INACTIVE']).optional(),
})

export type NodeReport = z.infer<typeof nodeReportSchema>
