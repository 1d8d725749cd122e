/**
 * Headers as the document declares them. They are read by the middleware and not by a route's schema,
 * because a missing one has a problem code of its own. Source: management-beyond.md §3.1.
 */

function header(name: string, required: boolean, description: string) {
  return { name, in: 'header' as const, required, description, schema: { type: 'string' as const } }
}

function answerHeader(description: string) {
  return { description, schema: { type: 'string' as const } }
}

export const KEY_REQUIRED = header(
  'Idempotency-Key',
  true,
  '1 to 255 printable characters, a new one for each new intent. The same key and body within 24 hours is the same request; with another body it is refused.',
)

export const KEY_OPTIONAL = header(
  'Idempotency-Key',
  false,
  'Given, the same request is answered as the first time.',
)

export const IF_MATCH = header('If-Match', true, 'The ETag of what was read, or `*`.')

/** Of a PUT that creates or replaces. */
export const PUT_CONDITIONS = [
  header('If-Match', false, 'To replace: the ETag of what was read, or `*`.'),
  header('If-None-Match', false, 'To create: `*`. One of the two is required.'),
]

export const IF_NONE_MATCH = header(
  'If-None-Match',
  false,
  'ETags that the caller has; 304 when the answer is one of them.',
)

const ETAG = { ETag: answerHeader('For If-None-Match, and for If-Match of a change.') }
const LOCATION = { Location: answerHeader('Path of what was made.') }
const REPLAYED = {
  'Idempotency-Replayed': answerHeader('`true` when a request with this key was answered before.'),
}

export const TAGGED = { headers: ETAG }
export const MADE = { headers: { ...LOCATION, ...REPLAYED } }
export const MADE_TAGGED = { headers: { ...LOCATION, ...ETAG } }
export const REPLAYABLE = { headers: REPLAYED }
export const ACCEPTED = {
  headers: {
    Location: answerHeader('Path of the operation.'),
    'Retry-After': answerHeader('Seconds until it is worth a look.'),
    ...REPLAYED,
  },
}

/** 304 of a GET with If-None-Match. */
export const NOT_CHANGED = { description: 'Not changed', ...TAGGED }

/** Name and one line of a route, for generated clients and for readers. */
export function named(operationId: string, summary: string) {
  return { operationId, summary }
}
