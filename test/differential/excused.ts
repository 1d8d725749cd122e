/** What may differ between a session with the kernel and one behind the proxy; each with its reason. */
import { okStatus } from '../support/front-answer.ts'
import type { Sequence, Step } from './steps.ts'

/** A packet of an answer, its payload one byte a character. */
export type Seen = { readonly sequence: number; readonly payload: string }

type Excuse = {
  readonly because: string
  readonly hides: (step: Step, packets: readonly Seen[], sequence: Sequence) => readonly Seen[]
}

export const SESSION_TRACK = 0x80_0000
const MORE_RESULTS = 0x8
const STATE_CHANGED = 0x4000

/** Rows of SHOW SESSION VARIABLES that are about the connection, not about the client's session. */
const OF_CONNECTION: Readonly<Record<string, string>> = {
  ob_last_schema_version: 'what a server has seen of the schema, told by each server for itself',
}

const EXCUSES: readonly Excuse[] = [
  {
    because: 'variables that tell of the connection',
    hides: (step, packets) =>
      step.kind === 'query' && /^SHOW SESSION VARIABLES/.test(step.sql)
        ? packets
            .filter(({ payload }) => OF_CONNECTION[firstCell(payload)] === undefined)
            .map(({ payload }) => ({ sequence: 0, payload }))
        : packets,
  },
  {
    because: 'the kernel always asks for the token of COM_CHANGE_USER once more',
    hides: (step, packets) =>
      step.kind === 'changeUser'
        ? packets.map(({ payload }) => ({ sequence: 0, payload }))
        : packets,
  },
  {
    because: 'statement ids are only names; the kernel counts its text statements, too',
    hides: (step, packets) =>
      step.kind === 'prepare'
        ? packets.map(seen => {
            const { payload } = seen
            const isOk = seen === packets[0] && payload.charCodeAt(0) === 0
            return isOk ? { ...seen, payload: `prepared ${payload.slice(5)}` } : seen
          })
        : packets,
  },
  {
    because: 'session state goes to the proxy, which does not show it to clients that track theirs',
    hides: (_step, packets, { capabilities }) =>
      (capabilities & SESSION_TRACK) === 0 ? packets : plainOks(packets, false),
  },
  {
    because: 'a text in an OK that does not end its answer stands there with its length',
    hides: (_step, packets) => plainOks(packets, true),
  },
]

export function excused(step: Step, packets: readonly Seen[], sequence: Sequence): readonly Seen[] {
  return EXCUSES.reduce((left, { hides }) => hides(step, left, sequence), packets)
}

function firstCell(payload: string): string {
  return payload.slice(1, 1 + payload.charCodeAt(0))
}

/** OKs as their counts, status, warnings and text; only those that are not the last, or all. */
function plainOks(packets: readonly Seen[], onlyInner: boolean): readonly Seen[] {
  let ends = 0
  return packets.map((seen, index) => {
    const { payload } = seen
    const isEof = payload.charCodeAt(0) === 0xfe && payload.length < 9
    if (isEof) ends += 1
    const mayBeOk = ends % 2 === 0 && !isEof && payload.charCodeAt(0) === 0 && payload.length >= 7
    if (!mayBeOk || (onlyInner && index === packets.length - 1)) return seen
    return { ...seen, payload: plainOk(Buffer.from(payload, 'latin1')) }
  })
}

function plainOk(payload: Buffer): string {
  const status = okStatus(payload) & ~STATE_CHANGED
  const isInner = (status & MORE_RESULTS) !== 0
  const text = /Rows matched.*?Warnings: \d+|Records: .*?Warnings: \d+/.exec(
    payload.toString('latin1'),
  )
  const counts = payload.subarray(1, 3).toString('hex')
  return `OK ${counts} ${status} ${text?.[0] ?? ''}${isInner ? ' and more' : ''}`
}
