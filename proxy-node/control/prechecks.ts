/** What must hold on the host before a proxy is put there or started. Source: management.md §3.1 (C3, C8, C10). */
import { existsSync, statfsSync } from 'node:fs'
import { dirname } from 'node:path'
import { Fault } from '#contract/fault'
import { hasRoomForTwo, mebibytes } from '#contract/memory'
import type { DesiredNode } from '#contract/node-state'
import { homeOf } from './home.ts'
import type { Host } from './host.ts'
import { availableMemory, proxyMemory } from './host-facts.ts'
import { PROXY_UNIT } from './paths.ts'
import { isListening, proxyProcesses } from './processes.ts'
import { unitExists } from './unit-files.ts'

/** A package of 51 MB unpacks to 109 MB; the old one is kept until the new one is whole. */
const ROOM_PER_PACKAGE_BYTE = 3
const ROOM_FOR_LOGS_BYTES = 32 * 1024 * 1024

/** No proxy that the service manager does not own (C3). @throws node.foreign-process */
export async function checkProcesses(desired: DesiredNode, host: Host): Promise<void> {
  const { paths } = host.settings
  const { executable } = homeOf(paths, desired)
  const isOurs = await runsUnderUnit(host)
  const foreign = proxyProcesses(paths.root).find(
    ({ path }) =>
      !path.startsWith(`${paths.root}/opt/obfleet/`) && !(isOurs && path === executable),
  )
  if (foreign !== undefined)
    throw new Fault('node.foreign-process', { pid: foreign.pid, path: foreign.path })
}

/** Both ports are free, unless our own proxy has them (C10). @throws node.port-in-use */
export async function checkPorts({ ports }: DesiredNode, host: Host): Promise<void> {
  if (await runsUnderUnit(host)) return
  const { address } = host.settings
  const taken = [ports.sql, ports.exporter].find(port => isListening(address, port))
  if (taken !== undefined)
    throw new Fault('node.port-in-use', { address: address ?? '0.0.0.0', port: taken })
}

/** @throws node.disk-full */
export function checkRoom(folder: string, packageBytes: number): void {
  const needed = packageBytes * ROOM_PER_PACKAGE_BYTE + ROOM_FOR_LOGS_BYTES
  let existing = folder
  while (!existsSync(existing)) existing = dirname(existing)
  const { bavail, bsize } = statfsSync(existing)
  const free = bavail * bsize
  if (free >= needed) return
  const detail = `${Math.floor(free / 2 ** 20)} MB are free, ${Math.ceil(needed / 2 ** 20)} MB are needed`
  throw new Fault('node.disk-full', { folder: existing, detail })
}

/**
 * Room for the successor beside the proxy that runs: both are there until the last client has left
 * (management.md §2.4, management-beyond.md §6). What the kernel does not tell is no hindrance.
 * @throws node.memory-short
 */
export function checkMemory(pid: number, { settings: { paths } }: Host): void {
  const used = proxyMemory(pid, paths)
  const available = availableMemory(paths)
  if (used === null || available === null || hasRoomForTwo({ used, available })) return
  throw new Fault('node.memory-short', {
    used: mebibytes(used),
    available: mebibytes(available),
  })
}

async function runsUnderUnit(host: Host): Promise<boolean> {
  return unitExists(host.settings.paths, PROXY_UNIT) && (await host.init.status(PROXY_UNIT)).active
}
