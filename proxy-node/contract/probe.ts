/**
 * What a look at a host finds of a proxy that somebody else installed: small facts, bounded to one
 * result line, from which the plane judges whether it can be taken over. Never a secret.
 * Source: management.md §3.3, T1–T13, and A8.
 */
import { z } from 'zod'

/** How the login as root@proxysys went. */
const LOGINS = [
  'done',
  /** The password is not the proxy's. */
  'refused',
  /** The same answer, but this host's own address is public: the proxy may refuse that alone. */
  'refused-address',
  /** Nothing answers at the port. */
  'unreachable',
  /** Its secret could not be read, nobody has tried. */
  'no-secret',
  /** It does not answer as a proxy does. */
  'failed',
] as const

export const probeFactsSchema = z.object({
  /** Proxies that run; one with its workers is one. */
  processes: z.int().min(0),
  pid: z.int().nullable(),
  /** Of the process; its number where it has no name. */
  user: z.string().nullable(),
  /** Of the process, as the host sees it. */
  executable: z.string().nullable(),
  /** Another file lies there by now. */
  isReplaced: z.boolean(),
  workDir: z.string().nullable(),
  /** Without secrets, cut. */
  command: z.string(),
  /** Further processes, `pid user executable` a line, cut. */
  others: z.string(),
  /** Scripts that start the proxy again. */
  watchdogs: z.int().min(0),
  /** What else starts it at a boot and will be switched off, `file:line command`, links and units, one a line; absent: not looked for. */
  autoStart: z.string().default(''),
  /** What starts it, or may, and nobody but people can switch off, `file:line` and units, one a line. */
  startsByHand: z.string().default(''),
  /** Packages of proxies, one a line; null: there is no rpm. */
  rpms: z.string().nullable(),
  /** The package that the executable is of; null: of none. */
  ownedBy: z.string().nullable(),
  /** Somebody listens at the port that was asked for. */
  isListening: z.boolean(),
  login: z.enum(LOGINS),
  loginError: z.string(),
  /** `4.3.1.0-4`; this and what follows is null without a login. */
  version: z.string().nullable(),
  workMode: z.enum(['CONFIG_URL', 'RS_LIST', 'NONE']).nullable(),
  /** Tokens in it are masked. */
  configUrl: z.string().nullable(),
  appName: z.string().nullable(),
  sqlPort: z.int().nullable(),
  exporterPort: z.int().nullable(),
  /** Names, one a line, as many as fit. */
  obClusters: z.string().nullable(),
  obClusterCount: z.int().nullable(),
  /** Of all parameters, as in reports. */
  parameterChecksum: z.string().nullable(),
  /** Parameters that are not as the order wants them. */
  differing: z.int().nullable(),
  /** They, `name=value` a line, as many as fit, values cut. */
  differences: z.string(),
})

export type ProbeFacts = z.infer<typeof probeFactsSchema>
