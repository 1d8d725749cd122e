/** The HTTP side of the local Elastic Load Balancing: signed forms of the plane, and of nobody else. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { endAtOnce, type ListenAddress, listenAt } from '../listening.ts'
import { verifySigV4 } from '../sigv4.ts'
import { answered } from './calls.ts'
import { ElbError, errorXml } from './query.ts'
import type { Registry } from './registry.ts'

const MAX_BODY_BYTES = 65_536

export type Keys = { readonly accessKeyId: string; readonly secretAccessKey: string }

export class ElbEndpoint {
  private readonly server: Server
  private readonly registry: Registry
  private readonly keys: Keys

  constructor(registry: Registry, keys: Keys) {
    this.registry = registry
    this.keys = keys
    this.server = createServer((request, response) => {
      this.answer(request, response).catch(() => response.destroy())
    })
  }

  /** Resolves with the port. */
  start(address: ListenAddress): Promise<number> {
    return listenAt(this.server, address)
  }

  stop(): Promise<void> {
    return endAtOnce(this.server)
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const send = (status: number, text: string) => {
      response.writeHead(status, {
        'content-type': 'text/xml',
        'content-length': Buffer.byteLength(text),
      })
      response.end(text)
    }
    try {
      const body = await bodyOf(request)
      this.requirePlane(request, body)
      send(200, answered(new URLSearchParams(body.toString('utf8')), this.registry))
    } catch (error) {
      const known =
        error instanceof ElbError
          ? error
          : new ElbError('InternalFailure', (error as Error).message, 500)
      send(known.status, errorXml(known))
    }
  }

  private requirePlane(request: IncomingMessage, body: Buffer): void {
    const { accessKeyId, secretAccessKey } = this.keys
    const verified = verifySigV4(
      { method: request.method ?? '', url: request.url ?? '/', headers: request.headers, body },
      {
        services: ['elasticloadbalancing'],
        lookup: id => (id === accessKeyId ? { secretAccessKey, who: null } : undefined),
        now: Date.now(),
      },
    )
    if (!verified.ok) throw new ElbError(verified.code, verified.message, 403)
  }
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = []
  let size = 0
  for await (const part of request) {
    size += (part as Buffer).length
    if (size > MAX_BODY_BYTES) throw new ElbError('ValidationError', 'the body is too large', 413)
    parts.push(part as Buffer)
  }
  return Buffer.concat(parts)
}
