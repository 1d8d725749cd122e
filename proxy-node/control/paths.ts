/** Where a node keeps its things: every path under the one root of the instance (N6, empty in the cloud). */
import { join } from 'node:path'

export const PROXY_UNIT = 'obfleet-proxy.service'
export const NODE_UNIT = 'obfleet-node.service'
export const REPORT_UNIT = 'obfleet-report.service'
export const REPORT_TIMER = 'obfleet-report.timer'
/** There for as long as it starts what was found. */
export const FOUND_UNIT = 'obfleet-found.service'

export type Paths = {
  readonly root: string
  /** State of the verbs; 0700. */
  readonly state: string
  readonly spool: string
  readonly units: string
  readonly initSocket: string
  /** Environment of the proxy, with its hashed password; 0600. As the unit names it, without the root. */
  readonly proxyEnvironment: string
  /** What differs between hosts, for verbs that the service manager starts. */
  readonly hostEnvironment: string
}

export function pathsUnder(root: string): Paths {
  return {
    root,
    state: join(root, '/', 'var/lib/obfleet'),
    spool: join(root, '/', 'var/spool/obfleet'),
    units: join(root, '/', 'etc/systemd/system'),
    initSocket: join(root, '/', 'run/init.sock'),
    proxyEnvironment: '/var/lib/obfleet/proxy.env',
    hostEnvironment: '/etc/obfleet/node.env',
  }
}

/** `path` as it lies on this machine. */
export function rooted({ root }: Paths, path: string): string {
  return join(root, '/', path)
}
