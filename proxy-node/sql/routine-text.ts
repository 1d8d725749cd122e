/**
 * The first statement of a routine with the arguments of a call in the place of its parameters: what
 * the call is routed by. Source: proxy-routing.md §4.5. Off the hot path: it makes a text a call.
 */
import { type Expressions, NODE, type NodeKind } from './expressions.ts'
import type { RoutineCall } from './routine-call.ts'

/** Values that mean the same wherever they are written; others are unknown there. */
const CARRIED: ReadonlySet<NodeKind> = new Set<NodeKind>([
  NODE.nullValue,
  NODE.integer,
  NODE.decimal,
  NODE.double,
  NODE.text,
  NODE.hex,
  NODE.bits,
  NODE.trueValue,
  NODE.falseValue,
  NODE.userVariable,
])

const COLON = 0x3a
const BACKSLASH = 0x5c
const QUOTES: ReadonlySet<number> = new Set([0x27, 0x22, 0x60])
/** Nothing that a proxy knows the value of. */
const UNKNOWN = Buffer.from('@@unknown')
const MAX_BYTES = 64 * 1024

/** `sql` has `:0`, `:1` … where the routine uses its parameters; undefined when it becomes too long. */
export function boundStatement(sql: string, call: RoutineCall): Uint8Array | undefined {
  const text = Buffer.from(sql)
  const parts: Uint8Array[] = []
  let size = 0
  let from = 0
  const add = (part: Uint8Array) => {
    parts.push(part)
    size += part.length
  }
  for (let at = 0; at < text.length; ) {
    const byte = text[at] as number
    const end = byte === COLON ? numberEnd(text, at + 1) : at + 1
    if (QUOTES.has(byte)) at = quotedEnd(text, at)
    else if (byte === COLON && end > at + 1) {
      add(text.subarray(from, at))
      add(argumentText(call, Number(text.toString('latin1', at + 1, end))))
      from = end
      at = end
    } else at += 1
    if (size > MAX_BYTES) return undefined
  }
  add(text.subarray(from))
  return size > MAX_BYTES ? undefined : Buffer.concat(parts)
}

function argumentText(call: RoutineCall, index: number): Uint8Array {
  const { expressions } = call
  const node = call.argument(index)
  const kind = expressions.kind(node)
  if (kind === NODE.negate) {
    const child = expressions.first(node)
    return CARRIED.has(expressions.kind(child))
      ? Buffer.concat([Buffer.from('-'), written(expressions, child)])
      : UNKNOWN
  }
  return CARRIED.has(kind) ? written(expressions, node) : UNKNOWN
}

/** As it was written: spans leave out quotes and prefixes. */
function written(expressions: Expressions, node: number): Uint8Array {
  const { bytes } = expressions
  const [from, to] = [expressions.from(node), expressions.to(node)]
  const inside = bytes.subarray(from, to)
  switch (expressions.kind(node)) {
    case NODE.text: {
      const quote = bytes.subarray(from - 1, from)
      return Buffer.concat([quote, inside, quote])
    }
    case NODE.hex:
      return Buffer.concat([Buffer.from('0x'), inside])
    case NODE.bits:
      return Buffer.concat([Buffer.from('0b'), inside])
    case NODE.userVariable:
      return Buffer.concat([Buffer.from('@'), inside])
    case NODE.nullValue:
      return Buffer.from('NULL')
    case NODE.trueValue:
      return Buffer.from('TRUE')
    case NODE.falseValue:
      return Buffer.from('FALSE')
    default:
      return inside
  }
}

function numberEnd(text: Uint8Array, from: number): number {
  let at = from
  while (at < text.length && (text[at] as number) >= 0x30 && (text[at] as number) <= 0x39) at += 1
  return at
}

function quotedEnd(text: Uint8Array, from: number): number {
  const quote = text[from]
  for (let at = from + 1; at < text.length; at++) {
    if (text[at] === BACKSLASH && quote !== 0x60) at += 1
    else if (text[at] === quote) return at + 1
  }
  return text.length
}
