/** Links of a proxy cluster to OB clusters, and the accounts by which gates log in through its nodes. Pure. */
import { MAX_PROBES, type OrderEntry } from '#contract/command'

/** Used for logins that are closed at once; wants no privilege there. */
export type ProbeAccount = {
  readonly user: string
  readonly tenant: string
  /** Parameter Store name of its password. */
  readonly passwordSecret: string
}

export type Link = {
  readonly obCluster: string
  /** Where logins go that name no OB cluster. */
  readonly default: boolean
  /** Absent: gates do not log in there. */
  readonly probeAccount?: ProbeAccount | undefined
}

/** Of one OB cluster, for who puts it back, or tries it again. */
export type LinkChange = {
  readonly obCluster: string
  readonly before: readonly Link[]
  readonly after: readonly Link[]
}

export function isLinkedIn(links: readonly Link[], name: string): boolean {
  return links.some(({ obCluster }) => obCluster === name)
}

/** What a check logs in with, the default link first. */
export function probesOf(links: readonly Link[]): NonNullable<OrderEntry['probe']> {
  return [...links]
    .sort((left, right) => Number(right.default) - Number(left.default))
    .flatMap(({ obCluster: cluster, probeAccount: account }) =>
      account === undefined
        ? []
        : [
            {
              user: `${account.user}@${account.tenant}`,
              passwordSecret: account.passwordSecret,
              cluster,
            },
          ],
    )
    .slice(0, MAX_PROBES)
}
