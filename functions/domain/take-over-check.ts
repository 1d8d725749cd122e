/** What a look at proxies of other installers comes to, host by host. Source: management.md §3.3, T1–T13, A8. */

/** What a proxy that is to be taken over has to satisfy (management.md §3.3); T14 is ours, of A8 (§6). */
export type FindingId = `T${1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 | 11 | 12 | 13 | 14}`

export type Finding = {
  readonly id: FindingId
  readonly ok: boolean
  /** `ok`, or why not. */
  readonly code: string
  readonly detail: string
  readonly remedy: string | null
}

/** A parameter that a take-over would change. */
export type ParameterDifference = {
  readonly name: string
  /** As it is, cut; empty where this version does not have it. */
  readonly value: string
  /** Of the cluster; null: it leaves it at the default. */
  readonly wanted: string | null
}

export type HostCheck = {
  readonly hostId: string
  readonly operationId: string
  readonly mayTakeOver: boolean
  readonly findings: readonly Finding[]
  /** Null when the proxy could not be asked. */
  readonly differing: number | null
  /** Of them as many as a node can tell. */
  readonly differences: readonly ParameterDifference[]
  /** What a take-over does that nobody should be surprised by. */
  readonly notices: readonly string[]
  /** Why the host was not looked at. */
  readonly error: { readonly code: string; readonly detail: string } | null
}

/** Whether proxies can be taken over, host by host. */
export type TakeOverCheck = {
  readonly mayTakeOver: boolean
  readonly hosts: readonly HostCheck[]
}
