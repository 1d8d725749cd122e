/**
 * Regular expressions for lines of logs, matched in time that grows with the line and with the pattern
 * and never beyond: all possible places are followed at once, nothing is tried again. What cannot be
 * matched so (back references, looking around) is refused. Pure.
 * Source: Thompson, "Regular Expression Search Algorithm", CACM 11(6), 1968.
 */

export const LOG_PATTERN_MAX_CHARS = 200
const MAX_STEPS = 600
const MAX_REPEAT = 100

/** Says which part of a pattern is not taken. */
export class BadPattern extends Error {}

type Test = (code: number) => boolean
type Place = 'start' | 'end' | 'word' | 'not-word'

type Part =
  | { readonly kind: 'one'; readonly test: Test }
  | { readonly kind: 'at'; readonly place: Place }
  | { readonly kind: 'all'; readonly parts: readonly Part[] }
  | { readonly kind: 'any'; readonly parts: readonly Part[] }
  | { readonly kind: 'repeat'; readonly part: Part; readonly least: number; readonly most: number }

type Step =
  | { readonly kind: 'one'; readonly test: Test }
  | { readonly kind: 'at'; readonly place: Place }
  /** On at each of them, without a sign. */
  | { readonly kind: 'fork'; readonly to: number[] }
  | { readonly kind: 'found' }

export type LogPattern = { readonly isIn: (line: string) => boolean }

/** @throws BadPattern */
export function logPattern(text: string): LogPattern {
  if (text.length > LOG_PATTERN_MAX_CHARS)
    throw new BadPattern(`a pattern has at most ${LOG_PATTERN_MAX_CHARS} characters`)
  const steps: Step[] = []
  emit(new Reader(text).whole(), steps)
  steps.push({ kind: 'found' })
  return { isIn: line => isFound(steps, line) }
}

const SETS: Readonly<Record<string, Test>> = {
  d: code => code >= 48 && code <= 57,
  w: code => isWord(code),
  s: code => code === 32 || (code >= 9 && code <= 13),
}
const SIGNS: Readonly<Record<string, number>> = { n: 10, r: 13, t: 9 }
const PLACES: Readonly<Record<string, Place>> = { b: 'word', B: 'not-word' }

function isWord(code: number): boolean {
  return (
    (code >= 48 && code <= 57) ||
    (code >= 65 && code <= 90) ||
    (code >= 97 && code <= 122) ||
    code === 95
  )
}

/** Reads a pattern from left to right. */
class Reader {
  private readonly text: string
  private at = 0

  constructor(text: string) {
    this.text = text
  }

  whole(): Part {
    const part = this.alternatives()
    if (this.at < this.text.length) throw new BadPattern(`a ) without its ( at ${this.at + 1}`)
    return part
  }

  private alternatives(): Part {
    const parts = [this.sequence()]
    while (this.take('|')) parts.push(this.sequence())
    return { kind: 'any', parts }
  }

  private sequence(): Part {
    const parts: Part[] = []
    while (this.at < this.text.length && !'|)'.includes(this.text[this.at] ?? ''))
      parts.push(this.repeated(this.atom()))
    return { kind: 'all', parts }
  }

  private repeated(part: Part): Part {
    const [least, most] = this.bounds() ?? [1, 1]
    if (least === 1 && most === 1) return part
    // As few as can be or as many: whether there is a match is the same.
    this.take('?')
    if (/[*+?{]/.test(this.text[this.at] ?? '')) throw new BadPattern('nothing to repeat')
    return { kind: 'repeat', part, least, most }
  }

  private bounds(): readonly [number, number] | undefined {
    if (this.take('*')) return [0, Number.POSITIVE_INFINITY]
    if (this.take('+')) return [1, Number.POSITIVE_INFINITY]
    if (this.take('?')) return [0, 1]
    const found = /^\{(\d{1,3})(,(\d{0,3}))?\}/.exec(this.text.slice(this.at))
    if (found === null) return undefined
    this.at += found[0].length
    const least = Number(found[1])
    const most = found[2] === undefined ? least : Number(found[3] || Number.POSITIVE_INFINITY)
    if (least > MAX_REPEAT || (most > MAX_REPEAT && Number.isFinite(most)) || most < least)
      throw new BadPattern(`a repetition is of at most ${MAX_REPEAT}`)
    return [least, most]
  }

  private atom(): Part {
    const sign = this.text[this.at] ?? ''
    this.at += 1
    if (sign === '(') return this.group()
    if (sign === '[') return { kind: 'one', test: this.set() }
    if (sign === '.') return { kind: 'one', test: () => true }
    if (sign === '^') return { kind: 'at', place: 'start' }
    if (sign === '$') return { kind: 'at', place: 'end' }
    if (sign === '\\') return this.escaped()
    if ('*+?'.includes(sign)) throw new BadPattern('nothing to repeat')
    return literal(sign)
  }

  private group(): Part {
    if (this.take('?') && !this.take(':'))
      throw new BadPattern('looking around and names of groups are not possible')
    const part = this.alternatives()
    if (!this.take(')')) throw new BadPattern('a ( without its )')
    return part
  }

  private escaped(): Part {
    const sign = this.text[this.at] ?? ''
    this.at += 1
    const place = PLACES[sign]
    if (place !== undefined) return { kind: 'at', place }
    return { kind: 'one', test: escapedTest(sign) }
  }

  /** What stands between brackets. */
  private set(): Test {
    const isNot = this.take('^')
    const tests: Test[] = []
    while (this.text[this.at] !== ']') {
      if (this.at >= this.text.length) throw new BadPattern('a [ without its ]')
      tests.push(this.member())
    }
    this.at += 1
    return code => tests.some(test => test(code)) !== isNot
  }

  private member(): Test {
    const first = this.text[this.at] ?? ''
    this.at += 1
    if (first === '\\') {
      this.at += 1
      return escapedTest(this.text[this.at - 1] ?? '')
    }
    const [dash, last = ''] = [this.text[this.at], this.text[this.at + 1]]
    if (dash !== '-' || last === ']' || last === '' || last === '\\') return literal(first).test
    this.at += 2
    const [from, to] = [first.charCodeAt(0), last.charCodeAt(0)]
    return code => code >= from && code <= to
  }

  private take(sign: string): boolean {
    if (this.text[this.at] !== sign) return false
    this.at += 1
    return true
  }
}

/** @throws BadPattern */
function escapedTest(sign: string): Test {
  const test = SETS[sign.toLowerCase()]
  if (test !== undefined) return SETS[sign] === undefined ? code => !test(code) : test
  const code = SIGNS[sign]
  if (code !== undefined) return each => each === code
  if (sign === '' || /[A-Za-z0-9]/.test(sign)) throw new BadPattern(`\\${sign} is not possible`)
  return literal(sign).test
}

function literal(sign: string): { readonly kind: 'one'; readonly test: Test } {
  const code = sign.charCodeAt(0)
  return { kind: 'one', test: each => each === code }
}

function emit(part: Part, steps: Step[]): void {
  if (steps.length > MAX_STEPS) throw new BadPattern('it repeats too much')
  if (part.kind === 'one' || part.kind === 'at') steps.push(part)
  else if (part.kind === 'all') for (const each of part.parts) emit(each, steps)
  else if (part.kind === 'any') emitAny(part.parts, steps)
  else emitRepeat(part, steps)
}

function emitAny(parts: readonly Part[], steps: Step[]): void {
  const fork: number[] = []
  steps.push({ kind: 'fork', to: fork })
  const ends: number[][] = []
  for (const part of parts) {
    fork.push(steps.length)
    emit(part, steps)
    const end: number[] = []
    ends.push(end)
    steps.push({ kind: 'fork', to: end })
  }
  for (const end of ends) end.push(steps.length)
}

function emitRepeat(
  { part, least, most }: Extract<Part, { readonly kind: 'repeat' }>,
  steps: Step[],
): void {
  for (let count = 0; count < least; count++) emit(part, steps)
  if (most === Number.POSITIVE_INFINITY) {
    const start = steps.length
    const fork: number[] = []
    steps.push({ kind: 'fork', to: fork })
    emit(part, steps)
    steps.push({ kind: 'fork', to: [start] })
    fork.push(start + 1, steps.length)
    return
  }
  const skips: number[][] = []
  for (let count = least; count < most; count++) {
    const fork = [steps.length + 1]
    skips.push(fork)
    steps.push({ kind: 'fork', to: fork })
    emit(part, steps)
  }
  for (const skip of skips) skip.push(steps.length)
}

/** Where the line may be in the pattern after each of its signs. Nothing is made for a sign: there are many. */
function isFound(steps: readonly Step[], line: string): boolean {
  const walk: Walk = {
    steps,
    line,
    seen: new Int32Array(steps.length).fill(-1),
    here: new Int32Array(steps.length),
    count: 0,
    left: [],
  }
  const places = new Int32Array(steps.length)
  let known = 0
  for (let at = 0; at <= line.length; at++) {
    walk.count = 0
    for (let index = 0; index < known; index++)
      if (follow(places[index] ?? 0, at, walk)) return true
    // It may begin anywhere.
    if (follow(0, at, walk)) return true
    known = stepped(walk, line.charCodeAt(at), places)
  }
  return false
}

/** Puts the steps behind those that the sign fits into `places`; how many they are. */
function stepped({ steps, here, count }: Walk, code: number, places: Int32Array): number {
  let known = 0
  for (let index = 0; index < count; index++) {
    const place = here[index] ?? 0
    if (fits(steps[place], code)) places[known++] = place + 1
  }
  return known
}

function fits(step: Step | undefined, code: number): boolean {
  return step?.kind === 'one' && step.test(code)
}

type Walk = {
  readonly steps: readonly Step[]
  readonly line: string
  /** Position at which a step was looked at last. */
  readonly seen: Int32Array
  /** Steps that wait for a sign: the first `count` of it. */
  readonly here: Int32Array
  count: number
  /** Of one `follow`; empty between them, unless the end was found. */
  readonly left: number[]
}

/** Follows what needs no sign; true at the end of the pattern. */
function follow(from: number, at: number, walk: Walk): boolean {
  const { steps, line, seen, here, left } = walk
  left.push(from)
  for (let place = left.pop(); place !== undefined; place = left.pop()) {
    if (seen[place] === at) continue
    seen[place] = at
    const step = steps[place]
    if (step === undefined || step.kind === 'found') return true
    if (step.kind === 'one') here[walk.count++] = place
    else if (step.kind === 'fork') for (const to of step.to) left.push(to)
    else if (isAt(step.place, line, at)) left.push(place + 1)
  }
  return false
}

function isAt(place: Place, line: string, at: number): boolean {
  if (place === 'start') return at === 0
  if (place === 'end') return at === line.length
  const isEdge = isWord(line.charCodeAt(at - 1)) !== isWord(line.charCodeAt(at))
  return isEdge === (place === 'word')
}
