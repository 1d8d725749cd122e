/** Reading who changed what; writing is part of each change (`context.ts`). Source: management.md §1.14. */
import type { AuditEvent } from '../domain/audit-event.ts'
import type { Plane } from '../domain/plane.ts'
import { Problem } from '../domain/problem.ts'
import type { AuditRecord } from '../domain/record.ts'
import type { PlaneDeps } from './context.ts'
import type { Cursors } from './cursor.ts'

const DAY_MS = 86_400_000
const DEFAULT_DAYS = 7
const MAX_DAYS = 31
/** Entries that one filtered page may cost. */
const MAX_LOOKED_AT = 2_000
const PAGE = 100

type Filter = Parameters<Plane['audit']['list']>[1]

/** Where a page ended: in which day, and where in it. */
type Place = { readonly day: string; readonly after?: string }

export function auditUseCases({ store, clock }: PlaneDeps, cursors: Cursors): Plane['audit'] {
  return {
    list: async ({ limit, cursor }, filter) => {
      const { from, to } = spanOf(filter, clock.now())
      const { after } = cursors.read('audit', cursor)
      let place: Place | null = after === undefined ? { day: dayOf(to) } : placeOf(after)
      const items: AuditEvent[] = []
      for (let seen = 0; place !== null && items.length < limit && seen < MAX_LOOKED_AT; ) {
        // No more than are wanted: the page must end where the next one begins.
        const page = await store.audit(place.day, {
          limit: Math.min(PAGE, limit - items.length),
          ...(place.after === undefined ? {} : { after: place.after }),
        })
        seen += Math.max(1, page.items.length)
        items.push(...page.items.filter(matches(filter, from, to)).map(viewOf))
        place = nextPlace(place.day, page.next, from)
      }
      return {
        items,
        nextCursor: cursors.write('audit', place === null ? null : JSON.stringify(place)),
      }
    },
  }
}

/** @throws Problem validation-failed */
function spanOf({ from, to }: Filter, now: number): { readonly from: number; readonly to: number } {
  const end = to ?? now
  const start = from ?? end - DEFAULT_DAYS * DAY_MS
  if (start > end || end - start > MAX_DAYS * DAY_MS)
    throw new Problem('validation-failed', `from is before to, by ${MAX_DAYS} days at most`, {
      errors: [{ pointer: '/from', code: 'invalid', detail: 'not within the span' }],
    })
  return { from: start, to: end }
}

function nextPlace(day: string, after: string | null, from: number): Place | null {
  if (after !== null) return { day, after }
  const before = dayOf(Date.parse(day) - DAY_MS)
  return before < dayOf(from) ? null : { day: before }
}

function placeOf(text: string): Place {
  return JSON.parse(text) as Place
}

function dayOf(at: number): string {
  return new Date(at).toISOString().slice(0, 'yyyy-mm-dd'.length)
}

function matches(
  { target, actor, action }: Filter,
  from: number,
  to: number,
): (entry: AuditRecord) => boolean {
  return entry =>
    entry.at >= from &&
    entry.at <= to &&
    (target === undefined || [entry.target, entry.targetName].includes(target)) &&
    (actor === undefined || entry.actor === actor) &&
    (action === undefined || entry.action === action)
}

function viewOf({ version: _version, targetName = null, ...entry }: AuditRecord): AuditEvent {
  return { ...entry, targetName }
}
