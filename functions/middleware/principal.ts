/** Who asks: an instance whose signature the entry has verified, or the holder of the bearer token. */
import { createHash, timingSafeEqual } from 'node:crypto'
import { createMiddleware } from 'hono/factory'
import { Problem } from '../domain/problem.ts'
import type { AppEnv } from './env.ts'

const BEARER = /^Bearer ([A-Za-z0-9._~+/=-]{1,512})$/i
/** What an instance may ask for; everything else is for users. */
const FOR_INSTANCES = /^\/v1\/nodes\/[^/]+\/(?:report|diagnosis|log-upload)$/

/** @param tokenSha256 hex; the token itself is known to its holder alone. */
export function principalMiddleware(tokenSha256: string) {
  const wanted = Buffer.from(tokenSha256, 'hex')
  return createMiddleware<AppEnv>(async (c, next) => {
    const principal = c.env?.principal
    if (principal !== undefined) {
      if (principal.kind === 'instance' && !FOR_INSTANCES.test(c.req.path))
        throw new Problem('forbidden', 'an instance may report, nothing else')
      c.set('principal', principal)
      return next()
    }
    const token = BEARER.exec(c.req.header('authorization') ?? '')?.[1]
    const given = createHash('sha256')
      .update(token ?? '')
      .digest()
    if (token === undefined || given.length !== wanted.length || !timingSafeEqual(given, wanted))
      throw new Problem(
        'unauthenticated',
        'a valid bearer token is required; /v1/openapi.json describes the API and is open to all',
      )
    c.set('principal', { kind: 'user', name: 'local' })
    return next()
  })
}
