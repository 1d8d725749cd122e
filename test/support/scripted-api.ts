/** The few calls of an `ApiClient` from memory, with what was asked of it. */
import { type Answer, type ApiClient, ApiError } from '../../infra/local/stack/api-client.ts'

export class ScriptedApi implements ApiClient {
  /** Bodies by path, without the query; a function is asked at each GET. */
  readonly bodies = new Map<string, unknown>()
  /** Problems by `METHOD /path`. */
  readonly problems = new Map<string, ApiError>()
  /** `METHOD /path`, GETs left out. */
  readonly changes: string[] = []

  list(path: string, items: readonly unknown[] | (() => readonly unknown[])): void {
    const page = (some: readonly unknown[]) => ({ items: some, nextCursor: null })
    this.bodies.set(path, typeof items === 'function' ? () => page(items()) : page(items))
  }

  async get(path: string): Promise<Answer> {
    const [bare = ''] = path.split('?')
    const body = this.bodies.get(bare)
    if (body === undefined) throw new ApiError(404, 'not-found', `nothing at ${bare}`)
    return { status: 200, etag: '"7"', body: typeof body === 'function' ? body() : body }
  }

  put = (path: string) => this.change('PUT', path)
  patch = (path: string) => this.change('PATCH', path)
  post = (path: string) => this.change('POST', path)
  delete = (path: string) => this.change('DELETE', path)

  private async change(method: string, path: string): Promise<Answer> {
    const problem = this.problems.get(`${method} ${path}`)
    if (problem !== undefined) throw problem
    this.changes.push(`${method} ${path}`)
    return { status: 200, etag: null, body: this.bodies.get(path) }
  }
}

/** A node as the API shows it. */
export function nodeJson(name: string, more: object = {}, status: object = {}): object {
  return {
    id: `nod_${name}`,
    name,
    cluster: { id: 'clu_1', name: name.slice(0, name.lastIndexOf('-')) },
    ...more,
    spec: { host: 'i-1', sqlPort: 2883, exporterPort: 2884, desiredState: 'RUNNING' },
    status: {
      status: 'RUNNING',
      address: '127.0.0.1',
      heldBy: null,
      report: { bootId: 'boot-2', reason: null },
      ...status,
    },
  }
}

export function clusterJson(name: string, phase = 'RUNNING'): object {
  const sysPasswordSecret = `/obfleet/clusters/${name}/proxysys`
  return { id: `clu_${name}`, name, spec: { sysPasswordSecret }, status: { phase } }
}
