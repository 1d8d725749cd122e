/**
 * The config service: what CONFIG_URL proxies poll, and where RootService registers its list. A small
 * function of its own that reads the table through a cache, so that it is there when the API is not,
 * and serves on when the table is not. Source: management.md §1.8, decisions PL12.
 */
import { Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import type { Clock } from '../domain/clock.ts'
import type { ObClusterSnapshot } from '../domain/ob-cluster-record.ts'
import { Problem } from '../domain/problem.ts'
import { Conflict, type Store } from '../domain/store.ts'
import { opens } from './access.ts'
import { type Asked, askedOf } from './asked.ts'
import { Cache } from './cache.ts'
import { clusterList, clusterTemplate, idcRegions, rootServices } from './documents.ts'
import { type Answered, failed, Refusal, refused, successful, unauthorised } from './envelope.ts'
import { type ObPicture, obPicture, type ProxyPicture, proxyPictures } from './picture.ts'
import { register, registeredOf, withdraw } from './registration.ts'

export type ConfigServiceDeps = {
  readonly store: Store
  readonly clock: Clock
  /** Where proxies reach this; what a request says of it is not believed. */
  readonly baseUrl: string
  readonly newTraceId: () => string
  readonly log: (line: Readonly<Record<string, unknown>>) => void
}

const MAX_BODY_BYTES = 64 * 1024

type Env = { Variables: { trace: string; since: number } }

export function configServiceApp(deps: ConfigServiceDeps) {
  const service = new ConfigService(deps)
  const app = new Hono<Env>()
  const answer = (answered: Answered, trace: string, since: number) =>
    new Response(
      JSON.stringify({
        ...answered,
        Trace: trace,
        Server: deps.baseUrl,
        Cost: deps.clock.now() - since,
      }),
      {
        status: answered.Code,
        headers: { 'content-type': 'application/json', 'cache-control': 'no-store' },
      },
    )
  app.use(async (c, next) => {
    c.set('trace', deps.newTraceId())
    c.set('since', deps.clock.now())
    await next()
  })
  app.onError((error, c) => {
    const refusal = refusalOf(error)
    if (refusal === undefined)
      deps.log({ event: 'internal-error', trace: c.var.trace, reason: error.stack ?? '' })
    const said = failed(refusal ?? refused(500, 'an error of ours'))
    return answer(said, c.var.trace, c.var.since)
  })
  app.notFound(c => answer(failed(refused(404, 'not found')), c.var.trace, c.var.since))
  app.get('/health', c => answer(successful('ok'), c.var.trace, c.var.since))
  app.use(
    bodyLimit({
      maxSize: MAX_BODY_BYTES,
      onError: () => {
        throw refused(413, `a body has at most ${MAX_BODY_BYTES} bytes`)
      },
    }),
  )
  app.all('/services', async c => {
    const asked = askedOf(new URL(c.req.url).searchParams)
    const answered = await service.answer(c.req.method, asked, () => c.req.text())
    return answer(successful(answered), c.var.trace, c.var.since)
  })
  return app
}

function refusalOf(error: unknown): Refusal | undefined {
  if (error instanceof Refusal) return error
  if (error instanceof Conflict) return refused(409, 'conflict: others register at the same time')
  if (error instanceof Problem && error.code === 'store-unavailable')
    return refused(503, 'the table does not answer')
  return undefined
}

class ConfigService {
  private readonly deps: ConfigServiceDeps
  private readonly proxies: Cache<readonly ProxyPicture[]>
  private readonly obClusters: Cache<ObPicture>

  constructor(deps: ConfigServiceDeps) {
    const { store, clock, log } = deps
    const away = (error: unknown) =>
      log({ event: 'table-away', reason: error instanceof Error ? error.message : 'unknown' })
    this.deps = deps
    this.proxies = new Cache(name => proxyPictures(store, name), clock, away)
    this.obClusters = new Cache(name => obPicture(store, name), clock, away)
  }

  /** @throws Refusal */
  async answer(method: string, asked: Asked, body: () => Promise<string>): Promise<unknown> {
    if (asked.action === 'ObRootServiceInfo' && method === 'POST') return this.register(asked, body)
    if (asked.action === 'ObRootServiceInfo' && method === 'DELETE') return this.withdraw(asked)
    if (method !== 'GET' && method !== 'HEAD')
      throw refused(405, `method not allowed for ${asked.action}`)
    if (asked.proxyCluster === undefined) return this.toRootService(asked)
    const picture = await this.opened(asked, asked.proxyCluster)
    return this.toProxy(asked, picture, asked.proxyCluster)
  }

  private async opened(asked: Asked, name: string): Promise<ProxyPicture> {
    const pictures = (await this.proxies.get(name)) ?? []
    const now = this.deps.clock.now()
    const live = pictures.filter(({ answersUntil }) => (answersUntil ?? now + 1) > now)
    // One that opens is compared at least, and all of them: time tells nobody which.
    const [opened] = (live.length > 0 ? live : [undefined]).filter(picture =>
      opens(picture?.configToken, asked.token),
    )
    if (opened === undefined) throw unauthorised()
    return opened
  }

  private toProxy(asked: Asked, picture: ProxyPicture, proxyCluster: string): unknown {
    const { action, token, isVersionOnly } = asked
    const place = { baseUrl: this.deps.baseUrl, proxyCluster, token }
    switch (action) {
      case 'GetObProxyConfig':
      case 'GetObRootServiceInfoUrlTemplate': {
        const made = action === 'GetObProxyConfig' ? clusterList : clusterTemplate
        const document = made(picture, place)
        return isVersionOnly ? { Version: document.Version } : document
      }
      case 'ObRootServiceInfo':
      case 'ObIDCRegionInfo': {
        // What is not linked does not exist for who asks.
        const linked = picture.obClusters.find(({ record }) => record.name === asked.obCluster)
        return ofObCluster(asked, linked)
      }
    }
  }

  /** RootService may read what it may write. */
  private async toRootService(asked: Asked): Promise<unknown> {
    if (asked.action !== 'ObRootServiceInfo') throw unauthorised()
    return ofObCluster(asked, await this.registrar(asked))
  }

  private async register(asked: Asked, body: () => Promise<string>): Promise<string> {
    const { record } = await this.registrar(asked)
    await register(this.deps.store, registeredOf(asked, await body()))
    this.obClusters.forget(record.name)
    return 'successful'
  }

  private async withdraw(asked: Asked): Promise<string> {
    const { record } = await this.registrar(asked)
    await withdraw(this.deps.store, asked)
    this.obClusters.forget(record.name)
    return 'successful'
  }

  /** The OB cluster whose own token was shown. */
  private async registrar(asked: Asked): Promise<ObPicture> {
    const picture =
      asked.obCluster === undefined ? null : await this.obClusters.get(asked.obCluster)
    if (!opens(picture?.record.registrar, asked.token) || picture === null) throw unauthorised()
    return picture
  }
}

function ofObCluster(asked: Asked, picture: ObClusterSnapshot | undefined): unknown {
  if (asked.obCluster === undefined) throw refused(400, 'illegal argument: ObCluster')
  if (picture === undefined) throw refused(404, 'resource not found: no such OB cluster')
  const made = asked.action === 'ObRootServiceInfo' ? rootServices : idcRegions
  return made(picture, asked.obClusterId, asked.version >= 2)
}
