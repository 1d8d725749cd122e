/** Cursors of lists: opaque, signed, valid for a day (management-beyond.md §3.1). */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { Problem } from '../domain/problem.ts'

const VALID_MS = 24 * 3_600_000
const SIGNATURE_BYTES = 16

export type Cursors = {
  readonly write: (list: string, position: string | null) => string | null
  /** @throws Problem validation-failed for a strange, old or foreign one. */
  readonly read: (list: string, cursor: string | undefined) => { readonly after?: string }
}

export function cursors(key: string, now: () => number): Cursors {
  const sign = (text: string) =>
    createHmac('sha256', key).update(text).digest().subarray(0, SIGNATURE_BYTES)
  return {
    write: (list, position) => {
      if (position === null) return null
      const text = JSON.stringify([list, now() + VALID_MS, position])
      return Buffer.concat([sign(text), Buffer.from(text)]).toString('base64url')
    },
    read: (list, cursor) => {
      if (cursor === undefined) return {}
      const bytes = Buffer.from(cursor, 'base64url')
      const text = bytes.subarray(SIGNATURE_BYTES).toString()
      const isOurs =
        bytes.length > SIGNATURE_BYTES &&
        timingSafeEqual(bytes.subarray(0, SIGNATURE_BYTES), sign(text))
      if (!isOurs) throw refused()
      const [of, until, after] = JSON.parse(text) as [string, number, string]
      if (of !== list || until < now()) throw refused()
      return { after }
    },
  }
}

function refused(): Problem {
  const detail = 'the cursor is not of this list, or older than a day'
  return new Problem('validation-failed', detail, {
    errors: [{ pointer: '/cursor', code: 'invalid-cursor', detail }],
  })
}
