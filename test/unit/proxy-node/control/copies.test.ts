import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  copyToIncoming,
  dropCopy,
  moveWhole,
  putBack,
  readCopy,
  takeCopy,
} from '../../../../proxy-node/control/copies.ts'
import { type Home, homeOf } from '../../../../proxy-node/control/home.ts'
import { versionIn } from '../../../../proxy-node/control/incoming.ts'
import { pathsUnder } from '../../../../proxy-node/control/paths.ts'

const installed = { version: '1.0.0.0-1', packageSha256: 'p', executableSha256: 'e' }
let root: string
let home: Home

function lay(folder: string, files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(folder, name, '..'), { recursive: true })
    // As a package is moved in: another file in the place of the old one.
    writeFileSync(join(folder, `${name}.new`), text)
    renameSync(join(folder, `${name}.new`), join(folder, name))
  }
}

function found(part: string): Record<string, string> {
  const folder = join(home.folder, part)
  if (!existsSync(folder)) return {}
  return Object.fromEntries(
    readdirSync(folder).map(name => [name, readFileSync(join(folder, name), 'utf8')]),
  )
}

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'obfleet-copies-'))
  home = homeOf(pathsUnder(root), { home: '/home/admin/obproxy' })
  lay(home.folder, { 'bin/obproxy': 'old', 'lib/a.so': 'old a', 'etc/kept': 'state' })
  symlinkSync('a.so', join(home.folder, 'lib/link.so'))
})
afterEach(() => rmSync(root, { recursive: true }))

describe('a copy of what is installed', () => {
  test('brings bin and lib back as they were, and leaves the rest of the home alone', () => {
    takeCopy(home, '.obfleet-backup', installed, 7)
    lay(home.folder, { 'bin/obproxy': 'new', 'lib/b.so': 'new b', 'etc/kept': 'later' })

    putBack(home, '.obfleet-backup')
    putBack(home, '.obfleet-backup')

    expect(found('bin')).toEqual({ obproxy: 'old' })
    expect(found('lib')).toEqual({ 'a.so': 'old a', 'link.so': 'old a' })
    expect(found('etc')).toEqual({ kept: 'later' })
    expect(readCopy(home, '.obfleet-backup')).toEqual({ schema: 1, takenAt: 7, installed })
    expect(readdirSync(home.folder).sort()).toEqual(['.obfleet-backup', 'bin', 'etc', 'lib'])
  })

  test('is there only when it is whole', () => {
    mkdirSync(join(home.folder, '.obfleet-backup/bin'), { recursive: true })
    expect(readCopy(home, '.obfleet-backup')).toBeUndefined()

    takeCopy(home, '.obfleet-backup', installed, 7)
    expect(readCopy(home, '.obfleet-backup')?.installed).toEqual(installed)
    dropCopy(home, '.obfleet-backup')
    expect(readCopy(home, '.obfleet-backup')).toBeUndefined()
  })

  test('that is not whole is not put back over what there is', () => {
    mkdirSync(join(home.folder, '.obfleet-backup/bin'), { recursive: true })

    expect(() => putBack(home, '.obfleet-backup')).toThrow(
      expect.objectContaining({ code: 'node.no-backup' }),
    )

    expect(found('bin')).toEqual({ obproxy: 'old' })
  })

  test('that cannot be written leaves the copy before', () => {
    takeCopy(home, '.obfleet-backup', installed, 7)
    rmSync(join(home.folder, 'lib'), { recursive: true })
    writeFileSync(join(home.folder, 'lib'), 'in the way')

    expect(() => takeCopy(home, '.obfleet-backup', installed, 8)).toThrow(
      expect.objectContaining({ code: 'node.not-written' }),
    )

    expect(readCopy(home, '.obfleet-backup')?.takenAt).toBe(7)
  })

  test('can be moved in like a package, and takes the place of every file', () => {
    takeCopy(home, '.obfleet-backup', installed, 7)
    lay(home.folder, { 'bin/obproxy': 'new', 'lib/b.so': 'new b' })

    copyToIncoming(home, '.obfleet-backup')
    moveWhole(home)

    expect(found('bin')).toEqual({ obproxy: 'old' })
    expect(Object.keys(found('lib'))).toEqual(['a.so', 'link.so'])
    expect(existsSync(home.unpacking)).toBe(false)
  })
})

describe('the version that an executable tells', () => {
  test.each([
    ['obproxy (OceanBase 4.3.2.0 1)\nREVISION: 1\n', '4.3.2.0-1'],
    ['obproxy (OceanBase 4.2.1.0 11.el7)\nREVISION: 11-local-abc\n', '4.2.1.0-11'],
    ['obproxy (OceanBase 4.2.1 11)', undefined],
    ['exec format error', undefined],
    ['', undefined],
  ])('%j is %s', (text, version) => {
    expect(versionIn(text)).toBe(version)
  })
})
