/** Ports to the hosts: lifecycle commands, inventory and secrets, in the words of the domain. */
import type { Host } from './model.ts'

/**
 * What became of a send. `refused`: certainly not accepted. `unknown`: it may have been, look for
 * its comment.
 */
export type SendOutcome =
  | { readonly kind: 'sent'; readonly commandId: string }
  | { readonly kind: 'refused'; readonly isRetryable: boolean; readonly detail: string }
  | { readonly kind: 'unknown'; readonly detail: string }

/** `lost`: never delivered, or the carrier died; whether it ran is not known. */
export type InvocationState =
  | 'waiting'
  | 'succeeded'
  | 'failed'
  | 'timed-out'
  | 'lost'
  | 'cancelled'

export type Invocation = {
  readonly hostId: string
  readonly state: InvocationState
  /** Status details as the service words them. */
  readonly details: string
  /** At most 2,500 characters. */
  readonly output: string
}

/** Reads throw `Problem('remote-unavailable')` when the service does not answer. */
export type RunCommand = {
  /** Those of `hostIds` that can be sent to now. */
  online(hostIds: readonly string[]): Promise<ReadonlySet<string>>
  /** Never retried inside; at most 50 hosts. */
  send(input: {
    readonly hostIds: readonly string[]
    readonly order: string
    readonly comment: string
  }): Promise<SendOutcome>
  /** Id of the command with this comment, asked for since `sinceMs`. */
  find(comment: string, sinceMs: number): Promise<string | null>
  results(commandId: string): Promise<readonly Invocation[]>
  /** Best effort. */
  cancel(commandId: string, hostIds: readonly string[]): Promise<void>
}

export type HostFacts = Omit<Host, 'nodeId'>

export type Hosts = {
  page(
    limit: number,
    token?: string,
  ): Promise<{ readonly items: readonly HostFacts[]; readonly nextToken: string | null }>
  /** Unknown ids are left out. At most 100. */
  some(ids: readonly string[]): Promise<readonly HostFacts[]>
}

/** Bundles of logs: who has a URL may use it for minutes, for this one thing. */
export type LogBundles = {
  /** For one PUT of exactly so many bytes. */
  putUrl(key: string, bytes: number): Promise<string>
  getUrl(key: string): Promise<string>
}

export type Secrets = {
  /** Makes a password and stores it under `name`, replacing an older one. It is never returned. */
  generatePassword(name: string): Promise<void>
  /** Makes a token and stores it under `name`; its SHA-256 in hex. */
  generateToken(name: string): Promise<string>
  /** One that is not there is removed already. */
  remove(name: string): Promise<void>
}
