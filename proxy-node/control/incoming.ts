/** A package on its way into the home: whole and checked beside what is there, before anything of it is used. */
import { execFile } from 'node:child_process'
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { PackageRef } from '#contract/command'
import { Fault } from '#contract/fault'
import { checkUnpacked, type Home, type Installed, sha256Of } from './home.ts'
import type { Host } from './host.ts'
import { fetchPackage } from './package-source.ts'
import { checkRoom } from './prechecks.ts'
import { unpack } from './unpack.ts'

const DOWNLOAD = '.obfleet-download'
/** A cold disk reads 110 MB for the answer. */
const TELL_TIMEOUT_MS = 30_000

/**
 * Fetches and unpacks it into `home.unpacking`; whoever calls clears that in the end.
 * @throws package.*, node.disk-full; nothing of the installed version is touched
 */
export async function bringIn(
  home: Home,
  wanted: PackageRef,
  { timeoutMs }: { readonly timeoutMs?: number },
  host: Host,
): Promise<Installed> {
  // Of a run that was killed.
  clearIncoming(home)
  checkRoom(home.folder, wanted.sizeBytes)
  host.log(`fetching ${wanted.fileName}, ${wanted.sizeBytes} bytes`)
  const target = { file: join(home.folder, DOWNLOAD), ...(timeoutMs && { timeoutMs }) }
  const archive = await fetchPackage(wanted, target, host)
  mkdirSync(home.unpacking, { mode: 0o755 })
  await unpack(archive, home.unpacking, wanted.fileName)
  checkUnpacked(home, wanted.fileName)
  const executableSha256 = await sha256Of(join(home.unpacking, 'bin/obproxy'))
  return { version: wanted.version, packageSha256: wanted.sha256, executableSha256 }
}

export function clearIncoming(home: Home): void {
  rmSync(join(home.folder, DOWNLOAD), { force: true })
  rmSync(home.unpacking, { recursive: true, force: true })
}

/** What was unpacked runs on this machine and is the version it should be. @throws package.mismatch */
export async function checkVersion(home: Home, { fileName, version }: PackageRef): Promise<void> {
  const refuse = (detail: string) => new Fault('package.mismatch', { file: fileName, detail })
  const said = await versionText(home.unpacking)
  const found = versionIn(said)
  if (found === undefined)
    throw refuse(`its executable does not tell its version here: ${said.trim().slice(0, 100)}`)
  if (found !== version) throw refuse(`its executable is version ${found}, not ${version}`)
}

/** The version in the answer to `-V`, `obproxy (OceanBase 4.3.2.0 1)`, as a node reports it. */
export function versionIn(text: string): string | undefined {
  const [, release, build] = /\(OceanBase (\d+(?:\.\d+){3}) (\d+)[^)]*\)/.exec(text) ?? []
  return release === undefined ? undefined : `${release}-${build}`
}

/** All that it says, or why it says nothing. */
function versionText(folder: string): Promise<string> {
  const options = {
    timeout: TELL_TIMEOUT_MS,
    cwd: folder,
    env: { LD_LIBRARY_PATH: join(folder, 'lib') },
  }
  return new Promise(resolve => {
    execFile(join(folder, 'bin/obproxy'), ['-V'], options, (error, out, err) =>
      resolve(`${err}${out}` || (error?.message ?? '')),
    )
  })
}
