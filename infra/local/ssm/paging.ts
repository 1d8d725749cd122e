/** Pages of a list: the token is the position, opaque to the caller. */
import { SsmError } from './errors.ts'

/** One page of `items`. @throws SsmError InvalidNextToken */
export function page<T>(
  items: readonly T[],
  size: number,
  token: string | undefined,
): { readonly items: readonly T[]; readonly next?: string } {
  const start = token === undefined ? 0 : positionOf(token)
  const end = start + size
  const some = items.slice(start, end)
  return end < items.length
    ? { items: some, next: Buffer.from(`at:${end}`).toString('base64url') }
    : { items: some }
}

function positionOf(token: string): number {
  const match = /^at:(\d{1,9})$/.exec(Buffer.from(token, 'base64url').toString('latin1'))
  if (match === null) throw new SsmError('InvalidNextToken', 'the token is not one of ours')
  return Number(match[1])
}
