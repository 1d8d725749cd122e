/** What a release and the way back of a take-over have in common: the last of ours leaves the host. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { forgetPassword } from './access.ts'
import { writeDurably } from './durable-file.ts'
import { dropFound, type Found } from './found.ts'
import { putWatchdogBack } from './found-files.ts'
import { processesIn, startAsFound, watchdogCommands } from './found-processes.ts'
import { COPIES, homeOf, MARKER } from './home.ts'
import type { Host } from './host.ts'
import { forgetLent } from './lent.ts'
import { pidFileOf } from './listener.ts'
import { readMemory, writeMemory } from './node-file.ts'
import { type Paths, rooted } from './paths.ts'

/** Its own watchdog, unless it runs. @throws node.init-failed, node.not-written */
export async function watchAsFound(found: Found, host: Host): Promise<void> {
  const { paths } = host.settings
  putWatchdogBack(paths, found)
  if (watchdogCommands(paths, found.home).length === 0) await startAsFound('watchdogs', host)
}

/** What the host knows of its node: nothing but the fence. The record goes last. */
export function forgetNode(found: Found, { settings: { paths } }: Host): void {
  const { folder, unpacking } = homeOf(paths, found)
  for (const name of [MARKER, ...COPIES])
    rmSync(join(folder, name), { recursive: true, force: true })
  rmSync(unpacking, { recursive: true, force: true })
  rmSync(rooted(paths, paths.proxyEnvironment), { force: true })
  leavePid(paths, found)
  forgetPassword(paths)
  forgetLent(paths)
  const memory = { ...readMemory(paths), desired: null, parameterVersion: null, parameterNames: [] }
  writeMemory(paths, memory)
  dropFound(paths)
}

/** Ours writes it itself; of another one it was kept by somebody, or is of our watch. */
function leavePid(paths: Paths, { kind, home, hasPidFile }: Found): void {
  if (kind === 'ours') return
  const [pid] = processesIn(paths, home)
  if (hasPidFile && pid !== undefined) writeDurably(pidFileOf(paths, home), `${pid}\n`, 0o644)
  else rmSync(pidFileOf(paths, home), { force: true })
}
