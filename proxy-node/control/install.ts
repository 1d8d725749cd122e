/**
 * Verb install: the proxy's files, its units and its secrets are in place; nothing runs yet. A package
 * becomes visible only when it is whole, so a full disk, a bad archive or a kill leave the old one.
 */
import type { PackageRef } from '#contract/command'
import type { DesiredNode } from '#contract/node-state'
import { prepare } from './bring-up.ts'
import { claim, type Home, homeOf, isIntact, moveIntoPlace, writeMarker } from './home.ts'
import type { Host } from './host.ts'
import { bringIn, clearIncoming } from './incoming.ts'
import { type NodeMemory, writeMemory } from './node-file.ts'
import { checkPorts, checkProcesses } from './prechecks.ts'
import type { Facts } from './result.ts'

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
    marker.installed?.packageSha256 === wanted.sha256 && (await isIntact(home, marker.installed))
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
  try {
    const installed = await bringIn(home, wanted, {}, host)
    moveIntoPlace(home)
    writeMarker(home, { schema: 1, nodeId, installed })
    host.log(`installed ${installed.version} in ${home.folder}`)
  } finally {
    clearIncoming(home)
  }
}
