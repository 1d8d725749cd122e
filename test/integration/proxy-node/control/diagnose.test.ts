/**
 * The verb diagnose over real processes: ours under its unit, well, unwell and stopped, and OceanBase's as its
 * stand-in plays it, installed by somebody else.
 */
import { createHash } from 'node:crypto'
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { join } from 'node:path'
import { createConnection } from 'mysql2/promise'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import type { OrderEntry } from '#contract/command'
import { type Diagnosis, levelsText } from '#contract/diagnosis'
import { listBody, versionBody } from '../../../support/config-documents.ts'
import { NodeInstance } from '../../../support/node-instance.ts'
import { CURRENT } from '../../../support/reference-obproxy/executable.ts'
import { type Installation, installRpm } from '../../../support/reference-obproxy/installation.ts'
import {
  clientOf,
  PACKAGE_FILE,
  PROXYRO,
  resultOf,
  SYS,
  VerbSuite,
} from '../../../support/verb-suite.ts'

const suite = new VerbSuite('127.15.21.201')
const node = new NodeInstance('127.15.21.1', suite.plane, [PACKAGE_FILE])
const foreign = new NodeInstance('127.15.21.2', suite.plane, [])
const CONFIG_HOST = '127.15.21.3'
const TOKEN = 'token-of-the-suite'
let theirs: Installation
let configService: Server
const asked: string[] = []
let isConfigAway = false

beforeAll(async () => {
  await suite.start()
  await suite.bringUp(node)
  configService = createServer((request, response) => {
    const { searchParams, search } = new URL(request.url ?? '', 'http://x')
    asked.push(search)
    if (isConfigAway) return void response.writeHead(503).end()
    const isShort = searchParams.get('VersionOnly') === 'true'
    response.end(isShort ? versionBody('v1') : listBody('v1', []))
  })
  await new Promise<void>(done => configService.listen(8080, CONFIG_HOST, done))
})

afterAll(async () => {
  await theirs?.stop()
  await foreign.stop()
  await node.stop()
  configService.close()
  await suite.stop()
})

/** The answer line's facts, and the document that came to the plane. */
async function diagnosed(host: NodeInstance, more: Partial<OrderEntry> = {}) {
  suite.plane.diagnoses.length = 0
  const entry = suite.entry(more)
  const result = resultOf(await host.run('run', host.order('diagnose', entry)))
  expect(result).toMatchObject({ ok: true, operationId: entry.operationId })
  const [document] = suite.plane.diagnoses
  if (document === undefined) throw new Error(`no document: ${JSON.stringify(result)}`)
  expect(document.operationId).toBe(entry.operationId)
  return { facts: result.facts ?? {}, document }
}

const detailOf = ({ findings }: Diagnosis, id: string) =>
  findings.find(each => each.id === id)?.detail

describe('a diagnosis of our proxy', () => {
  test('that serves is well, and knows its clients, its OB cluster and its files', async () => {
    const clients = [await clientOf(node), await clientOf(node)]
    const { facts, document } = await diagnosed(node)
    for (const client of clients) client.destroy()

    expect(levelsText(document.findings.filter(({ id }) => id !== 'disk'))).toBe('')
    expect(facts).toMatchObject({ fail: 0, uploaded: true })
    expect(document.facts).toMatchObject({
      version: '4.3.2.0-1',
      serving: 'ACTIVE',
      unit: { active: true },
      clients: [{ cluster: 'obcluster', tenant: 'app', count: 2 }],
      obClusters: [{ name: 'obcluster', error: null }],
      ports: [
        { port: 2883, isListening: true },
        { port: 2884, isListening: true },
      ],
      certificateExpiresAt: null,
      configService: null,
    })
    expect(document.facts.process?.residentBytes).toBeGreaterThan(20 * 2 ** 20)
    expect(document.facts.process?.processes).toBeGreaterThan(1)
    expect(document.facts.process?.openFiles).toBeGreaterThan(5)
    expect(document.facts.process?.executable).toBe('/home/admin/obproxy/bin/obproxy')
    expect(Math.abs(document.facts.clockMs ?? 9_999)).toBeLessThan(1_500)
    expect(document.facts.ledger.map(({ verb }) => verb)).toEqual(['install', 'start'])
  })

  test('says what is not as it should be: parameters, files, errors, dumps, and the OB cluster', async () => {
    const log = node.file('home/admin/obproxy/log')
    mkdirSync(log, { recursive: true })
    const now = new Date().toISOString()
    appendFileSync(
      join(log, 'obproxy.log'),
      `[${now}] ERROR [PROXY] set password = 'S3cret' failed\n[2020-01-01T00:00:00.000Z] ERROR [PROXY] long ago\n`,
    )
    writeFileSync(join(log, 'core.4711'), 'x')
    suite.plane.secrets.set('/wrong', 'not the password')
    const desired = suite.desired()
    const link = { ...desired.link, proxyroSecret: '/wrong' }
    const parameters = { query_digest_time_threshold: '77ms' }
    const { facts, document } = await diagnosed(node, {
      desired: { ...desired, link, parameters, version: '4.3.9.9-1' } as typeof desired,
    })

    const others = document.findings.filter(({ id }) => id !== 'disk')
    expect(levelsText(others)).toBe(
      'version=warn ob-clusters=fail parameters=warn crash=warn errors=warn',
    )
    expect(String(facts['found'])).toContain('ob-clusters=fail')
    expect(detailOf(document, 'ob-clusters')).toBe('obcluster: 1045')
    expect(detailOf(document, 'parameters')).toContain('query_digest_time_threshold=')
    expect(document.facts.errors).toHaveLength(1)
    expect(detailOf(document, 'errors')).toContain('set password = ***')
    expect(document.facts.crash?.file).toBe('/home/admin/obproxy/log/core.4711')
    const whole = JSON.stringify(document)
    for (const secret of ['S3cret', PROXYRO, SYS, 'not the password'])
      expect(whole).not.toContain(secret)
  })

  test('does not wait for a verb that works on the node, and does not hold one up', async () => {
    const slow = node.spawn([
      'run',
      node.order('drain', suite.entry({ drainSec: 20, maxClients: 0, fence: 50 })),
    ])
    const client = await clientOf(node)
    await vi.waitFor(
      async () => expect((await diagnosed(node)).document.facts.serving).toBe('BE_INACTIVE'),
      { timeout: 15_000, interval: 50 },
    )
    // Older than what the host has seen, and yet no reason to refuse a look.
    expect(slow.child.exitCode).toBe(null)
    client.destroy()
    expect(resultOf(await slow.ended)).toMatchObject({ ok: true })
    expect(await suite.act(node, 'undrain', { fence: 51 })).toMatchObject({ ok: true })
  })

  test('whose plane is away says so in its answer, with the names of what it found', async () => {
    suite.plane.reportStatus = 503
    try {
      const result = await suite.act(node, 'diagnose')
      expect(result).toMatchObject({
        ok: true,
        facts: { uploaded: false, reason: 'the plane answered 503' },
      })
      expect(String(result.facts?.['found'])).toContain('crash=warn')
    } finally {
      suite.plane.reportStatus = 204
    }
  })

  test('that is stopped on purpose finds nothing wrong with that; killed, it does', async () => {
    expect(await suite.act(node, 'stop', { fence: 52 })).toMatchObject({ ok: true })
    const stopped = await diagnosed(node, { desired: suite.desired({ state: 'STOPPED' }) })
    expect(detailOf(stopped.document, 'process')).toBe('it does not run, and should not')
    expect(stopped.document.facts.obClusters).toEqual([])
    const wanted = await diagnosed(node)
    expect(wanted.document.findings.find(({ id }) => id === 'process')).toMatchObject({
      level: 'fail',
      remedy: 'start the node',
    })
  })
})

describe('a diagnosis of a proxy that others installed', () => {
  test('is by admin SQL and files alone', async () => {
    await foreign.boot()
    theirs = installRpm(foreign.root, CURRENT)
    const password = createHash('sha1').update(SYS).digest('hex')
    const options = `local_bound_ip=${foreign.address},obproxy_sys_password=${password},server_routing_mode=mock`
    const url = `http://${CONFIG_HOST}:8080/services?Action=GetObProxyConfig&Token=${TOKEN}`
    await theirs.obproxy([
      ...['-p', '2883', '-l', '2884', '-n', 'theirs'],
      ...['-o', `${options},obproxy_config_server_url=${url}`],
    ])
    await vi.waitFor(
      async () => {
        const admin = { host: foreign.address, port: 2883, user: 'root@proxysys', password: SYS }
        await (await createConnection(admin)).end()
      },
      { timeout: 20_000, interval: 50 },
    )
    isConfigAway = true
    const { document } = await diagnosed(foreign)

    expect(document.facts).toMatchObject({
      version: `${CURRENT.version}-${CURRENT.build}`,
      login: '',
      exporter: '',
      serving: 'ACTIVE',
      unit: null,
      configService: 'it answered 503',
    })
    expect(asked.some(path => path.includes('VersionOnly=true'))).toBe(true)
    expect(document.facts.process?.command).toContain('Token=***')
    expect(detailOf(document, 'unit')).toBe('the proxy has no unit of ours')
    expect(JSON.stringify(document)).not.toContain(TOKEN)
  })
})
