/**
 * What SHOW PROXYINFO UPGRADE tells of a hot restart, as far as somebody who waits for it needs it.
 * Our own proxy tells its pid, its failure and the process before it; of one that does not, a part
 * is unknown. Pure. Source: proxy-admin.md §2.4, §4.2.
 */

const SERVES_ALONE = 'HU_STATE_WAIT_HU_CMD'

export type UpgradeState = {
  /** Of the process that answers. */
  readonly pid: number | undefined
  /** Neither is a hot restart under way, nor is a process of the one before still there. */
  readonly isIdle: boolean
  /** It says that it came from a hot restart and is not the parent: OBProxy may refuse to be one yet. */
  readonly isSuccessor: boolean
  /** Why a successor did not come to serve; empty: none was lost, or it is not told. */
  readonly lastFailure: string
  /** In its own words, for a message. */
  readonly shown: string
}

export function parseUpgradeState(lines: readonly string[]): UpgradeState {
  const text = lines.join('\n')
  const after = (name: string) => new RegExp(`^${name}:(.*)$`, 'm').exec(text)?.[1]?.trim()
  const state = /HU_STATE_\w+/.exec(text)?.[0]
  const parent = after('parent status')
  const pid = Number(after('pid'))
  return {
    pid: pid > 0 ? pid : undefined,
    isIdle: (state ?? SERVES_ALONE) === SERVES_ALONE && (parent ?? 'exited') === 'exited',
    isSuccessor: /is_parent["_]*:\s*(?:false|0)/.test(text),
    lastFailure: after('last failure') ?? '',
    shown: [
      state ?? 'unknown state',
      ...(parent === undefined ? [] : [`before it: ${parent}`]),
    ].join(', '),
  }
}
