/** Copies of a found proxy's own files, and their way back. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Found } from '../../../../proxy-node/control/found.ts'
import { foundFolder } from '../../../../proxy-node/control/found.ts'
import {
  copyAsFound,
  passwordAsFound,
  putFilesBack,
  putWatchdogBack,
} from '../../../../proxy-node/control/found-files.ts'
import { type Paths, pathsUnder } from '../../../../proxy-node/control/paths.ts'

const of = { home: '/o', start: { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 } }
const FOUND = {
  schema: 1,
  nodeId: 'nod_1',
  phase: 'changing',
  isChanged: true,
  kind: 'other',
  user: '',
  pid: 1,
  home: of.home,
  sqlPort: 2883,
  version: '4',
  isRunning: true,
  hasPidFile: false,
  start: { argv: ['./bin/obproxy'], env: {}, cwd: '/o', ...of.start },
  watchdogs: [],
  autoStart: [],
  changed: [],
} satisfies Found

let paths: Paths
const at = (path: string) => join(paths.root, 'o', path)
const write = (path: string, text: string, mode = 0o600) => {
  mkdirSync(dirname(at(path)), { recursive: true })
  writeFileSync(at(path), text, { mode })
}

beforeEach(() => {
  paths = pathsUnder(mkdtempSync(join(tmpdir(), 'obfleet-found-files-')))
  write('etc/proxyconfig.db', 'as found')
  write('etc/deep/x', 'deep')
  write('bin/obproxyd.sh', '#!/bin/sh\n', 0o755)
  write('log/obproxy.log', 'a line')
})
afterEach(() => rmSync(paths.root, { recursive: true, force: true }))

test('have what the proxy has stored and its script, and nothing of the rest', () => {
  copyAsFound(paths, '/o', Buffer.from('ab', 'hex'))
  expect(readdirSync(foundFolder(paths)).sort()).toEqual(['bin', 'etc', 'proxysys.sha1'])
  expect(statSync(foundFolder(paths)).mode & 0o777).toBe(0o700)
  expect(passwordAsFound(paths)).toEqual(Buffer.from('ab', 'hex'))
})

test('go back over what is there, and what came since goes', () => {
  copyAsFound(paths, '/o', null)
  write('etc/proxyconfig.db', 'ours')
  write('etc/new', 'ours')
  putFilesBack(paths, FOUND)
  expect(readdirSync(at('etc')).sort()).toEqual(['deep', 'proxyconfig.db'])
  expect(readFileSync(at('etc/proxyconfig.db'), 'utf8')).toBe('as found')
  expect(readFileSync(at('log/obproxy.log'), 'utf8')).toBe('a line')
  expect(passwordAsFound(paths)).toBeNull()
})

test('take the place of those before', () => {
  copyAsFound(paths, '/o', Buffer.from('ab', 'hex'))
  rmSync(at('etc/deep'), { recursive: true })
  copyAsFound(paths, '/o', null)
  expect(existsSync(join(foundFolder(paths), 'etc/deep'))).toBe(false)
  expect(passwordAsFound(paths)).toBeNull()
})

test('bring the script back where it is missing, and leave another one alone', () => {
  copyAsFound(paths, '/o', null)
  rmSync(at('bin/obproxyd.sh'))
  putWatchdogBack(paths, FOUND)
  expect(statSync(at('bin/obproxyd.sh')).mode & 0o777).toBe(0o755)
  write('bin/obproxyd.sh', 'another')
  putWatchdogBack(paths, FOUND)
  expect(readFileSync(at('bin/obproxyd.sh'), 'utf8')).toBe('another')
})
