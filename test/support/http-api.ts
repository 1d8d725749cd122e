/** The real app and plane on memory and a scripted fleet, asked over HTTP as a user of the API does. */
import { createHash } from 'node:crypto'
import { createApp } from '../../functions/app.ts'
import type { Principal } from '../../functions/domain/model.ts'
import { hostId } from './scripted-fleet.ts'
import { ScriptedPlane, VERSION } from './scripted-plane.ts'

export const TOKEN = 'test-token'

export type Asked = {
  readonly body?: unknown
  /** In place of `body`: sent as it is. */
  readonly raw?: string
  /** On top of a token, a fresh idempotency key and the type of the body; empty ones are left out. */
  readonly headers?: Readonly<Record<string, string>>
  readonly principal?: Principal
}

export class HttpApi {
  readonly scripted = new ScriptedPlane(3)
  readonly logged: object[] = []
  readonly app = createApp({
    plane: this.scripted.plane,
    tokenSha256: createHash('sha256').update(TOKEN).digest('hex'),
    newRequestId: () => 'request-1',
    log: line => this.logged.push(line),
  })
  #keys = 0

  async ask(method: string, path: string, { body, raw, headers, principal }: Asked = {}) {
    this.#keys += 1
    const text = raw ?? (body === undefined ? undefined : JSON.stringify(body))
    const sent = {
      authorization: `Bearer ${TOKEN}`,
      'idempotency-key': `key-${this.#keys}`,
      ...(text === undefined
        ? {}
        : { 'content-type': 'application/json', 'content-length': String(text.length) }),
      ...headers,
    }
    const response = await this.app.request(
      `/v1${path}`,
      {
        method,
        headers: Object.fromEntries(Object.entries(sent).filter(([, value]) => value !== '')),
        ...(text === undefined ? {} : { body: text }),
      },
      principal === undefined ? {} : { principal },
    )
    const answer = await response.text()
    return {
      status: response.status,
      headers: response.headers,
      type: response.headers.get('content-type'),
      // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
      body: (answer === '' ? undefined : JSON.parse(answer)) as any,
    }
  }
}

/** What a cluster of one node is created with, but for `more` and `spec`. */
export const clusterInput = (more: object = {}, spec: object = {}) => ({
  name: 'orders',
  ...more,
  spec: {
    workMode: 'RS_LIST',
    version: VERSION,
    nodes: [{ host: hostId(1) }],
    links: [{ obCluster: 'ob' }],
    ...spec,
  },
})
