/**
 * A listening socket that outlives its server: accepting can stop and begin again while clients wait in
 * its queue, and a successor gets the same socket. The runtime closes the descriptor it is given, so it
 * is given duplicates, made by system calls. Linux.
 */
import { dlopen, FFIType, ptr } from 'bun:ffi'
import { createServer, type Server, type Socket } from 'node:net'

const AF_INET = 2
const SOCK_STREAM_CLOEXEC = 1 | 0o2000000
const SOL_SOCKET = 1
const SO_REUSEADDR = 2
const F_SETFD = 2
const FD_CLOEXEC = 1
const F_DUPFD_CLOEXEC = 1030
const PR_SET_PDEATHSIG = 1
const BACKLOG = 1024

const { i32, u32, u64 } = FFIType

const libc = dlopen('libc.so.6', {
  socket: { args: [i32, i32, i32], returns: i32 },
  setsockopt: { args: [i32, i32, i32, FFIType.ptr, u32], returns: i32 },
  bind: { args: [i32, FFIType.ptr, u32], returns: i32 },
  listen: { args: [i32, i32], returns: i32 },
  fcntl: { args: [i32, i32, i32], returns: i32 },
  close: { args: [i32], returns: i32 },
  prctl: { args: [i32, u64, u64, u64, u64], returns: i32 },
}).symbols

export class Listener {
  /** The descriptor for a successor. */
  readonly fd: number
  private readonly accept: (socket: Socket) => void
  private server: Server | undefined

  private constructor(fd: number, accept: (socket: Socket) => void) {
    this.fd = fd
    this.accept = accept
  }

  /** Accepting begins with `resume`. @throws Error when the address is taken or is none of this machine's */
  static open(host: string, port: number, accept: (socket: Socket) => void): Listener {
    const fd = libc.socket(AF_INET, SOCK_STREAM_CLOEXEC, 0)
    const on = new Int32Array([1])
    libc.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, ptr(on), on.byteLength)
    const address = addressBytes(host, port)
    const isOpen =
      libc.bind(fd, ptr(address), address.length) === 0 && libc.listen(fd, BACKLOG) === 0
    if (isOpen) return new Listener(fd, accept)
    libc.close(fd)
    throw new Error(`cannot listen on ${host}:${port}`)
  }

  /** Takes over a socket that was inherited. */
  static adopt(fd: number, accept: (socket: Socket) => void): Listener {
    if (libc.fcntl(fd, F_SETFD, FD_CLOEXEC) !== 0) throw new Error(`descriptor ${fd} is not open`)
    return new Listener(fd, accept)
  }

  async resume(): Promise<void> {
    if (this.server !== undefined) return
    const server = createServer(this.accept)
    this.server = server
    await new Promise<void>((listening, failed) => {
      server.once('error', failed)
      server.listen({ fd: libc.fcntl(this.fd, F_DUPFD_CLOEXEC, 0) }, listening)
    })
  }

  /** Who connects from now on waits in the queue of the socket. */
  pause(): void {
    this.server?.close()
    this.server = undefined
  }

  close(): void {
    this.pause()
    libc.close(this.fd)
  }
}

/** Lets the kernel send SIGHUP to this process when its parent dies. */
export function hearOfParentsDeath(): void {
  libc.prctl(PR_SET_PDEATHSIG, 1n, 0n, 0n, 0n)
}

function addressBytes(host: string, port: number): Uint8Array {
  const bytes = new Uint8Array(16)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, AF_INET, true)
  view.setUint16(2, port)
  bytes.set(host.split('.').map(Number), 4)
  return bytes
}
