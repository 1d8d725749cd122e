/** What a front reads out of a command, and keeps of it. */
import { describe, expect, test } from 'vitest'
import { isCommit, readCommand } from '../../../../../infra/local/front/commands.ts'
import { Ledger } from '../../../../../infra/local/front/ledger.ts'

const command = (code: number, body: string | Buffer = '') => {
  const seen = Buffer.concat([Buffer.from([code]), Buffer.from(body)])
  return readCommand(seen, seen.length)
}

test.each([
  ['SELECT * FROM c1', 'select', 'c1'],
  ['/* trace */ insert into `d`.c2 values (1)', 'insert', undefined],
  ['-- note\nUPDATE C3 SET a = 1', 'update', 'c3'],
  ['# note\n COMMIT', 'commit', undefined],
  ['', '', undefined],
])('%j is %s of %s', (sql, word, table) => {
  expect(command(3, sql)).toMatchObject({ word, ...(table === undefined ? {} : { table }) })
})

test.each([
  ['COMMIT', true],
  ['  /* x */ commit work', true],
  ["XA COMMIT 'x'", true],
  ['committed', false],
  ['SELECT 1; COMMIT', false],
])('%j ends a transaction: %s', (sql, commits) => {
  expect(isCommit(command(3, sql))).toBe(commits)
  expect(isCommit(command(22, sql))).toBe(false)
})

describe('the ledger', () => {
  const origin = { front: '127.0.0.1:2881', session: 5, tenant: 'app', client: 6 }

  test('tells what came, from where, and what became of it', () => {
    const ledger = new Ledger()
    ledger.add(origin, command(3, `SELECT '${'x'.repeat(300)}' FROM t`), 'passed')
    ledger.add(origin, command(23, Buffer.from('\x07\0\0\0\0\x01\0\0\0value')), 'answered')
    ledger.add(origin, command(2, 'demo'), 'dropped')

    const [query, execution, use] = ledger.after()

    expect(query).toMatchObject({
      number: 1,
      ...origin,
      command: 'query',
      word: 'select',
      table: 't',
      fate: 'passed',
      bytes: 317,
    })
    expect(query?.text).toHaveLength(200)
    expect(execution).toMatchObject({ command: 'execute', text: '#7 .....value', fate: 'answered' })
    expect(use).toMatchObject({ command: 'init-db', word: 'init-db', text: 'demo' })
    expect(ledger.after(2).map(({ number }) => number)).toEqual([3])
  })

  test('keeps the newest ten thousand', () => {
    const ledger = new Ledger()
    for (let at = 0; at < 10_050; at++) ledger.add(origin, command(14), 'passed')

    const kept = ledger.after()

    expect([kept.length, kept[0]?.number, kept.at(-1)?.number]).toEqual([10_000, 51, 10_050])
    expect(ledger.after(10_048).map(({ number }) => number)).toEqual([10_049, 10_050])
    expect(ledger.last).toBe(10_050)
  })
})
