/** What an answered statement adds to the counters of its digest. Hot path: see the rules. */
import { OUTCOME } from '#contract/names'
import { COMMAND, HEADER_BYTES } from '../wire/protocol.ts'
import type { CourseHost } from './course.ts'
import type { Errand } from './errand.ts'
import type { CourseParts } from './oceanbase-course.ts'

/** Texts and executions; what did not come in one piece has no digest. */
export function countByDigest(
  { deps, memory, identity }: CourseParts,
  { request, needs, way }: Errand,
  { command, begunMs }: CourseHost,
  errno: number,
): void {
  const { digests } = deps
  if (!digests.isOn) return
  let place = -1
  if (command === COMMAND.query && request !== undefined)
    place = digests.placeOf(request, HEADER_BYTES + 1, memory.lexerMode, identity.traffic)
  else if (command === COMMAND.stmtExecute && needs.prepared !== undefined)
    place = digests.placeOfPrepared(needs.prepared, memory.lexerMode, identity.traffic)
  if (place < 0) return
  const outcome = (way.hasMissed ? OUTCOME.missed : 0) | (errno === 0 ? 0 : OUTCOME.failed)
  digests.count(place, way.countedAs, outcome, (performance.now() - begunMs) * 1000)
}
