import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import type { CertificateView } from '../../../../proxy-node/admin/answer.ts'
import { ConfigStore } from '../../../../proxy-node/config/store.ts'
import { Log } from '../../../../proxy-node/observe/log.ts'
import type { AnswerOf, Question } from '../../../../proxy-node/process/channel.ts'
import { NodeAnswers } from '../../../../proxy-node/process/node-answers.ts'
import { NodeCounts } from '../../../../proxy-node/process/node-counts.ts'
import type { DrainReport } from '../../../../proxy-node/session/drain.ts'
import { HandClock } from '../../../support/hand-clock.ts'

const CERTIFICATES: CertificateView = {
  current: { cert: '', key: '', ca: '', facts: [] },
  since: 0,
  failure: undefined,
}
const KILL = {
  ask: 'killFor',
  id: 7,
  by: { connectionId: 1, cluster: 'c', tenant: 't', user: 'u', isPrivileged: false },
  onlyQuery: false,
} as const
const STATUS = {
  ask: 'admin',
  user: 'root',
  sql: 'SELECT proxy_status()',
  connectionId: 1,
} as const

const folder = mkdtempSync(join(tmpdir(), 'obfleet-node-answers-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

type Answers = { readonly [A in keyof AnswerOf]?: readonly AnswerOf[A][] }

/** A node in mysql mode whose workers answer so, one after the other. */
function node(given: Answers, departure: { deadline?: number | null; isEnding?: boolean } = {}) {
  const config = ConfigStore.open(mkdtempSync(join(folder, 'node-')), new Map())
  const log = new Log({
    folder,
    now: () => 0,
    level: () => 'INFO',
    maxFileBytes: () => 1 << 20,
    maxBytesPerSec: () => 0,
  })
  const clock = new HandClock()
  const counts = new NodeCounts(log, clock)
  const answers = new NodeAnswers({
    config,
    clock,
    log,
    workers: {
      ask: async <Q extends Question>({ ask }: Q) =>
        (given[ask] ?? []).map((answer, key) => ({ key, answer: answer as AnswerOf[Q['ask']] })),
      listeningCount: 1,
    },
    clusters: undefined,
    counts,
    certificates: CERTIFICATES,
    departure: { deadline: departure.deadline, isEnding: departure.isEnding ?? false },
    handover: () => ({
      state: 'HU_STATE_WAIT_HU_CMD',
      command: 'none',
      status: 'none',
      failures: 0,
      lastFailure: '',
      successorPid: undefined,
    }),
    predecessor: () => undefined,
  })
  return { answers, counts, log }
}

const guests = (ordinary: number): DrainReport => ({
  clients: ordinary + 1,
  ordinary,
  longestTransactionMs: 0,
  reasons: {},
})

describe('a statement that ends a client', () => {
  test.each([
    [['unknown', 'done'], 'done'],
    [['not-owner', 'unknown'], 'not-owner'],
    [['unknown', 'unknown'], 'unknown'],
    [[], 'unknown'],
  ] as const)('of workers that say %j comes to %s', async (killFor, outcome) => {
    expect(await node({ killFor }).answers.respond(KILL)).toBe(outcome)
  })
})

describe('the node is', () => {
  const PAST = 999_999
  const FUTURE = 1_000_001

  test.each([
    ['ACTIVE', 'while nobody has to go', {}, 2],
    ['BE_INACTIVE', 'while clients are left', { deadline: FUTURE }, 2],
    ['BE_INACTIVE', 'while clients are left that are never forced', { deadline: null }, 2],
    ['INACTIVE', 'when administrators alone are left', { deadline: FUTURE }, 0],
    ['INACTIVE', 'behind the deadline', { deadline: PAST }, 2],
    ['BE_INACTIVE', 'for as long as it is ending', { deadline: PAST, isEnding: true }, 0],
  ])('%s %s', async (expected, _when, departure, left) => {
    const { answers } = node({ guests: [guests(left), guests(0)] }, departure)

    expect(await answers.respond(STATUS)).toMatchObject({ kind: 'rows', rows: [[expected]] })
  })
})

describe('the exporter', () => {
  test('is told that the node lets its clients go', () => {
    expect(node({}).answers.toExporter('/ready').status).toBe(200)
    expect(node({}, { deadline: null }).answers.toExporter('/ready').status).toBe(503)
  })
})

describe('a question that nothing answers', () => {
  test('is an error for the worker, and counted', async () => {
    const { answers, counts, log } = node({})

    await expect(answers.respond({ ask: 'busy' })).rejects.toThrow('a worker asked for busy')

    expect(counts.said).toEqual({ error: 1, warn: 0, unexpected: 1 })
    log.close()
  })

  test('of OB clusters is none in mysql mode', async () => {
    expect(await node({}).answers.respond({ ask: 'cluster', name: null })).toBeNull()
  })
})
