/** What every request of the API carries through Hono. */
import type { Context } from 'hono'
import type { Principal } from '../domain/model.ts'

export type AppEnv = {
  /** Set by the entry where a signature has been verified already. */
  Bindings: { readonly principal?: Principal }
  Variables: { principal: Principal; requestId: string }
}

export type AppContext = Context<AppEnv>
