/**
 * What one node should be: sent inside an order, kept on the node's disk, read again at boot, so
 * that a node returns to the state it had with the control plane gone. No secrets, only references.
 */
import { z } from 'zod'

export const NODE_STATE_SCHEMA = 1

export const clusterNameSchema = z
  .string()
  .regex(/^[A-Za-z][A-Za-z0-9_]{0,62}$/, 'a letter, then letters, digits and _, at most 63')

/** Of a listening socket that needs no privilege. */
export const portSchema = z.int().min(1025).max(65_535)

/** Home of the managed proxy under the node's root, absolute. */
export const homeSchema = z
  .string()
  .max(200)
  .regex(/^\/[A-Za-z0-9._/-]+$/, 'an absolute path')
  .refine(path => !path.split('/').includes('..'), 'without ..')

/** Reference of a Parameter Store SecureString, ARN or name; never the secret. */
export const secretReferenceSchema = z
  .string()
  .regex(/^(\/|arn:aws[a-z-]*:ssm:)[A-Za-z0-9_./:-]{1,1000}$/, 'a Parameter Store name or ARN')

/** RS_LIST: exactly one OB cluster, given at creation. */
const rootserviceLinkSchema = z.object({
  obCluster: z.string().min(1).max(128),
  /** `ip:sqlPort;ip:sqlPort`. */
  rootserviceList: z.string().min(1).max(4000),
  /** Of proxyro's password. */
  proxyroSecret: secretReferenceSchema,
  /** Of the one in the second slot, while the password is being changed. */
  proxyroSecret1: secretReferenceSchema.optional(),
})

/** CONFIG_URL: none to many, asked for over HTTP. */
const configLinkSchema = z.object({
  /** Without its token; has a `?` (PL12). */
  configUrl: z
    .string()
    .max(1000)
    .regex(/^https?:\/\/[^\s,'"@]+\?[^\s,'"]+$/, 'a URL of http with a query'),
  /** Of the token that is added to it. */
  tokenSecret: secretReferenceSchema,
  /** Of proxyro's passwords for all OB clusters, in the order of the slots; each once. */
  proxyroSecrets: z.array(secretReferenceSchema).max(2),
})

/** proxyro's passwords for one OB cluster, in the order of the slots: proxies of family 4 keep them apart. */
const proxyroRowSchema = z.object({
  obCluster: z.string().min(1).max(128),
  secrets: z.array(secretReferenceSchema).min(1).max(2),
})

export const desiredNodeSchema = z.object({
  schema: z.int(),
  clusterId: z.string().min(1).max(60),
  clusterName: clusterNameSchema,
  nodeId: z.string().min(1).max(60),
  state: z.enum(['RUNNING', 'STOPPED', 'DELETED']),
  version: z.string().min(1).max(60),
  ports: z.object({
    sql: portSchema,
    exporter: portSchema,
  }),
  home: homeSchema,
  proxyId: z.int().min(0).max(8191),
  /** How it finds its OB clusters. */
  link: z.union([rootserviceLinkSchema, configLinkSchema]),
  /** What holds for one OB cluster instead; absent: nothing, as in family 3. */
  proxyroRows: z.array(proxyroRowSchema).max(50).optional(),
  /** Of the password of root@proxysys. */
  sysPasswordSecret: secretReferenceSchema,
  /** Proxy parameters of this cluster, name → value as `ALTER PROXYCONFIG` takes it. */
  parameters: z.record(z.string(), z.string()),
  parameterVersion: z.int().min(0),
})

export type DesiredNode = z.infer<typeof desiredNodeSchema>
