/** The verb collect-logs over real files: ours, and those of OceanBase's proxy as its stand-in writes them. */
import { execFileSync } from 'node:child_process'
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { LogFilter } from '#contract/log-filter'
import { NodeInstance } from '../../../support/node-instance.ts'
import { CURRENT } from '../../../support/reference-obproxy/executable.ts'
import { type Installation, installRpm } from '../../../support/reference-obproxy/installation.ts'
import { PACKAGE_FILE, resultOf, VerbSuite } from '../../../support/verb-suite.ts'

const suite = new VerbSuite('127.15.23.201')
const node = new NodeInstance('127.15.23.1', suite.plane, [PACKAGE_FILE])
const foreign = new NodeInstance('127.15.23.2', suite.plane, [])
const unpacked: string[] = []
let theirs: Installation | undefined

beforeAll(async () => {
  await suite.start()
  await suite.bringUp(node)
})

afterAll(async () => {
  await theirs?.stop()
  await foreign.stop()
  await node.stop()
  await suite.stop()
  for (const folder of unpacked) rmSync(folder, { recursive: true })
})

const filter = (more: Partial<LogFilter> = {}): LogFilter => ({
  types: ['proxy', 'slow', 'node', 'unit'],
  from: Date.now() - 3_600_000,
  to: Date.now() + 60_000,
  keywords: [],
  exclude: [],
  ...more,
})

/** The answer, and the files of the archive as any tar reads them. */
async function collected(host: NodeInstance, more: Partial<LogFilter> = {}) {
  const entry = suite.entry({ logs: filter(more) })
  const ran = await host.run('run', host.order('collect-logs', entry))
  const result = resultOf(ran)
  const bundle = suite.plane.bundles.get(entry.operationId)
  const files = new Map<string, string>()
  if (bundle !== undefined) {
    const folder = mkdtempSync(join(tmpdir(), 'obfleet-bundle-'))
    unpacked.push(folder)
    const archive = join(folder, 'bundle.tar.gz')
    writeFileSync(archive, bundle)
    execFileSync('tar', ['-xzf', archive, '-C', folder])
    for (const each of readdirSync(folder, { recursive: true, withFileTypes: true }))
      if (each.isFile() && each.name !== 'bundle.tar.gz') {
        const file = join(each.parentPath, each.name)
        files.set(file.slice(folder.length + 1), readFileSync(file, 'utf8'))
      }
  }
  return { result, files, ran }
}

describe('logs', () => {
  test('are packed by type, without secrets, with what they are', async () => {
    const log = node.file('home/admin/obproxy/log')
    mkdirSync(log, { recursive: true })
    const now = new Date().toISOString()
    appendFileSync(join(log, 'obproxy.log'), `[${now}] WARN [PROXY] Token=S3cret&x=1\n`)
    writeFileSync(
      join(log, 'obproxy_slow.log'),
      `${now.replace('T', ' ').replace('Z', '')},app,,,,c:t:d,OB_MYSQL,,,,,success,,create user u identified by 'S3cret',1us\n`,
    )
    writeFileSync(join(log, 'obproxy_digest.log'), `${now} not asked for\n`)
    const { result, files, ran } = await collected(node)

    expect(result).toMatchObject({
      ok: true,
      facts: { partial: false, why: '', files: files.size - 1 },
    })
    expect([...files.keys()]).toEqual(
      expect.arrayContaining([
        'about.json',
        'proxy/obproxy.log',
        'slow/obproxy_slow.log',
        'node/node.log',
      ]),
    )
    expect([...files.keys()].some(name => name.startsWith('unit/'))).toBe(true)
    expect([...files.keys()]).not.toContain('digest/obproxy_digest.log')
    expect(files.get('proxy/obproxy.log')).toContain('Token=***')
    expect(files.get('slow/obproxy_slow.log')).toContain('identified by ***')
    expect([...files.values(), ran.out, ran.err].join('\n')).not.toContain('S3cret')
    expect(ran.err).not.toContain('/bundles/')
  })

  test('of another time, and rotated before it, are left out', async () => {
    const log = node.file('home/admin/obproxy/log')
    const old = join(log, 'obproxy.log.20200101000000000')
    writeFileSync(old, '[2020-01-01T00:00:00.000Z] ERROR [PROXY] long ago\n')
    utimesSync(old, 1_577_836_800, 1_577_836_800)
    const { files } = await collected(node)
    expect([...files.keys()]).not.toContain('proxy/obproxy.log.20200101000000000')
    const long = await collected(node, { from: 0, keywords: ['long ago'] })
    expect(long.result.facts).toMatchObject({ lines: 1, files: 1 })
  })

  test('that the proxy has packed are named as missing', async () => {
    const log = node.file('home/admin/obproxy/log')
    writeFileSync(join(log, 'obproxy.log.20261124100000000.zst'), 'x')
    const { result } = await collected(node)
    expect(result.facts).toMatchObject({ partial: true, why: '1 packed files were left out' })
    rmSync(join(log, 'obproxy.log.20261124100000000.zst'))
  })

  test('that nobody takes fail, and the place is not told', async () => {
    suite.plane.bundleStatus = 503
    try {
      const { result, ran } = await collected(node)
      expect(result).toMatchObject({ ok: false, code: 'node.no-log-place' })
      expect(result.message).toContain('the object storage answered 503')
      expect(ran.out + ran.err).not.toContain('/bundles/')
    } finally {
      suite.plane.bundleStatus = 200
    }
  })

  test('of a proxy that others installed are found where it writes them', async () => {
    await foreign.boot()
    theirs = installRpm(foreign.root, CURRENT)
    await theirs.obproxy([
      ...['-p', '2883', '-l', '2884', '-n', 'theirs', '-o'],
      `local_bound_ip=${foreign.address},server_routing_mode=mock,rootservice_cluster_name=c,rootservice_list=127.0.0.1:2881`,
    ])
    const entry = suite.entry({ logs: filter({ types: ['proxy'] }) })
    const { result, files } = await collectedBy(entry)
    expect(result).toMatchObject({ ok: true, facts: { files: 1 } })
    expect(files).toContain('proxy/obproxy.log')
  })
})

/** What of the stand-in's host is in the archive. */
async function collectedBy(entry: ReturnType<VerbSuite['entry']>) {
  const result = resultOf(await foreign.run('run', foreign.order('collect-logs', entry)))
  const bundle = suite.plane.bundles.get(entry.operationId) ?? Buffer.alloc(0)
  const files = execFileSync('tar', ['-tzf', '-'], { input: bundle }).toString()
  return { result, files }
}
