/** What an answered statement adds to the counters of its digest. Hot path: see the rules. */
import { OUTCOME } from '#contract/names'
import { COMMAND, HEADER_BYTES } from '../wire/protocol.ts'
import type { CourseHost } from './course.ts'
import type { Errand } from './errand.ts'
import type { CourseParts } from './oceanbase-course.ts'
import type { Digested } from './statement-digests.ts'

/** Behind the command byte of a text, and of what was prepared. */
const TEXT_FROM = HEADER_BYTES + 1
const PAYLOAD_FROM = 1

/** Texts and executions; what did not come in one piece has no digest. */
export function countByDigest(
  parts: CourseParts,
  errand: Errand,
  { command, begunMs, endedMs }: CourseHost,
  errno: number,
): void {
  const { digests } = parts.deps
  if (!digests.isOn) return
  const { request, needs, way } = errand
  let place = -1
  if (command === COMMAND.query && request !== undefined)
    place = placeOf(parts, errand.text.known?.use, request, TEXT_FROM)
  else if (command === COMMAND.stmtExecute && needs.prepared !== undefined)
    place = placeOf(parts, needs.prepared, needs.prepared.payload, PAYLOAD_FROM)
  if (place < 0) return
  const outcome = (way.hasMissed ? OUTCOME.missed : 0) | (errno === 0 ? 0 : OUTCOME.failed)
  digests.count(place, way.countedAs, outcome, (endedMs - begunMs) * 1000)
}

function placeOf(
  { deps, memory, identity }: CourseParts,
  known: Digested | undefined,
  bytes: Uint8Array,
  from: number,
): number {
  const { digests } = deps
  const { traffic } = identity
  const found = known === undefined ? -1 : digests.placeOfKnown(known, traffic)
  if (found >= 0) return found
  const place = digests.placeOf(bytes, from, memory.lexerMode, traffic)
  if (known !== undefined && place >= 0) digests.note(known)
  return place
}
