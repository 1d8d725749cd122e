/**
 * One proxy a directory: the lock that says so, the id generation of each start, the file with the
 * pid. A successor gets the locked descriptor itself, so that at no moment nobody holds the lock.
 */
import {
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { closeOnExec, lockFile } from '../net/listening-socket.ts'
import type { Generation, Inherited } from './inherited.ts'

export type StateDirectory = {
  readonly lockDescriptor: number
  /** Differs from that of the process before (N4). */
  readonly generation: Generation
}

/** Undefined when another proxy has it. @throws Error when it cannot be used. */
export function lockDirectory(
  workdir: string,
  inherited: Inherited | undefined,
): StateDirectory | undefined {
  const folder = join(workdir, 'etc')
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const lockDescriptor = inherited?.lockDescriptor ?? openSync(join(folder, '.lock'), 'a', 0o600)
  // Of an inherited descriptor the lock is held already, and locking it again succeeds.
  if (!lockFile(lockDescriptor)) {
    closeSync(lockDescriptor)
    return undefined
  }
  // Held, not closed: the lock ends with the last process that has it.
  closeOnExec(lockDescriptor)
  const file = join(folder, '.generation')
  const generation = inherited?.generation ?? (Number(readOr(file, '0')) === 0 ? 1 : 0)
  writeFileSync(file, String(generation), { mode: 0o600 })
  return { lockDescriptor, generation }
}

/** Where service managers and deployers read which process is the proxy. */
function pidFile(workdir: string): string {
  return join(workdir, 'run', 'obproxy.pid')
}

/** Says that this process is the proxy of the directory. @throws Error when the disk refuses. */
export function publishPid(workdir: string, pid: number): void {
  const file = pidFile(workdir)
  mkdirSync(join(workdir, 'run'), { recursive: true, mode: 0o755 })
  writeFileSync(`${file}.new`, `${pid}\n`, { mode: 0o644 })
  renameSync(`${file}.new`, file)
}

/** Takes back what `publishPid` said, unless another process has said so since. */
export function withdrawPid(workdir: string, pid: number): void {
  const file = pidFile(workdir)
  if (readOr(file, '').trim() === String(pid)) rmSync(file, { force: true })
}

function readOr(file: string, otherwise: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return otherwise
  }
}
