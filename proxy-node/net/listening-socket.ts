/**
 * The listening socket and the directory lock, made by system calls: Bun neither hands out the
 * descriptor of its own listener nor lets one open without SO_REUSEPORT (N1). Linux, IPv4.
 */
import { dlopen, FFIType, ptr } from 'bun:ffi'

const AF_INET = 2
const SOCK_STREAM = 1
const SOCK_CLOEXEC = 0o2000000
const SOL_SOCKET = 1
const SO_REUSEADDR = 2
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
  }).symbols
}

/** A listening descriptor, closed on exec. @throws Error when the address is taken or not ours. */
export function openListeningSocket(host: string, port: number): number {
  const calls = libc()
  const descriptor = calls.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)
  const on = new Int32Array([1])
  calls.setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, ptr(on), 4)
  const address = Uint8Array.of(
    AF_INET,
    0,
    port >> 8,
    port & 0xff,
    ...octets(host),
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
  )
  const bound = calls.bind(descriptor, ptr(address), address.length) === 0
  if (bound && calls.listen(descriptor, BACKLOG) === 0) return descriptor
  calls.close(descriptor)
  throw new Error(`${host}:${port} is in use or is no address of this host`)
}

/** Locks an open file until this process ends; false when another process has it. */
export function lockFile(descriptor: number): boolean {
  return libc().flock(descriptor, LOCK_EXCLUSIVE_NOW) === 0
}

function octets(host: string): number[] {
  const parts = host.split('.').map(Number)
  if (parts.length !== 4 || parts.some(part => !Number.isInteger(part) || part < 0 || part > 255))
    throw new Error(`${host} is no IPv4 address`)
  return parts
}
