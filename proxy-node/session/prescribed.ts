/**
 * What the configuration demands of every session: `obproxy_read_only` and `obproxy_read_consistency`
 * as values that it has whatever its client sets, `init_sql` as statements that run once before its
 * first command. Source: proxy-protocol.md §4.5 step 7, §4.6.
 */
import { Fault } from '#contract/fault'
import { SETS, setsReading } from '../sql/reading.ts'
import { HEADER_BYTES } from '../wire/protocol.ts'
import type { SessionMemory } from './memory.ts'

export type Prescription = {
  readonly isReadOnly: boolean
  readonly readsWeakly: boolean
  /** `ob_max_read_stale_time`, µs; -1: servers are told nothing. */
  readonly maxReadStaleUs: number
  /** `init_sql`, one by one. */
  readonly initSql: readonly string[]
}

/** A session begins, or begins anew: what it has to have is sent before its first command. */
export function prescribe(memory: SessionMemory, prescription: Prescription): void {
  const values = new Map<string, string>()
  if (prescription.isReadOnly) {
    // One variable under two names; servers tell both.
    values.set('tx_read_only', 'ON')
    values.set('transaction_read_only', 'ON')
  }
  if (prescription.readsWeakly) values.set('ob_read_consistency', 'WEAK')
  if (prescription.maxReadStaleUs >= 0)
    values.set('ob_max_read_stale_time', String(prescription.maxReadStaleUs))
  memory.prescribe(values, prescription.initSql)
}

/** The fault of a statement that sets what is prescribed; what it says otherwise is taken back. */
export function refusalOf(memory: SessionMemory, head: Uint8Array): Fault | undefined {
  const { prescribed } = memory
  if (prescribed === undefined) return undefined
  const sets = setsReading(head, HEADER_BYTES + 1, head.length, memory.lexerMode)
  if ((sets & SETS.readOnly) !== 0 && prescribed.has('tx_read_only'))
    return new Fault('session.prescribed', { name: 'tx_read_only', service: 'read only' })
  if ((sets & SETS.consistency) !== 0 && prescribed.has('ob_read_consistency'))
    return new Fault('session.prescribed', { name: 'ob_read_consistency', service: 'weak reads' })
  return undefined
}
