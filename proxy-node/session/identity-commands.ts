/**
 * COM_CHANGE_USER: a login anew on the same client connection. The old server sessions end, which rolls
 * back and forgets what MySQL says it must, and a new one begins with the new name: no server needs to
 * know the command, and another tenant is no special case. Source: proxy-protocol.md §4.7, tried A12.
 */
import type { Login } from '../wire/handshake.ts'
import { buildAuthSwitch, parseChangeUser } from '../wire/handshake.ts'
import { HEADER_BYTES, NATIVE_PLUGIN, SCRAMBLE_BYTES } from '../wire/protocol.ts'
import { malformed } from '../wire/reader.ts'
import type { CourseHost } from './course.ts'
import type { SessionMemory } from './memory.ts'
import type { ClusterView, SessionSettings } from './ports.ts'
import type { TenantTraffic } from './traffic.ts'

/** Who the client is, and how it becomes somebody else. */
export type IdentityOwner = {
  readonly id: number
  readonly user: string
  readonly tenant: string
  readonly cluster: string
  /** How statements are routed; undefined in MySQL mode and before the login. */
  readonly outlook: ClusterView | undefined
  /** Its own, as of now. */
  readonly settings: SessionSettings
  readonly clientIp: string
  readonly traffic: TenantTraffic
  readonly isDraining: boolean
  readonly clientCapabilities: number
  readonly scramble: Uint8Array
  readonly changeUser: (login: Login, sequence: number) => void
}

export class IdentityCommands {
  private readonly host: CourseHost
  private readonly owner: IdentityOwner
  private readonly memory: SessionMemory
  private asked: Login | undefined

  constructor(host: CourseHost, owner: IdentityOwner, memory: SessionMemory) {
    this.host = host
    this.owner = owner
    this.memory = memory
  }

  /** @throws protocol.malformed */
  changeUser(head: Uint8Array): void {
    if (this.host.isIncomplete) throw malformed('COM_CHANGE_USER above the limit of a session')
    const login = parseChangeUser(head.subarray(HEADER_BYTES + 1), this.owner.clientCapabilities)
    if (login.plugin === '' || login.plugin === NATIVE_PLUGIN) {
      this.go(login)
      return
    }
    this.asked = login
    this.host.ask(buildAuthSwitch(this.owner.scramble))
  }

  /** The token that the switch asked for. @throws protocol.malformed */
  answered(payload: Uint8Array): void {
    const login = this.asked
    this.asked = undefined
    if (login === undefined) throw malformed('answer that nobody asked for')
    this.go({ ...login, authResponse: payload.slice(), plugin: NATIVE_PLUGIN })
  }

  private go(login: Login): void {
    const { length } = login.authResponse
    if (length !== 0 && length !== SCRAMBLE_BYTES) throw malformed('authentication response')
    this.memory.heldBegin = undefined
    this.owner.changeUser(login, this.host.changesUser())
  }
}
