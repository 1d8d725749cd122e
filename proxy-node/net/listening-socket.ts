/**
 * The listening socket and the directory lock, made by system calls: Bun neither hands out the
 * descriptor of its own listener nor lets one open without SO_REUSEPORT (N1). Linux.
 */
import { dlopen, FFIType, ptr } from 'bun:ffi'
import { hostPort, parseIp } from '../base/address.ts'

const AF_INET = 2
const AF_INET6 = 10
const SOCK_STREAM = 1
const SOCK_CLOEXEC = 0o2000000
const SOL_SOCKET = 1
const SO_REUSEADDR = 2
const SO_ACCEPTCONN = 30
const F_SETFD = 2
const FD_CLOEXEC = 1
const IPPROTO_IPV6 = 41
const IPV6_V6ONLY = 26
const BACKLOG = 4096
const LOCK_EXCLUSIVE_NOW = 2 | 4

function libc() {
  const int = FFIType.i32
  return dlopen('libc.so.6', {
    socket: { args: [int, int, int], returns: int },
    setsockopt: { args: [int, int, int, FFIType.ptr, int], returns: int },
    bind: { args: [int, FFIType.ptr, int], returns: int },
    listen: { args: [int, int], returns: int },
    close: { args: [int], returns: int },
    flock: { args: [int, int], returns: int },
    fcntl: { args: [int, int, int], returns: int },
    getsockopt: { args: [int, int, int, FFIType.ptr, FFIType.ptr], returns: int },
    getsockname: { args: [int, FFIType.ptr, FFIType.ptr], returns: int },
  }).symbols
}

/**
 * A listening descriptor, closed on exec. On an IPv6 address IPv4 clients are let in only when
 * `isDual`. @throws Error when the address is taken or not ours.
 */
export function openListeningSocket(host: string, port: number, isDual = false): number {
  const address = socketAddress(host, port)
  const calls = libc()
  const family = address[0] ?? AF_INET
  const descriptor = calls.socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0)
  const on = new Int32Array([1])
  calls.setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, ptr(on), 4)
  const isAlone = new Int32Array([isDual ? 0 : 1])
  if (family === AF_INET6) calls.setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, ptr(isAlone), 4)
  const bound = calls.bind(descriptor, ptr(address), address.length) === 0
  if (bound && calls.listen(descriptor, BACKLOG) === 0) return descriptor
  calls.close(descriptor)
  throw new Error(`${hostPort(host, port)} is in use or is no address of this host`)
}

/** Where a socket listens; `ip` has 4 or 16 bytes, `isDual`: IPv4 clients come in on IPv6, too. */
type ListeningPlace = { readonly ip: Uint8Array; readonly port: number; readonly isDual: boolean }

/**
 * Takes over a listening descriptor of the process before: from here on closed on exec. Answers where it
 * listens. @throws Error when it is no listening socket.
 */
export function adoptListeningSocket(descriptor: number): ListeningPlace {
  const calls = libc()
  const value = new Int32Array(1)
  const length = new Int32Array([4])
  const isSocket =
    calls.getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, ptr(value), ptr(length)) === 0
  if (!isSocket || value[0] !== 1) throw new Error(`descriptor ${descriptor} does not listen`)
  closeOnExec(descriptor)
  const address = new Uint8Array(128)
  length[0] = address.length
  calls.getsockname(descriptor, ptr(address), ptr(length))
  const port = ((address[2] ?? 0) << 8) | (address[3] ?? 0)
  if (address[0] === AF_INET) return { ip: address.slice(4, 8), port, isDual: false }
  length[0] = 4
  calls.getsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, ptr(value), ptr(length))
  return { ip: address.slice(8, 24), port, isDual: value.at(0) === 0 }
}

/** Keeps a descriptor from programs that this one starts, unless it is handed to them. */
export function closeOnExec(descriptor: number): void {
  libc().fcntl(descriptor, F_SETFD, FD_CLOEXEC)
}

/** Locks an open file until this process ends; false when another process has it. */
export function lockFile(descriptor: number): boolean {
  return libc().flock(descriptor, LOCK_EXCLUSIVE_NOW) === 0
}

/** `sockaddr_in` or `sockaddr_in6`: family, port, [flow], address, [scope]. */
function socketAddress(host: string, port: number): Uint8Array {
  const bytes = parseIp(host)
  if (bytes === undefined) throw new Error(`${host} is no IP address`)
  const isSix = bytes.length === 16
  const address = new Uint8Array(isSix ? 28 : 16)
  address.set([isSix ? AF_INET6 : AF_INET, 0, port >> 8, port & 0xff])
  address.set(bytes, isSix ? 8 : 4)
  return address
}
