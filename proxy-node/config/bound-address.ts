/** Which address the node listens on, by `ip_listen_mode`: 1 IPv4, 2 IPv6, 3 both by one socket. */
import type { ConfigStore } from './store.ts'

const MODE = { six: 2, both: 3 } as const

export function boundAddress(config: Pick<ConfigStore, 'get' | 'number'>): {
  readonly host: string
  /** IPv4 clients come in on the IPv6 socket too. */
  readonly isDual: boolean
} {
  const mode = config.number('ip_listen_mode')
  const isSix = mode === MODE.six || mode === MODE.both
  return {
    host: config.get(isSix ? 'local_bound_ipv6_ip' : 'local_bound_ip'),
    isDual: mode === MODE.both,
  }
}
