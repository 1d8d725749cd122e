/** `/metrics` on the exporter's port; whatever else is asked for is not there. */
import { createServer, type Server } from 'node:http'

const TRIES = 20
const PAUSE_MS = 100

export type Numbers = {
  readonly clients: number
  readonly servers: number
  readonly transactions: number
  readonly logins: number
}

export class Exporter {
  private readonly labels: string
  private readonly numbers: () => Numbers
  private server: Server | undefined
  private scrapes = 0

  constructor(labels: Readonly<Record<string, string>>, numbers: () => Numbers) {
    this.labels = Object.entries(labels)
      .map(([name, value]) => `${name}="${value}"`)
      .join(',')
    this.numbers = numbers
  }

  /** Whose place it takes may need a moment to leave. @throws Error when the port stays taken */
  async open(host: string, port: number): Promise<void> {
    for (let left = TRIES; ; left -= 1) {
      try {
        this.server = await this.listening(host, port)
        return
      } catch (error) {
        if (left === 1) throw error
      }
      await new Promise(done => setTimeout(done, PAUSE_MS))
    }
  }

  close(): void {
    this.server?.close()
    this.server?.closeAllConnections()
    this.server = undefined
  }

  private listening(host: string, port: number): Promise<Server> {
    const server = createServer((request, response) => {
      if (request.url !== '/metrics') {
        response.writeHead(404).end()
        return
      }
      this.scrapes += 1
      response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' }).end(this.text())
    })
    return new Promise((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, host, () => resolve(server))
    })
  }

  private text(): string {
    const { clients, servers, transactions, logins } = this.numbers()
    const series: readonly (readonly [string, string, string, number])[] = [
      ['odp_current_session', 'gauge', 'sessionType="client",vip=""', clients],
      ['odp_current_session', 'gauge', 'sessionType="server",vip=""', servers],
      ['odp_transaction_total', 'counter', '', transactions],
      ['odp_new_client_connections', 'counter', 'connectionResult="success",vip=""', logins],
      ['exposer_scrapes_total', 'counter', '', this.scrapes],
    ]
    const lines: string[] = []
    for (const [name, type, own, value] of series) {
      if (!lines.includes(`# TYPE ${name} ${type}`)) lines.push(`# TYPE ${name} ${type}`)
      lines.push(`${name}{${[this.labels, own].filter(part => part !== '').join(',')}} ${value}`)
    }
    return `${lines.join('\n')}\n`
  }
}
