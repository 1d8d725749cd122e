/**
 * Whether a package is what its file name says: the architecture by the head of its executable, and the version
 * by what that says of itself, where this machine can run it. A node refuses it too, but only when it has
 * fetched it. Source: decisions PL11.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'

const EXECUTABLE = 'bin/obproxy'
/** `obproxy-4.3.2.0-1.linux.x86_64.tar.gz`; the API knows it more exactly. */
const NAME = /^obproxy-(\d[\d.]*-\w+)\.[a-z0-9]+\.(x86_64|aarch64)\.tar\.gz$/
const RUN_TIMEOUT_MS = 20_000
/** e_machine of an ELF file. */
const MACHINES: ReadonlyMap<number, string> = new Map([
  [62, 'x86_64'],
  [183, 'aarch64'],
])
const OURS = process.arch === 'arm64' ? 'aarch64' : 'x86_64'
/** `obproxy (OceanBase 4.3.2.0 1)`. */
const SAYS = /\(OceanBase\S*\s+(\d+(?:\.\d+)+)[\s-]+(\w+)/

/** @throws Error in one line */
export function requireAsNamed(file: string): void {
  const fileName = basename(file)
  const [, version, arch] = NAME.exec(fileName) ?? []
  if (version === undefined || arch === undefined)
    throw new Error(`${fileName} is no name of a package: obproxy-VERSION-BUILD.OS.ARCH.tar.gz`)
  const folder = mkdtempSync(join(tmpdir(), 'obfleet-package-'))
  try {
    const executable = unpacked(file, folder)
    const found = architectureOf(executable)
    if (found !== null && found !== arch)
      throw new Error(`${fileName} has an executable for ${found}, not for ${arch}`)
    const said = arch === OURS ? versionOf(executable) : version
    if (said !== version) throw new Error(`${fileName} has version ${said}, not ${version}`)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function unpacked(file: string, folder: string): string {
  try {
    const args = ['-xzf', file, '-C', folder, EXECUTABLE]
    execFileSync('tar', args, { stdio: ['ignore', 'ignore', 'pipe'] })
  } catch (error) {
    throw new Error(`${file} has no ${EXECUTABLE} that can be read`, { cause: error })
  }
  return join(folder, EXECUTABLE)
}

/** Null: a script, which is for any. */
function architectureOf(executable: string): string | null {
  const head = readFileSync(executable).subarray(0, 20)
  if (head.subarray(0, 2).toString('latin1') === '#!') return null
  const isElf = head.length === 20 && head.subarray(0, 4).toString('latin1') === '\x7fELF'
  const machine = isElf ? head.readUInt16LE(18) : 0
  return MACHINES.get(machine) ?? 'no architecture that is known'
}

function versionOf(executable: string): string {
  const { error, stdout, stderr } = spawnSync(executable, ['-V'], {
    timeout: RUN_TIMEOUT_MS,
    encoding: 'utf8',
  })
  if (error !== undefined)
    throw new Error(`${EXECUTABLE} of the package does not run here`, { cause: error })
  const [, version, build] = SAYS.exec(`${stdout}\n${stderr}`) ?? []
  return version === undefined ? 'that it does not tell' : `${version}-${build}`
}
