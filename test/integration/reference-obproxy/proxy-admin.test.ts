/** What the node's verbs use of a proxy's admin SQL, against the stand-in: it is theirs to manage, too. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parsePackageName } from '../../../functions/domain/names.ts'
import { stage1Of } from '../../../proxy-node/auth/scramble.ts'
import { systemClock } from '../../../proxy-node/base/clock.ts'
import { sha256Of } from '../../../proxy-node/control/home.ts'
import { isDenied, ProxyAdmin } from '../../../proxy-node/control/proxy-admin.ts'
import { unpack } from '../../../proxy-node/control/unpack.ts'
import { nodeTransport } from '../../../proxy-node/net/node.ts'
import {
  CURRENT,
  executableOf,
  NEXT,
  packageOf,
} from '../../support/reference-obproxy/executable.ts'
import { running, type Scene } from './scene.ts'

const HOST = '127.19.8.1'
const PORT = { transport: nodeTransport, clock: systemClock }

let scene: Scene

beforeAll(async () => {
  scene = await running(HOST)
})

afterAll(async () => {
  await scene?.stop()
})

function open(password: string): Promise<ProxyAdmin> {
  return ProxyAdmin.open({ host: HOST, port: 2883 }, stage1Of(password), PORT)
}

describe('ProxyAdmin', () => {
  test('reads version, parameters and connections', async () => {
    const admin = await open('proxysys')
    const parameters = await admin.parameters()

    expect(await admin.version()).toBe('4.3.1.0-4')
    expect(parameters.size).toBe(299)
    expect(parameters.get('app_name')).toBe('shop')
    expect(await admin.clientConnections()).toBe(0)
    admin.close()
  })

  test('changes a parameter, and tells of one that is refused', async () => {
    const admin = await open('proxysys')

    await admin.alter('slow_query_time_threshold', '2s')

    expect((await admin.parameters()).get('slow_query_time_threshold')).toBe('2s')
    await expect(admin.alter('no_such', '1')).rejects.toMatchObject({
      code: 'node.parameter-refused',
    })
    admin.close()
  })

  test.each(['plain', "it's", 'say "x"'])(
    'a password %j that it sets is the one that gets in',
    async password => {
      const admin = await open('proxysys')
      await admin.alter('obproxy_sys_password', password)

      const other = await open(password)
      await other.alter('obproxy_sys_password', 'proxysys')

      admin.close()
      other.close()
    },
  )

  test('sees a wrong password as one', async () => {
    const error = await open('wrong').catch(reason => reason)

    expect(isDenied(error)).toBe(true)
  })

  test('a password with a backslash arrives cut, as the lexer of the original has it', async () => {
    const admin = await open('proxysys')
    await admin.alter('obproxy_sys_password', String.raw`back\slash`)

    const other = await open(String.raw`back\\sla`)
    await other.alter('obproxy_sys_password', 'proxysys')

    admin.close()
    other.close()
  })
})

describe('a package of the stand-in', () => {
  let folder: string

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'obfleet-package-'))
  })

  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  test('is named and made as the node takes packages, with the executable of its version', async () => {
    const file = packageOf(NEXT)
    await unpack(file, folder, basename(file))

    expect(parsePackageName(basename(file))).toMatchObject({ version: '4.3.2.0-18', os: 'el7' })
    expect(readdirSync(join(folder, 'bin')).sort()).toEqual(['obproxy', 'obproxyd.sh'])
    expect(await sha256Of(join(folder, 'bin/obproxy'))).toBe(await sha256Of(executableOf(NEXT)))
    expect(await sha256Of(executableOf(NEXT))).not.toBe(await sha256Of(executableOf(CURRENT)))
  })
})
