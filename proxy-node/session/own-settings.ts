/**
 * The settings of one client session: those of its OB cluster, its tenant and the address it has
 * connected to before those of the node. Looked up when that is known and when the configuration has
 * changed; in between reading them is a comparison. Source: proxy-admin.md §3.5.
 */
import type { Endpoint } from '../wire/proxy-protocol.ts'
import type { SessionDeps, SessionSettings } from './ports.ts'

/** Whose settings they are; a cluster or a tenant that is not known yet is empty. */
export type SessionPlace = {
  readonly cluster: string
  readonly tenant: string
  readonly vip: Endpoint | undefined
}

export class OwnSettings {
  private readonly deps: Pick<SessionDeps, 'settings' | 'settingsOf'>
  private place: SessionPlace = { cluster: '', tenant: '', vip: undefined }
  /** The node's, as `own` was looked up by; each change makes others. */
  private general: SessionSettings | undefined
  private own: SessionSettings | undefined

  constructor(deps: Pick<SessionDeps, 'settings' | 'settingsOf'>) {
    this.deps = deps
  }

  get current(): SessionSettings {
    const general = this.deps.settings()
    if (general === this.general && this.own !== undefined) return this.own
    this.general = general
    this.own = this.deps.settingsOf?.(this.place) ?? general
    return this.own
  }

  /** From now on they are those of this place. */
  moveTo(place: SessionPlace): void {
    this.place = place
    this.general = undefined
  }
}
