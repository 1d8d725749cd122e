/** The record of a found proxy: what is kept where. */
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import {
  dropFound,
  type Found,
  foundFolder,
  keepFound,
  readFound,
} from '../../../../proxy-node/control/found.ts'
import { type Paths, pathsUnder } from '../../../../proxy-node/control/paths.ts'

const URL_OPTION =
  'obproxy_config_server_url=http://h/services?Action=a&Token=of-the-config-service'
const command = { argv: ['./bin/obproxy', '-o', URL_OPTION], env: {}, cwd: '/o', uid: 1, gid: 2 }
const FOUND: Found = {
  schema: 1,
  nodeId: 'nod_1',
  phase: 'changing',
  isChanged: true,
  kind: 'other',
  user: 'admin',
  pid: 4711,
  home: '/o',
  sqlPort: 2883,
  version: '4.3.1.0-4',
  isRunning: true,
  hasPidFile: false,
  start: command,
  watchdogs: [{ ...command, argv: ['./bin/obproxyd.sh', '-u', URL_OPTION] }],
  autoStart: [{ kind: 'lines', file: '/etc/rc.local' }],
  changed: ['enable_qos'],
}

let paths: Paths
const record = () => join(paths.state, 'take-over.json')
const commands = () => join(foundFolder(paths), 'commands.json')

beforeEach(() => {
  paths = pathsUnder(mkdtempSync(join(tmpdir(), 'obfleet-found-')))
})
afterEach(() => rmSync(paths.root, { recursive: true, force: true }))

test('comes back as it was kept, and is gone when it was dropped', () => {
  keepFound(paths, FOUND)
  expect(readFound(paths)).toEqual(FOUND)
  expect(keepFound(paths, FOUND, { phase: 'starting' })).toEqual({ ...FOUND, phase: 'starting' })
  expect(readFound(paths)?.phase).toBe('starting')
  dropFound(paths)
  expect(readFound(paths)).toBeUndefined()
})

test('has no token: commands lie with the copies, for their owner alone', () => {
  keepFound(paths, FOUND)
  expect(readFileSync(record(), 'utf8')).not.toContain('of-the-config-service')
  expect(readFileSync(commands(), 'utf8')).toContain('of-the-config-service')
  expect(statSync(commands()).mode & 0o777).toBe(0o600)
  expect(statSync(foundFolder(paths)).mode & 0o777).toBe(0o700)
})

test('of the version before has its commands in it, and is read', () => {
  keepFound(paths, FOUND)
  const { changed: _changed, ...before } = FOUND
  rmSync(commands())
  writeFileSync(
    record(),
    JSON.stringify({ ...before, parameters: { a: '1' }, isPasswordSet: true }),
  )
  expect(readFound(paths)).toEqual({ ...FOUND, changed: [] })
})

test('without its commands is damaged', () => {
  keepFound(paths, FOUND)
  rmSync(commands())
  expect(() => readFound(paths)).toThrow(expect.objectContaining({ code: 'node.state-damaged' }))
})
