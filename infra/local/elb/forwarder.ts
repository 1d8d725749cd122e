/**
 * A balancer of TCP connections over the members of a registry, one after the other. Who is deregistered
 * gets no new ones and keeps those it has until its delay is over; then they are closed, as with
 * `deregistration_delay.connection_termination.enabled`. With no healthy member all of them are tried.
 */
import { connect, createServer, type Server, type Socket } from 'node:net'
import { listenAt } from '../listening.ts'
import type { Member, Registry } from './registry.ts'

export type ForwarderSettings = {
  readonly host: string
  readonly port: number
  readonly checkEveryMs: number
  /** Of one connection to a member, checks included. */
  readonly connectMs: number
}

type Pair = { readonly member: Member; readonly client: Socket; readonly backend: Socket }

export class Forwarder {
  private readonly registry: Registry
  private readonly settings: ForwarderSettings
  private readonly server: Server
  private readonly pairs = new Set<Pair>()
  private timer: NodeJS.Timeout | undefined
  private turn = 0

  constructor(registry: Registry, settings: ForwarderSettings) {
    this.registry = registry
    this.settings = settings
    this.server = createServer({ pauseOnConnect: true }, client => this.accept(client))
  }

  /** Resolves with the port. */
  start(): Promise<number> {
    this.timer = setInterval(() => void this.look(), this.settings.checkEveryMs)
    return listenAt(this.server, this.settings)
  }

  stop(): void {
    clearInterval(this.timer)
    this.server.close()
    for (const { client, backend } of this.pairs) {
      client.destroy()
      backend.destroy()
    }
  }

  private accept(client: Socket): void {
    client.on('error', () => {})
    const member = this.next()
    if (member === undefined) return void client.destroy()
    const backend = connect({ host: member.host, port: member.port })
    const pair = { member, client, backend }
    this.pairs.add(pair)
    client.setNoDelay(true)
    backend.setNoDelay(true)
    backend.setTimeout(this.settings.connectMs, () => backend.destroy())
    backend.once('connect', () => {
      backend.setTimeout(0)
      client.pipe(backend)
      backend.pipe(client)
    })
    backend.on('error', () => {})
    const end = () => {
      this.pairs.delete(pair)
      // What one of them has said still reaches the other.
      client.destroySoon()
      backend.destroySoon()
    }
    client.once('close', end)
    backend.once('close', end)
  }

  private next(): Member | undefined {
    const all = this.registry.members().filter(({ drainsUntil }) => drainsUntil === null)
    const healthy = all.filter(({ health }) => health === 'healthy')
    const some = healthy.length > 0 ? healthy : all
    this.turn += 1
    return some[this.turn % Math.max(1, some.length)]
  }

  private async look(): Promise<void> {
    const members = this.registry.members()
    for (const { member, client, backend } of this.pairs)
      if (!members.some(({ id, port }) => id === member.id && port === member.port)) {
        client.destroy()
        backend.destroy()
      }
    await Promise.all(
      members.map(async member =>
        this.registry.note(member, (await this.answers(member)) ? 'healthy' : 'unhealthy'),
      ),
    )
  }

  private answers({ host, port }: Member): Promise<boolean> {
    return new Promise(resolve => {
      const socket = connect({ host, port, timeout: this.settings.connectMs })
      const end = (isThere: boolean) => {
        socket.destroy()
        resolve(isThere)
      }
      socket.once('connect', () => end(true))
      socket.once('timeout', () => end(false))
      socket.once('error', () => end(false))
    })
  }
}
