/** Opens one connection with the tuning it is given, on Bun; prints what the system says of both ends. */
import { dlopen, FFIType, ptr } from 'bun:ffi'
import { readdirSync } from 'node:fs'
import { tunedTransport } from '../../proxy-node/net/bun.ts'
import type { Tuning } from '../../proxy-node/net/socket-tuning.ts'
import type { Connection, ConnectionEvents } from '../../proxy-node/net/transport.ts'

const SOL_SOCKET = 1
const IPPROTO_TCP = 6
const OPTIONS = {
  isKeptAlive: [SOL_SOCKET, 9],
  isNoDelay: [IPPROTO_TCP, 1],
  idleSeconds: [IPPROTO_TCP, 4],
  intervalSeconds: [IPPROTO_TCP, 5],
  probes: [IPPROTO_TCP, 6],
  userTimeoutMs: [IPPROTO_TCP, 18],
} as const

const int = FFIType.i32
const { getsockopt, getsockname } = dlopen('libc.so.6', {
  getsockopt: { args: [int, int, int, FFIType.ptr, FFIType.ptr], returns: int },
  getsockname: { args: [int, FFIType.ptr, FFIType.ptr], returns: int },
}).symbols

function optionOf(descriptor: number, level: number, option: number): number {
  const value = new Int32Array(1)
  const bytes = new Int32Array([4])
  getsockopt(descriptor, level, option, ptr(value), ptr(bytes))
  return value[0] ?? 0
}

/** The descriptor of this process whose local port it is, and that does not listen. */
function descriptorOf(port: number): number {
  const address = new Uint8Array(128)
  for (const name of readdirSync('/proc/self/fd')) {
    const bytes = new Int32Array([address.length])
    if (getsockname(Number(name), ptr(address), ptr(bytes)) !== 0) continue
    const found = ((address[2] ?? 0) << 8) | (address[3] ?? 0)
    if (found === port && optionOf(Number(name), SOL_SOCKET, 30) === 0) return Number(name)
  }
  throw new Error(`nobody has port ${port}`)
}

const optionsOf = (port: number) =>
  Object.fromEntries(
    Object.entries(OPTIONS).map(([name, [level, option]]) => [
      name,
      optionOf(descriptorOf(port), level, option),
    ]),
  )

const tuning = JSON.parse(process.argv[2] ?? '{}') as Tuning
const transport = tunedTransport(() => tuning)
const nothing: Omit<ConnectionEvents, 'opened'> = {
  received: () => {},
  drained: () => {},
  ended: () => {},
  closed: () => {},
}
const accepted = Promise.withResolvers<Connection>()
const listener = await transport.listen({ host: '127.0.0.1', port: 0 }, () => ({
  ...nothing,
  opened: connection => accepted.resolve(connection),
}))
const opened = Promise.withResolvers<void>()
transport.connect(
  { host: '127.0.0.1', port: listener.port, timeoutMs: 5_000 },
  { ...nothing, opened: () => opened.resolve() },
)
await opened.promise
const { remotePort } = await accepted.promise
process.stdout.write(
  JSON.stringify({ clients: optionsOf(listener.port), servers: optionsOf(remotePort) }),
)
process.exit(0)
