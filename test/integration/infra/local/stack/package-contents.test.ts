/** Packages whose file name says what they are, and others. */
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { requireAsNamed } from '../../../../../infra/local/stack/package-contents.ts'
import { BUILD_NUMBER, PROXY_VERSION } from '../../../../../proxy-node/contract/version.ts'

const OURS = process.arch === 'arm64' ? 'aarch64' : 'x86_64'
const OTHER = process.arch === 'arm64' ? 'x86_64' : 'aarch64'
const MACHINES: Readonly<Record<string, number>> = { x86_64: 62, aarch64: 183 }

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'obfleet-packages-'))
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

function packed(fileName: string, executable: Buffer | string, name = 'bin/obproxy'): string {
  mkdirSync(join(folder, 'bin'), { recursive: true })
  if (Buffer.isBuffer(executable)) writeFileSync(join(folder, name), executable)
  else execFileSync('cp', [executable, join(folder, name)])
  chmodSync(join(folder, name), 0o755)
  const file = join(folder, fileName)
  execFileSync('tar', ['-czf', file, '-C', folder, name])
  return file
}

/** The head of an executable, and nothing that runs. */
function elf(arch: string): Buffer {
  const head = Buffer.alloc(64)
  head.write('\x7fELF', 'latin1')
  head.writeUInt16LE(MACHINES[arch] ?? 0, 18)
  return head
}

const named = (arch: string, version = '4.3.2.0-1') => `obproxy-${version}.linux.${arch}.tar.gz`

test('one for another machine is taken by the head of its executable alone', () => {
  expect(() => requireAsNamed(packed(named(OTHER), elf(OTHER)))).not.toThrow()
})

test('one that is named for another architecture is refused', () => {
  expect(() => requireAsNamed(packed(named(OURS), elf(OTHER)))).toThrow(
    `has an executable for ${OTHER}, not for ${OURS}`,
  )
  expect(() => requireAsNamed(packed(named(OURS), Buffer.from('no program')))).toThrow(
    'no architecture that is known',
  )
})

test('a script is for any architecture, and says its version', () => {
  const script = (version: string) =>
    Buffer.from(`#!/bin/sh\necho 'obproxy (OceanBase ${version})' >&2\n`)
  expect(() => requireAsNamed(packed(named(OURS), script('4.3.2.0 1')))).not.toThrow()
  expect(() => requireAsNamed(packed(named(OURS), script('4.3.2.0 2')))).toThrow('has version 4.3')
})

test('ours is what it is named, and nothing else', () => {
  const version = `${PROXY_VERSION}-${BUILD_NUMBER}`
  const built = join(import.meta.dirname, '../../../../../dist', named(OURS, version))
  expect(() => requireAsNamed(built)).not.toThrow()
  const other = join(folder, named(OURS, '9.9.9.9-1'))
  symlinkSync(built, other)
  expect(() => requireAsNamed(other)).toThrow(`has version ${version}, not 9.9.9.9-1`)
}, 30_000)

test('one that says another version of itself, or none, is refused', () => {
  // An executable of this machine that is no proxy: it prints what it is told.
  expect(() => requireAsNamed(packed(named(OURS), '/bin/echo'))).toThrow(
    'has version that it does not tell, not 4.3.2.0-1',
  )
  expect(() => requireAsNamed(packed(named(OURS), elf(OURS)))).toThrow(/does not run|does not tell/)
})

test('one without the executable, or with a name of its own, is refused', () => {
  expect(() => requireAsNamed(packed(named(OURS), elf(OURS), 'bin/other'))).toThrow(
    'has no bin/obproxy',
  )
  expect(() => requireAsNamed(packed('proxy.tar.gz', elf(OURS)))).toThrow('is no name of a package')
})
