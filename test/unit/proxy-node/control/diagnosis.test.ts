/** What facts of a node mean, and what gives way when a document is too long. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { DIAGNOSIS_MAX_BYTES, type DiagnosisFacts, levelsText } from '#contract/diagnosis'
import { fitted } from '../../../../proxy-node/control/diagnose.ts'
import { diagnosisFindings } from '../../../../proxy-node/control/diagnosis-findings.ts'
import { latestErrors } from '../../../../proxy-node/control/diagnosis-host.ts'
import { diagnosisOf, LOOKED_AT, WELL } from '../../../support/diagnosis-document.ts'

const DAY_MS = 86_400_000
const desired = { state: 'RUNNING', version: '4.3.2.0-1' } as const

const found = (facts: Partial<DiagnosisFacts>) =>
  levelsText(diagnosisFindings({ ...WELL, ...facts }, { desired, now: LOOKED_AT }))

const { process } = WELL

describe('findings', () => {
  test('of a node that is well are all ok, and none has a remedy', () => {
    const all = diagnosisFindings(WELL, { desired, now: LOOKED_AT })
    expect(all.length).toBeGreaterThan(18)
    expect(all.filter(({ level, remedy }) => level !== 'ok' || remedy !== null)).toEqual([])
  })

  test.each<readonly [string, Partial<DiagnosisFacts>]>([
    ['process=fail', { process: null }],
    ['executable=warn', { process: process && { ...process, isReplaced: true } }],
    ['descriptors=warn', { process: process && { ...process, openFiles: 81, maxOpenFiles: 100 } }],
    ['descriptors=fail', { process: process && { ...process, openFiles: 96, maxOpenFiles: 100 } }],
    ['memory=warn', { availableBytes: 1 }],
    ['version=warn', { version: '4.3.1.0-4' }],
    ['unit=warn', { unit: null }],
    ['unit=fail', { unit: { active: false, pid: null } }],
    ['watchdog=warn', { watchdogs: 1 }],
    ['boot=fail', { bootFailure: 'port taken' }],
    ['interrupted=warn', { left: ['the change to version 5 is not over'] }],
    ['login=fail', { login: 'Access denied' }],
    ['exporter=fail', { exporter: 'no answer' }],
    ['serving=warn', { serving: 'INACTIVE' }],
    ['hot-upgrade=warn', { upgrade: ['state:HU_STATE_WAIT_CR_FINISH'] }],
    // More tenants than are listed.
    ['clients=warn', { clientTotal: { clients: 90, tenants: 70 }, maxClients: 100 }],
    ['congestion=warn', { avoided: ['ob 10.0.0.1:2881'] }],
    ['ob-clusters=warn', { obClusters: [] }],
    ['ob-clusters=fail', { obClusters: [{ name: 'ob', ms: null, error: 1045 }] }],
    ['config-service=fail', { configService: 'it answered 503' }],
    ['certificate=warn', { certificateExpiresAt: LOOKED_AT + 20 * DAY_MS }],
    ['certificate=fail', { certificateExpiresAt: LOOKED_AT - 1 }],
    ['parameters=warn', { differing: ['work_thread_num=1'] }],
    ['pending-restart=warn', { pendingRestart: ['work_thread_num'] }],
    ['crash=warn', { crash: { file: '/home/core.1', at: LOOKED_AT - DAY_MS } }],
    ['errors=warn', { errors: ['[…] ERROR no server'], errorCount: 1 }],
    ['plane=fail', { plane: 'the plane answered 403', clockMs: null }],
    ['clock=warn', { clockMs: -6_000 }],
    ['clock=fail', { clockMs: 200_000 }],
  ])('say %s', (said, facts) => {
    expect(found(facts)).toBe(said)
  })

  test.each([
    ['disk=warn', { freeBytes: 50 }],
    ['disk=fail', { freeBytes: 20 }],
    // Many small files: the bytes are there, and no file can be made.
    ['disk=fail', { freeInodes: 1 }],
  ])('say %s of the fullest disk', (said, less) => {
    const roomy = { folder: '/', freeBytes: 900, totalBytes: 1000, freeInodes: 9, totalInodes: 10 }
    expect(found({ disks: [roomy, { ...roomy, totalInodes: 100, freeInodes: 90, ...less }] })).toBe(
      said,
    )
  })

  test('of what needs a login are left out without one: that it failed is said once', () => {
    const facts = {
      login: 'Access denied',
      clients: [],
      clientTotal: null,
      obClusters: [],
      serving: null,
    }
    expect(found(facts)).toBe('login=fail')
  })

  test('of a node that should be stopped, and is, are well', () => {
    const stopped = { state: 'STOPPED', version: '4.3.2.0-1' } as const
    const facts = { ...WELL, process: null, unit: { active: false, pid: null }, version: null }
    expect(levelsText(diagnosisFindings(facts, { desired: stopped, now: LOOKED_AT }))).toBe('')
  })
})

describe('a document', () => {
  test('that is too long loses ends of its lists and none of its findings', () => {
    const long = Array(20).fill('é'.repeat(400))
    const of = { nodeId: 'n', instanceId: 'i', operationId: 'o' }
    const whole = diagnosisOf(of, { errors: long.slice(0, 10), avoided: long, upgrade: long })
    const kept = fitted(whole)
    expect(Buffer.byteLength(JSON.stringify(kept))).toBeLessThanOrEqual(DIAGNOSIS_MAX_BYTES)
    expect(kept.findings).toEqual(whole.findings)
    expect(kept.facts.process).toEqual(whole.facts.process)
  })
})

describe('errors of the last hour', () => {
  let logs: string
  beforeEach(() => {
    logs = mkdtempSync(join(tmpdir(), 'obfleet-errors-'))
  })
  afterEach(() => rmSync(logs, { recursive: true }))

  const at = (minutesAgo: number) => new Date(LOOKED_AT - minutesAgo * 60_000).toISOString()

  test('are lines of each word for an error, and of both logs by their times', () => {
    writeFileSync(
      join(logs, 'obproxy.log'),
      [
        `[${at(70)}] ERROR [PROXY] too old`,
        `[${at(9)}] EDIAG [PROXY] one`,
        `[${at(8)}] WARN [PROXY] ERROR is but a word of it`,
        `[${at(3)}] USER_ERR [PROXY] three`,
      ].join('\n'),
    )
    writeFileSync(join(logs, 'obproxy_error.log'), `${at(5)},two\n`)
    const { errors, errorCount } = latestErrors(logs, LOOKED_AT)
    expect(errors.map(line => line.match(/\w+$/)?.[0])).toEqual(['one', 'two', 'three'])
    expect(errorCount).toBe(3)
  })

  test('are counted beyond those that are told, and the newest of them is named', () => {
    const lines = Array.from({ length: 30 }, (_, count) => `[${at(40 - count)}] ERROR no ${count}`)
    writeFileSync(join(logs, 'obproxy.log'), lines.join('\n'))
    const facts = latestErrors(logs, LOOKED_AT)
    expect(facts.errors).toHaveLength(10)
    const all = diagnosisFindings({ ...WELL, ...facts }, { desired, now: LOOKED_AT })
    const { detail } = all.find(({ id }) => id === 'errors') ?? {}
    expect(detail).toMatch(/^30 errors .*no 29$/)
  })
})
