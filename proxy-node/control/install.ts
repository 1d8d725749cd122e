/**
 * Verb install: the proxy's files, its units and its secrets are in place; nothing runs yet. A package
 * becomes visible only when it is whole, so a full disk, a bad archive or a kill leave the old one.
 */
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { PackageRef } from '#contract/command'
import type { DesiredNode } from '#contract/node-state'
import { prepare } from './bring-up.ts'
import {
  checkUnpacked,
  claim,
  type Home,
  homeOf,
  isIntact,
  moveIntoPlace,
  sha256Of,
  writeMarker,
} from './home.ts'
import type { Host } from './host.ts'
import { type NodeMemory, writeMemory } from './node-file.ts'
import { fetchPackage } from './package-source.ts'
import { checkPorts, checkProcesses, checkRoom } from './prechecks.ts'
import type { Facts } from './result.ts'
import { unpack } from './unpack.ts'

const DOWNLOAD = '.obfleet-download'

export async function install(
  memory: NodeMemory,
  desired: DesiredNode,
  wanted: PackageRef,
  host: Host,
): Promise<Facts> {
  const home = homeOf(host.settings.paths, desired)
  await checkProcesses(desired, host)
  await checkPorts(desired, host)
  const marker = claim(home, desired.nodeId)
  writeMemory(host.settings.paths, { ...memory, desired })
  const isThere =
    marker.installed?.packageSha256 === wanted.sha256 && (await isIntact(home, marker))
  if (!isThere) await putInPlace(home, desired.nodeId, wanted, host)
  await prepare(desired, host)
  return { version: wanted.version, installed: !isThere, home: desired.home }
}

async function putInPlace(
  home: Home,
  nodeId: string,
  wanted: PackageRef,
  host: Host,
): Promise<void> {
  const target = join(home.folder, DOWNLOAD)
  const clear = () => {
    rmSync(target, { force: true })
    rmSync(home.unpacking, { recursive: true, force: true })
  }
  // Of a run that was killed.
  clear()
  checkRoom(home.folder, wanted.sizeBytes)
  try {
    host.log(`fetching ${wanted.fileName}, ${wanted.sizeBytes} bytes`)
    const archive = await fetchPackage(wanted, target, host)
    mkdirSync(home.unpacking, { mode: 0o755 })
    await unpack(archive, home.unpacking, wanted.fileName)
    checkUnpacked(home, wanted.fileName)
    const executableSha256 = await sha256Of(join(home.unpacking, 'bin/obproxy'))
    moveIntoPlace(home)
    const { version, sha256: packageSha256 } = wanted
    writeMarker(home, {
      schema: 1,
      nodeId,
      installed: { version, packageSha256, executableSha256 },
    })
    host.log(`installed ${version} in ${home.folder}`)
  } finally {
    clear()
  }
}
