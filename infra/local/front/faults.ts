/**
 * Errors that a front answers by order: to logins or statements, of one tenant or all, so many times
 * or until it is told otherwise. The first that fits is the one.
 */

export type Fault = {
  readonly errno: number
  /** Absent: `statement`. */
  readonly at?: 'statement' | 'login'
  /** Absent: until it is cleared. */
  readonly times?: number
  readonly tenant?: string
  /** A pattern, without case, that the statement's text has somewhere. */
  readonly pattern?: string
  readonly message?: string
  /** Of the OK behind the error, 34 when absent. */
  readonly status?: number
  /** 5727: where the statement belongs, `host:port` of the leader. */
  readonly reroute?: string
}

type Armed = { readonly fault: Fault; readonly shape: RegExp | undefined; left: number }

const MAX_FAULTS = 100

export class Faults {
  private armed: Armed[] = []

  get isEmpty(): boolean {
    return this.armed.length === 0
  }

  /** @throws RangeError beyond the bound, SyntaxError for a pattern that is none */
  add(fault: Fault): void {
    if (this.armed.length >= MAX_FAULTS) throw new RangeError(`more than ${MAX_FAULTS} faults`)
    const shape = fault.pattern === undefined ? undefined : new RegExp(fault.pattern, 'i')
    this.armed.push({ fault, shape, left: fault.times ?? Number.POSITIVE_INFINITY })
  }

  clear(): void {
    this.armed = []
  }

  /** The fault that meets a statement or a login, once more used. */
  meet(at: 'statement' | 'login', tenant: string, text: string): Fault | undefined {
    if (this.armed.length === 0) return undefined
    const met = this.armed.find(
      ({ fault, shape }) =>
        (fault.at ?? 'statement') === at &&
        (fault.tenant === undefined || fault.tenant === tenant) &&
        (shape === undefined || shape.test(text)),
    )
    if (met === undefined) return undefined
    met.left -= 1
    if (met.left <= 0) this.armed = this.armed.filter(each => each !== met)
    return met.fault
  }
}

/** A fault out of parsed JSON; otherwise what is wrong with it. */
export function parseFault(value: unknown): Fault | string {
  const fields = typeof value === 'object' && value !== null ? Object.entries(value) : []
  const found = new Map(fields.filter(([, each]) => each !== undefined && each !== null))
  for (const [name, each] of found) {
    const isFit = FIELDS[name]?.(each)
    if (isFit === undefined) return `a fault has no ${name}`
    if (!isFit) return `${name} of a fault is not as it must be`
  }
  if (!found.has('errno')) return 'a fault needs errno, 1 to 65535'
  return Object.fromEntries(found) as Fault
}

const isText = (value: unknown) => typeof value === 'string' && value.length <= 1_000
const isWithin = (most: number, least: number) => (value: unknown) =>
  Number.isInteger(value) && Number(value) >= least && Number(value) <= most

const FIELDS: Readonly<Record<string, (value: unknown) => boolean>> = {
  errno: isWithin(0xffff, 1),
  at: value => value === 'statement' || value === 'login',
  times: isWithin(1_000_000, 1),
  tenant: isText,
  pattern: isText,
  message: isText,
  status: isWithin(0xffff, 0),
  reroute: value => /^[\d.]+:\d{1,5}$/.test(String(value)),
}
