/**
 * What the system does with a connection by itself: Nagle's delay, keep-alive probes, the time that
 * unacknowledged bytes may take. Bun sets the first and part of the second; system calls on the
 * socket's descriptor set them all (tried). Linux: tcp(7).
 */
import { dlopen, FFIType, ptr } from 'bun:ffi'

export type SocketTuning = {
  readonly isNoDelay: boolean
  readonly isKeptAlive: boolean
  /** Keep-alive; 0 is the system's own. */
  readonly idleSeconds: number
  readonly intervalSeconds: number
  readonly probes: number
  /** 0: the system's own. */
  readonly userTimeoutSeconds: number
}

/** Of connections that are accepted, and of those that are opened. */
export type Tuning = { readonly clients: SocketTuning; readonly servers: SocketTuning }

const SOL_SOCKET = 1
const SO_KEEPALIVE = 9
const IPPROTO_TCP = 6
const TCP_NODELAY = 1
const TCP_KEEPIDLE = 4
const TCP_KEEPINTVL = 5
const TCP_KEEPCNT = 6
const TCP_USER_TIMEOUT = 18
const VALUE_BYTES = 4

const SYSTEM = dlopen('libc.so.6', {
  setsockopt: {
    args: [FFIType.i32, FFIType.i32, FFIType.i32, FFIType.ptr, FFIType.i32],
    returns: FFIType.i32,
  },
}).symbols

/** As OBProxy's parameters are by default (proxy-protocol.md §9). */
const STANDARD: SocketTuning = {
  isNoDelay: true,
  isKeptAlive: true,
  idleSeconds: 5,
  intervalSeconds: 5,
  probes: 5,
  userTimeoutSeconds: 0,
}
export const STANDARD_TUNING: Tuning = { clients: STANDARD, servers: STANDARD }

/** Sets all of it on an open socket; what the system refuses stays as it is. */
export function tuneSocket(descriptor: number, tuning: SocketTuning): void {
  const value = new Int32Array(1)
  const set = (level: number, option: number, to: number) => {
    value[0] = to
    SYSTEM.setsockopt(descriptor, level, option, ptr(value), VALUE_BYTES)
  }
  const setUnlessZero = (option: number, to: number) => {
    if (to > 0) set(IPPROTO_TCP, option, to)
  }
  set(IPPROTO_TCP, TCP_NODELAY, Number(tuning.isNoDelay))
  set(SOL_SOCKET, SO_KEEPALIVE, Number(tuning.isKeptAlive))
  setUnlessZero(TCP_KEEPIDLE, tuning.idleSeconds)
  setUnlessZero(TCP_KEEPINTVL, tuning.intervalSeconds)
  setUnlessZero(TCP_KEEPCNT, tuning.probes)
  setUnlessZero(TCP_USER_TIMEOUT, tuning.userTimeoutSeconds * 1000)
}
