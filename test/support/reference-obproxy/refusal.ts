/** The errors that the proxy answers itself (proxy-admin.md §2.7): number, SQLSTATE and text in one place. */

const CATALOGUE = {
  'unknown-command': [5010, '21000', 'Unknown operator, bad internal cmd'],
  'unknown-parameter': [5099, '42000', 'System config unknown'],
  'invalid-config': [4147, 'HY000', 'Invalid config'],
  'invalid-argument': [1210, 'HY000', 'Invalid argument'],
  'not-supported': [1235, '0A000', 'Not supported feature or function'],
  'proxy-id': [10025, 'HY000', 'proxy_id must be below 255 while client_session_id_version is 1'],
  'not-there': [4018, 'HY000', 'Entry not exist'],
  'no-cluster': [4669, 'HY000', 'cluster not exist'],
  denied: [1045, '42000', 'Access denied'],
  'not-owner': [1095, 'HY000', 'You are not owner of thread'],
  'unknown-thread': [1094, 'HY000', 'Unknown thread id'],
  interrupted: [1317, '70100', 'Query execution was interrupted'],
  'too-many-sessions': [1203, '42000', 'Too many sessions'],
  internal: [10001, 'HY000', 'Internal error'],
  'not-connected': [10013, 'HY000', 'An error occurred while connecting to the server'],
  'internal-sql': [10018, 'HY000', 'Failed to execute an internal statement of the proxy'],
  'no-root-services': [10101, 'HY000', 'No root server list'],
  'proxyro-user': [10021, 'HY000', 'User proxyro is the proxy’s own'],
} as const satisfies Record<string, readonly [number, string, string]>

export type RefusalCode = keyof typeof CATALOGUE

/** An answer that is an error packet. */
export class Refusal extends Error {
  readonly errno: number
  readonly state: string
  /** Whether the connection ends with it. */
  readonly isLast: boolean

  constructor(code: RefusalCode, text?: string) {
    super(text ?? CATALOGUE[code][2])
    ;[this.errno, this.state] = CATALOGUE[code]
    this.isLast = code === 'interrupted'
  }
}
