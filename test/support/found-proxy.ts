/** A proxy of another installer inside an instance, as it was found: the stand-in under its own watchdog, and what all of it is. */
import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise'
import { vi } from 'vitest'
import { readFound } from '../../proxy-node/control/found.ts'
import { pathsUnder } from '../../proxy-node/control/paths.ts'
import type { NodeInstance } from './node-instance.ts'
import { CURRENT } from './reference-obproxy/executable.ts'
import { type Installation, installRpm } from './reference-obproxy/installation.ts'

const DEADLINE = { timeout: 30_000, interval: 20 }
const RC_LOCAL = 'etc/rc.d/rc.local'
const SCRIPT = 'etc/rc.d/init.d/obproxyd'
const LINK = 'etc/rc.d/rc3.d/S85obproxyd'
/** At a boot its watchdog lets it come up before it looks: another start would be its own work. */
const FIRST_WAIT_SEC = '5'
/** What goes by names of processes looks when verbs of the boot have theirs: until then they are called like it. */
const SLOWLY = 'sleep 1'
/** Of somebody else; when it is there, all that starts at a boot has. */
const OVER = '/var/log/local'
const REST = `touch ${OVER}`

/** No OB cluster is needed then, and hot restarts begin soon. */
const ANSWERS_ITSELF = 'server_routing_mode=mock,proxy_hot_upgrade_check_interval=1s'

export const OLD_SECRET = '/old/manager/proxysys'
export const OLD_PASSWORD = 'of the manager before'

export type AsFound = {
  readonly parameters: Readonly<Record<string, string>>
  readonly rows: readonly string[]
  readonly command: readonly string[]
  readonly watchdogs: readonly (readonly string[])[]
  readonly rcLocal: string
  readonly hasLink: boolean
  readonly etc: readonly string[]
  readonly units: readonly string[]
}

type Host = Pick<NodeInstance, 'root' | 'address' | 'file'>

const MOST_TRIES = 8

type Moment = { readonly phase: string; readonly isThen: () => boolean }

/**
 * Kills an order as soon as a phase is on record, or at a moment of it; it is the order that was killed. One
 * that is over before anybody has looked is undone by `undo`, and begun again.
 */
export async function killedAt(
  node: NodeInstance,
  at: string | Moment,
  begin: () => string,
  undo: () => Promise<unknown>,
): Promise<string> {
  const { phase, isThen } = typeof at === 'string' ? { phase: at, isThen: () => true } : at
  const isThere = () => readFound(pathsUnder(node.root))?.phase === phase && isThen()
  for (let tried = 1; ; tried++) {
    const order = begin()
    const { child, ended } = node.spawn(['run', order])
    let isOver = false
    void ended.then(() => {
      isOver = true
    })
    while (!isOver && !isThere()) await new Promise(done => setTimeout(done, 1))
    if (!isOver) {
      child.kill('SIGKILL')
      await ended
      return order
    }
    if (tried === MOST_TRIES) throw new Error(`${phase} was never seen`)
    await undo()
  }
}

export class FoundProxy {
  readonly installation: Installation
  readonly host: Host

  constructor(host: Host) {
    this.host = host
    this.installation = installRpm(host.root, CURRENT)
    writeFileSync(host.file('etc/passwd'), `admin:x:${process.getuid?.()}:1::/home/admin:\n`)
    mkdirSync(host.file('etc/rc.d/rc3.d'), { recursive: true })
    mkdirSync(host.file('etc/rc.d/init.d'), { recursive: true })
    symlinkSync('../init.d/obproxyd', host.file(LINK))
    this.writeAutoStart([], {})
  }

  /** As its watchdog is started by hand; both look first whether it runs. */
  private writeAutoStart(args: readonly string[], env: Readonly<Record<string, string>>): void {
    const { host, installation } = this
    const script = `${installation.path}/bin/obproxyd.sh`
    const line = [script, '-c', 'start', ...args].join(' ')
    const settings = Object.entries({ OBPROXYD_FIRST_WAIT_SEC: FIRST_WAIT_SEC, ...env })
    const exports = `export ${settings.map(([name, value]) => `${name}=${value}`).join(' ')}`
    writeFileSync(host.file(RC_LOCAL), `#!/bin/sh\n${exports}\n${line}\n${REST}\n`, {
      mode: 0o755,
    })
    const cases = `case "$1" in\nstart) ${line} ;;\nstop) ${script} -c stop ;;\nesac\n`
    writeFileSync(host.file(SCRIPT), `#!/bin/sh\n${SLOWLY}\n${exports}\n${cases}`, { mode: 0o755 })
  }

  get home(): string {
    return this.installation.path
  }

  /** As its watchdog starts it; a part of the instance, so that it ends with it. */
  async start(cluster: string, rootservice: string, more = ANSWERS_ITSELF): Promise<void> {
    const { address, root } = this.host
    const stored = createHash('sha1').update(OLD_PASSWORD).digest('hex')
    const options = `local_bound_ip=${address},obproxy_sys_password=${stored},prometheus_listen_port=2884`
    const args = ['-n', 'shop', '-p', '2883', '-r', '-t', rootservice, '-s', cluster]
    const env = { OBPROXY_LOCAL_IP: address, OBPROXY_EXTRA_OPT: `${options},${more}` }
    this.writeAutoStart(args, env)
    await this.installation.obproxyd('start', args, { OBFLEET_ROOT: root, ...env })
    await this.serving()
  }

  async serving(password = OLD_PASSWORD): Promise<void> {
    await vi.waitFor(async () => {
      const admin = await this.admin(password)
      await admin.end()
    }, DEADLINE)
  }

  /** A boot, with all that it starts. */
  async after(boot: () => Promise<void>): Promise<void> {
    const over = this.host.file(OVER)
    rmSync(over, { force: true })
    await boot()
    await vi.waitFor(() => {
      if (!existsSync(over)) throw new Error('scripts of the boot are at work')
    }, DEADLINE)
  }

  admin(password: string): Promise<Connection> {
    const { address: host } = this.host
    return createConnection({ host, port: 2883, user: 'root@proxysys', password })
  }

  /** One that the proxy answers itself. */
  async client(): Promise<Connection> {
    const { address: host } = this.host
    const client = await createConnection({ host, port: 2883, user: 'u@app' })
    client.on('error', () => {})
    return client
  }

  /** All that a take-over could change. */
  async look(password = OLD_PASSWORD): Promise<AsFound> {
    await this.serving(password)
    const admin = await this.admin(password)
    const [all] = await admin.query<RowDataPacket[]>('SHOW PROXYCONFIG')
    const shown = all.filter(row => row['visible_level'] !== 'virtual')
    const [rows] = await admin.query<RowDataPacket[]>(
      "SELECT cluster_name, name, value FROM proxy_config WHERE config_level <> 'LEVEL_GLOBAL'",
    )
    admin.destroy()
    const watchdogs = await vi.waitFor(() => {
      const all = this.installation.watchdogs()
      if (all.length > 1) throw new Error('its watchdog is looking')
      return all.map(argumentsOf)
    }, DEADLINE)
    const [pid] = this.installation.proxies()
    return {
      parameters: Object.fromEntries(shown.map(row => [row['name'], row['value']])),
      rows: rows.map(row => JSON.stringify(row)),
      command: argumentsOf(pid ?? 0),
      watchdogs,
      rcLocal: readFileSync(this.host.file(RC_LOCAL), 'utf8'),
      hasLink: hasEntry(this.host.file(LINK)),
      etc: readdirSync(join(this.installation.home, 'etc')).sort(),
      units: readdirSync(this.host.file('etc/systemd/system')).filter(name => /obfleet/.test(name)),
    }
  }

  autoStart(): { readonly rcLocal: string; readonly hasLink: boolean } {
    return {
      rcLocal: readFileSync(this.host.file(RC_LOCAL), 'utf8'),
      hasLink: hasEntry(this.host.file(LINK)),
    }
  }
}

function hasEntry(link: string): boolean {
  return existsSync(link) || readdirSync(join(link, '..')).includes(link.split('/').at(-1) ?? '')
}

/** Without the digest of a password, which is stored and need not be said again. */
function argumentsOf(pid: number): readonly string[] {
  return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
    .split('\0')
    .filter(argument => argument !== '')
    .map(argument => argument.replace(/\w+_password1?=[^,]*,?/g, ''))
}
