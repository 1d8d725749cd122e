/**
 * Clients that are not logged in yet, bounded for the worker and by where they come from: whoever
 * opens connections and says nothing takes no room from those who log in. A client behind a believed
 * PROXY header counts where the header says it is. Source: proxy-protocol.md §9.
 */
import { Fault } from '#contract/fault'

/** 0: no limit. */
export type LobbyLimits = {
  readonly maxLogins: number
  readonly maxLoginsPerAddress: number
}

type Visitor = {
  /** False until a header that may come has been read. */
  readonly isLocated: boolean
  readonly address: string
}

export class Lobby {
  private readonly limits: () => LobbyLimits
  private readonly byAddress = new Map<string, number>()
  private count = 0

  constructor(limits: () => LobbyLimits) {
    this.limits = limits
  }

  /** Clients that are logging in. */
  get size(): number {
    return this.count
  }

  /** Counts one more; the fault when it is one too many, and is not counted. */
  enter(): Fault | undefined {
    const most = this.limits().maxLogins
    if (most > 0 && this.count >= most) return new Fault('login.too-many-logins', { most })
    this.count += 1
    return undefined
  }

  leave(): void {
    this.count -= 1
  }

  enterFrom(address: string): Fault | undefined {
    const most = this.limits().maxLoginsPerAddress
    const there = this.byAddress.get(address) ?? 0
    if (most > 0 && there >= most) return new Fault('login.too-many-of-address', { most, address })
    this.byAddress.set(address, there + 1)
    return undefined
  }

  leaveTo(address: string): void {
    const there = this.byAddress.get(address) ?? 0
    if (there > 1) this.byAddress.set(address, there - 1)
    else this.byAddress.delete(address)
  }
}

/** One client's place in the lobby; given back by `leave`, once or never taken. */
export class Visit {
  private readonly lobby: Lobby
  private isCounted = false
  private address: string | undefined
  private refusal: Fault | undefined

  constructor(lobby: Lobby) {
    this.lobby = lobby
  }

  /** The client is not to come in, for a reason that is not the lobby's. */
  refuse(fault: Fault): void {
    this.refusal = fault
  }

  /** Counts the client, by its address as soon as that is known. The fault when it is one too many. */
  take({ isLocated, address }: Visitor): Fault | undefined {
    const { lobby } = this
    if (this.refusal !== undefined) return this.refusal
    if (!this.isCounted) {
      const refusal = lobby.enter()
      if (refusal !== undefined) return refusal
      this.isCounted = true
    }
    if (!isLocated || this.address !== undefined) return undefined
    const refusal = lobby.enterFrom(address)
    if (refusal === undefined) this.address = address
    return refusal
  }

  leave(): void {
    if (this.isCounted) this.lobby.leave()
    if (this.address !== undefined) this.lobby.leaveTo(this.address)
    this.isCounted = false
    this.address = undefined
  }
}
