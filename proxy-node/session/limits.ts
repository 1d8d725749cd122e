/** Which faults are limits that a client has met, and are counted as such. */
import type { FaultCode } from '#contract/fault'
import type { Limit } from '#contract/names'

const LIMIT_OF: Readonly<Partial<Record<FaultCode, Limit>>> = {
  'login.too-many': 'connections',
  'login.too-many-logins': 'logins',
  'login.too-many-of-address': 'logins_of_address',
  'login.too-long': 'login_size',
  'login.timeout': 'login_time',
  'session.evicted': 'evicted',
  'session.idle': 'idle',
}

/** Undefined: the fault is no limit on clients. */
export function limitOf(code: FaultCode): Limit | undefined {
  return LIMIT_OF[code]
}
