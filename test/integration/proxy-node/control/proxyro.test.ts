/** proxyro's passwords on a node and at its OB cluster: slots, logins that must work first, and the change itself. */
import type { RowDataPacket } from 'mysql2/promise'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { ProxyroOrder } from '#contract/command'
import { type Authority, startAuthority } from '../../../support/certificates.ts'
import { NodeInstance } from '../../../support/node-instance.ts'
import { type PasswordServer, startPasswordServer } from '../../../support/password-server.ts'
import { adminOf, CLUSTER, PACKAGE_FILE, PROXYRO, VerbSuite } from '../../../support/verb-suite.ts'

const SECRET = '/obfleet/ob-clusters/obcluster/proxyro'
const NEW = 'new \'one\' \\ "quoted"'
const SLOTS = ['observer_sys_password', 'observer_sys_password1']

const suite = new VerbSuite('127.15.47.101')
const node = new NodeInstance('127.15.47.1', suite.plane, [PACKAGE_FILE])
let ob: PasswordServer

beforeAll(async () => {
  await suite.start()
  suite.plane.secrets.set(`${SECRET}/new`, NEW)
  await suite.bringUp(node, { proxyroRows: [{ obCluster: CLUSTER, secrets: [SECRET] }] })
}, 120_000)
afterAll(async () => {
  await node.stop()
  await suite.stop()
})
beforeEach(async () => {
  ob = await startPasswordServer(PROXYRO)
})
afterEach(() => ob.server.stop())

const order = (more: Partial<ProxyroOrder> = {}): ProxyroOrder => ({
  obCluster: CLUSTER,
  rootservice: [`${ob.server.host}:${ob.server.port}`],
  to: `${SECRET}/new`,
  ...more,
})
const link = (proxyroSecret1?: string) => {
  const { link: given } = suite.desired()
  if ('configUrl' in given) throw new Error('of the suite')
  return proxyroSecret1 === undefined ? given : { ...given, proxyroSecret1 }
}

/** Which slots hold something, for all and for the OB cluster. */
async function slots() {
  const admin = await adminOf(node)
  const [rows] = await admin.query<RowDataPacket[]>(
    'SELECT cluster_name, name, value FROM proxy_config',
  )
  admin.destroy()
  const of = (cluster: string) =>
    SLOTS.map(slot =>
      rows.some(
        row => row['cluster_name'] === cluster && row['name'] === slot && row['value'] !== '',
      ),
    )
  return { all: of(''), own: of(CLUSTER) }
}

describe('on a node', () => {
  test('a second password is given beside the first, and taken away again', async () => {
    expect(await slots()).toEqual({ all: [true, false], own: [true, false] })
    const both = [SECRET, `${SECRET}/new`]
    const desired = suite.desired({
      link: link(`${SECRET}/new`),
      proxyroRows: [{ obCluster: CLUSTER, secrets: both }],
    })

    expect(await suite.act(node, 'refresh', { desired })).toMatchObject({ ok: true })
    expect(await slots()).toEqual({ all: [true, true], own: [true, true] })

    const alone = suite.desired({ proxyroRows: [{ obCluster: CLUSTER, secrets: [SECRET] }] })
    expect(await suite.act(node, 'refresh', { desired: alone })).toMatchObject({ ok: true })
    expect(await slots()).toEqual({ all: [true, false], own: [true, false] })
  })

  test('a row of an OB cluster that is linked no more goes', async () => {
    const rows = [CLUSTER, 'west'].map(obCluster => ({ obCluster, secrets: [SECRET] }))
    await suite.act(node, 'refresh', { desired: suite.desired({ proxyroRows: rows }) })
    await suite.act(node, 'refresh', { desired: suite.desired({ proxyroRows: rows.slice(0, 1) }) })

    const admin = await adminOf(node)
    const [found] = await admin.query<RowDataPacket[]>(
      "SELECT cluster_name FROM proxy_config WHERE config_level = 'LEVEL_CLUSTER'",
    )
    admin.destroy()
    expect(new Set(found.map(row => row['cluster_name']))).toEqual(new Set([CLUSTER]))
  })

  test('nothing is set where the password does not open the OB cluster', async () => {
    const desired = suite.desired({
      proxyroRows: [{ obCluster: CLUSTER, secrets: [SECRET, `${SECRET}/new`] }],
    })
    expect(await suite.act(node, 'refresh', { desired, proxyro: [order()] })).toMatchObject({
      ok: false,
      code: 'proxyro.refused',
    })
    expect((await slots()).own).toEqual([true, false])

    ob.password = NEW
    expect(await suite.act(node, 'refresh', { desired, proxyro: [order()] })).toMatchObject({
      ok: true,
    })
    expect((await slots()).own).toEqual([true, true])
  })

  test.each([
    ['OceanBase_CE 4.3.5.1 (r101000042025031818-bxxx) (Built Mar 18 2025)', `${CLUSTER}=4.3.5.1`],
    ['OceanBase 3.2.4 (r1-b2)', `${CLUSTER}=3.2.4`],
    ['Source distribution', undefined],
    [undefined, undefined],
  ])('a login tells the version of the OB cluster: of “%s” it is %s', async (comment, told) => {
    ob.password = NEW
    ob.versionComment = comment
    const result = await suite.act(node, 'refresh', { proxyro: [order()] })
    expect(result, result.message).toMatchObject({ ok: true })
    expect(result.facts?.['obVersions']).toBe(told)
  })

  test('nothing is started where the password does not open the OB cluster', async () => {
    expect(await suite.act(node, 'stop')).toMatchObject({ ok: true })
    expect(await suite.act(node, 'start', { proxyro: [order()] })).toMatchObject({
      ok: false,
      code: 'proxyro.refused',
    })
    expect(await suite.act(node, 'status')).toMatchObject({ facts: { status: 'STOPPED' } })

    ob.password = NEW
    expect(await suite.act(node, 'start', { proxyro: [order()] })).toMatchObject({ ok: true })
  })

  test('one whose kept password is outdated is started with the one that counts', async () => {
    suite.plane.secrets.set(`${SECRET}/wrong`, 'something else')
    const outdated = suite.desired({
      proxyroRows: [{ obCluster: CLUSTER, secrets: [`${SECRET}/wrong`] }],
    })
    expect(await suite.act(node, 'refresh', { desired: outdated })).toMatchObject({ ok: true })
    expect(await suite.act(node, 'stop', { desired: outdated })).toMatchObject({ ok: true })

    const desired = suite.desired({ proxyroRows: [{ obCluster: CLUSTER, secrets: [SECRET] }] })
    expect(await suite.act(node, 'start', { desired })).toMatchObject({
      ok: true,
      facts: { status: 'RUNNING' },
    })
  })
})

describe('at the OB cluster', () => {
  const alter = (...orders: ProxyroOrder[]) => suite.act(node, 'alter-proxyro', { proxyro: orders })

  test('the password is changed by proxyro itself, once, and back again', async () => {
    const forth = order({ from: SECRET })
    expect(await alter(forth)).toMatchObject({ ok: true, facts: { changed: CLUSTER } })
    expect(ob.password).toBe(NEW)
    expect(await alter(forth)).toMatchObject({ ok: true, facts: { changed: '' } })

    expect(await alter(order({ from: `${SECRET}/new`, to: SECRET }))).toMatchObject({ ok: true })
    expect([ob.password, ob.changes]).toEqual([PROXYRO, 2])
  })

  test('a change whose answer is lost counts when the new password opens', async () => {
    ob.refusal = undefined
    expect(await alter(order({ from: SECRET }))).toMatchObject({ ok: true })
    expect([ob.password, ob.changes]).toEqual([NEW, 1])
  })

  test('one root service that is away is no hindrance; none that answers is named', async () => {
    const { rootservice } = order()
    const some = order({ from: SECRET, rootservice: ['127.15.47.250:1', ...rootservice] })
    expect(await alter(some)).toMatchObject({ ok: true })
    expect(await alter(order({ rootservice: ['127.15.47.250:1'] }))).toMatchObject({
      ok: false,
      code: 'proxyro.unreachable',
    })
  })

  test('a refusal is told by its number, with neither password', async () => {
    ob.refusal = 1227
    const refused = await alter(order({ from: SECRET }))
    expect(refused).toMatchObject({ ok: false, code: 'proxyro.not-changed' })
    expect(refused.message).toContain('1227')
    ob.password = 'nobody knows'
    const shut = await alter(order({ from: SECRET }))
    expect(shut).toMatchObject({ ok: false, code: 'proxyro.refused' })
    for (const { message } of [refused, shut]) {
      expect(message).not.toContain(NEW)
      expect(message).not.toContain(PROXYRO)
    }
  })

  describe('where the proxy speaks TLS to servers', () => {
    let authority: Authority
    const set = async (isOn: boolean) => {
      const admin = await adminOf(node)
      await admin.query(
        `ALTER PROXYCONFIG SET server_ssl_mode = '${isOn ? 'required' : 'preferred'}'`,
      )
      await admin.query(`ALTER PROXYCONFIG SET enable_server_ssl = ${isOn ? 'True' : 'False'}`)
      admin.destroy()
    }

    beforeAll(() => {
      authority = startAuthority()
    })
    afterAll(() => authority.stop())
    beforeEach(() => set(true))
    afterEach(() => set(false))

    test('the password goes there inside TLS', async () => {
      const inside = await startPasswordServer(PROXYRO, authority.issue('ob', ['IP:127.0.0.1']))
      const { host, port } = inside.server
      const rootservice = [`${host}:${port}`]

      expect(await alter(order({ from: SECRET, rootservice }))).toMatchObject({ ok: true })

      expect([inside.password, inside.isSecret]).toEqual([NEW, true])
      await inside.server.stop()
    })

    test('a server without TLS is told nothing', async () => {
      expect(await alter(order({ from: SECRET }))).toMatchObject({
        ok: false,
        code: 'proxyro.unreachable',
      })
      expect(ob.password).toBe(PROXYRO)
    })
  })
})
