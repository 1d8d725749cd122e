import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Log, type LogLevel } from '../../../../proxy-node/observe/log.ts'

let folder = ''
let now = 0
let level = 'INFO'
let maxFileBytes = 1_000_000
let maxBytesPerSec = 0
let log: Log
beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), 'obfleet-log-')), 'log')
  now = Date.UTC(2026, 0, 2, 3, 4, 5, 678)
  level = 'INFO'
  maxFileBytes = 1_000_000
  maxBytesPerSec = 0
  log = new Log({
    folder,
    now: () => now,
    level: () => level,
    maxFileBytes: () => maxFileBytes,
    maxBytesPerSec: () => maxBytesPerSec,
  })
})
afterEach(() => {
  log.close()
  rmSync(join(folder, '..'), { recursive: true, force: true })
})

const lines = () => readFileSync(join(folder, 'obproxy.log'), 'utf8').split('\n').slice(0, -1)

describe('the log', () => {
  test('writes a line with time and level, for its owner alone', () => {
    log.inform('started')

    expect(lines()).toEqual(['[2026-01-02T03:04:05.678Z] INFO [PROXY] started'])
    expect(statSync(join(folder, 'obproxy.log')).mode & 0o777).toBe(0o600)
  })

  test.each([
    ['ERROR', ['ERROR']],
    ['warn', ['ERROR', 'WARN']],
    ['WDIAG', ['ERROR', 'WARN', 'INFO']],
    ['DEBUG', ['ERROR', 'WARN', 'INFO', 'DEBUG']],
    ['ALL:WARN,PROXY:DEBUG', ['ERROR', 'WARN']],
    ['nonsense', ['ERROR', 'WARN', 'INFO']],
  ])('at %s takes %j', (set, taken) => {
    level = set

    const levels: LogLevel[] = ['ERROR', 'WARN', 'INFO', 'DEBUG']
    expect(levels.filter(name => log.takes(name))).toEqual(taken)
  })

  test('counts errors and warnings, also those that are not written', () => {
    level = 'ERROR'

    log.warn('one')
    log.error('two')

    expect(log.lines).toEqual({ error: 1, warn: 1 })
    expect(lines()).toHaveLength(1)
  })

  test('keeps a line one line of bounded length', () => {
    log.inform(`a\nb\r\nc${'x'.repeat(100_000)}`)

    expect(lines()).toHaveLength(1)
    expect(lines()[0]).toContain('a\\nb\\nc')
    expect(lines()[0]?.length).toBeLessThan(4200)
  })

  test.each([
    "obproxy_sys_password='s3cret'",
    'observer_sys_password1 = s3cret, x=1',
    '{"password":"s3cret"}',
    'token: s3cret',
    'PASSWORD=s3cret',
  ])('shows no value in %s', text => {
    log.inform(text)

    expect(lines()[0]).not.toContain('s3cret')
    expect(lines()[0]).toContain('******')
  })

  test('rotates at its bound and keeps ten old files, none of them a stranger', () => {
    maxFileBytes = 100
    log.inform('first')
    writeFileSync(join(folder, 'obproxy.log.keep-me'), '')
    for (let turn = 0; turn < 40; turn++) {
      now += 1
      log.inform(`line ${turn} ${'x'.repeat(40)}`)
    }

    const files = readdirSync(folder)
    expect(files.filter(name => /^obproxy\.log\.\d{17}$/.test(name))).toHaveLength(10)
    expect(files).toContain('obproxy.log.keep-me')
    expect(lines().at(-1)).toContain('line 39')
    for (const name of files) expect(statSync(join(folder, name)).size).toBeLessThan(300)
  })

  test('goes on in the same file after a restart', () => {
    log.inform('one')
    log.close()
    log.inform('two')

    expect(lines()).toHaveLength(2)
  })

  test('drops what is too much in a second and says how many', () => {
    maxBytesPerSec = 200
    for (let turn = 0; turn < 50; turn++) log.inform('x'.repeat(50))
    const written = lines().length
    now += 1000
    log.inform('later')

    expect(written).toBe(2)
    expect(lines().slice(2)).toEqual([
      expect.stringContaining('WARN [PROXY] 48 lines dropped'),
      expect.stringContaining('later'),
    ])
  })

  test('loses lines and nothing else when the disk refuses', () => {
    writeFileSync(folder, 'in the way')
    log.error('lost')
    rmSync(folder)
    now += 1000

    log.inform('back')

    expect(lines()).toEqual([
      expect.stringContaining('1 lines dropped'),
      expect.stringContaining('back'),
    ])
  })
})
