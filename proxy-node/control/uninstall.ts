/**
 * Verb uninstall: process, units and binaries are gone; configuration and logs are moved aside for a
 * while, in case somebody asks. What the host has seen (its fence) stays. Source: management.md §3.4.
 */
import { cpSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { DesiredNode } from '#contract/node-state'
import { forgetPassword } from './access.ts'
import { errorCode } from './durable-file.ts'
import { dropFound } from './found.ts'
import { homeOf, MARKER, readMarker } from './home.ts'
import type { Host } from './host.ts'
import { forgetLent } from './lent.ts'
import { type NodeMemory, writeMemory } from './node-file.ts'
import { type Paths, rooted } from './paths.ts'
import type { Facts } from './result.ts'
import { stopProxy } from './stop.ts'
import { removeUnits } from './unit-files.ts'

const KEPT_ASIDE = ['etc', 'log'] as const
const MAX_RETAINED = 5

export async function uninstall(
  memory: NodeMemory,
  desired: DesiredNode,
  host: Host,
): Promise<Facts> {
  const { paths } = host.settings
  writeMemory(paths, { ...memory, desired, parameterVersion: null, parameterNames: [] })
  await stopProxy(desired, host)
  await removeUnits(host)
  forgetPassword(paths)
  forgetLent(paths)
  rmSync(rooted(paths, paths.proxyEnvironment), { force: true })
  const removed = emptyHome(desired, host)
  dropFound(paths)
  return { status: 'STOPPED', pid: null, removed }
}

/** Only a home of this node is emptied; false when there was none. The marker goes last. */
function emptyHome(desired: DesiredNode, host: Host): boolean {
  const { paths } = host.settings
  const home = homeOf(paths, desired)
  if (readMarker(home)?.nodeId !== desired.nodeId) return false
  setAside(home.folder, desired.nodeId, paths, host)
  for (const name of readdirSync(home.folder).sort(markerLast))
    rmSync(join(home.folder, name), { recursive: true, force: true })
  return true
}

function markerLast(left: string, right: string): number {
  return Number(left === MARKER) - Number(right === MARKER)
}

function setAside(folder: string, nodeId: string, paths: Paths, host: Host): void {
  const retained = join(paths.state, 'retained')
  const name = `${new Date(host.clock.now()).toISOString().replace(/\D/g, '')}-${nodeId}`
  for (const part of KEPT_ASIDE.filter(part => existsSync(join(folder, part)))) {
    mkdirSync(join(retained, name), { recursive: true, mode: 0o700 })
    move(join(folder, part), join(retained, name, part))
  }
  if (!existsSync(retained)) return
  for (const old of readdirSync(retained).sort().slice(0, -MAX_RETAINED))
    rmSync(join(retained, old), { recursive: true, force: true })
}

function move(from: string, to: string): void {
  try {
    renameSync(from, to)
  } catch (error) {
    if (errorCode(error) !== 'EXDEV') throw error
    cpSync(from, to, { recursive: true })
    rmSync(from, { recursive: true, force: true })
  }
}
