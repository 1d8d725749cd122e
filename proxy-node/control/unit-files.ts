/** Writes and removes what the service manager reads: unit files and the proxy's environment. */
import { chmodSync, existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { DesiredNode } from '#contract/node-state'
import { readIfThere, writeDurably } from './durable-file.ts'
import { readFound } from './found.ts'
import type { Host } from './host.ts'
import { NODE_UNIT, type Paths, PROXY_UNIT, REPORT_TIMER, REPORT_UNIT, rooted } from './paths.ts'
import { lettingGo, unitTexts } from './units.ts'

const UNIT_MODE = 0o644

export function unitExists(paths: Paths, unit: string): boolean {
  return existsSync(join(paths.units, unit))
}

/**
 * Writes those that differ and has them read; true when the proxy's own changed.
 * @param configUrl with its token; empty without a config service.
 */
export async function writeUnits(
  desired: DesiredNode,
  configUrl: string,
  host: Host,
): Promise<boolean> {
  const { settings, init } = host
  const changed: string[] = []
  const found = readFound(settings.paths)
  for (const [unit, text] of unitTexts(desired, { ...settings, configUrl, found })) {
    const file = join(settings.paths.units, unit)
    if (readIfThere(file) === text) continue
    writeDurably(file, text, UNIT_MODE)
    chmodSync(file, UNIT_MODE)
    changed.push(unit)
  }
  if (changed.length > 0) await init.reload()
  return changed.includes(PROXY_UNIT)
}

/** The units that act by themselves: at boot, and every minute. */
export async function enableUnits({ init }: Host): Promise<void> {
  await init.act('enable', NODE_UNIT)
  await init.act('enable', REPORT_TIMER)
  await init.act('start', REPORT_TIMER)
}

/** The proxy's unit is over, and its process runs on. @throws node.init-failed, node.not-written: nothing was stopped */
export async function letGo({ init, settings: { paths } }: Host): Promise<void> {
  const file = join(paths.units, PROXY_UNIT)
  const text = readIfThere(file)
  if (text === undefined) return
  writeDurably(file, lettingGo(text), UNIT_MODE)
  chmodSync(file, UNIT_MODE)
  await init.reload()
  await init.act('stop', PROXY_UNIT)
}

/** @param kept of them stay for now */
export async function removeUnits(
  { init, settings: { paths } }: Host,
  kept: readonly string[] = [],
): Promise<void> {
  const there = [REPORT_TIMER, REPORT_UNIT, NODE_UNIT, PROXY_UNIT].filter(
    unit => !kept.includes(unit) && unitExists(paths, unit),
  )
  if (there.includes(REPORT_TIMER)) await init.act('stop', REPORT_TIMER)
  for (const unit of [REPORT_TIMER, NODE_UNIT])
    if (there.includes(unit)) await init.act('disable', unit)
  for (const unit of there) rmSync(join(paths.units, unit), { force: true })
  for (const name of halfWritten(paths)) rmSync(join(paths.units, name), { force: true })
  if (there.length > 0) await init.reload()
}

/** Of verbs that were killed while they wrote one. */
function halfWritten({ units }: Paths): readonly string[] {
  if (!existsSync(units)) return []
  return readdirSync(units).filter(name => /^obfleet-.*\.new$/.test(name))
}

/** Environment of the proxy: hashes of proxyro's passwords, readable by its owner alone; true when it changed. */
export function writeProxyEnvironment(paths: Paths, hashes: readonly string[]): boolean {
  const text = hashes
    .map((hash, index) => `observer_sys_password${index === 0 ? '' : index}=${hash}\n`)
    .join('')
  const file = rooted(paths, paths.proxyEnvironment)
  if (readIfThere(file) === text) return false
  writeDurably(file, text)
  return true
}
