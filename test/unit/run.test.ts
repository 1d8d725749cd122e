/** `npm test` says what ran; nothing that did not run passes. */
import { spawnSync } from 'node:child_process'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, test } from 'vitest'

const FOLDER = resolve(import.meta.dirname, '..')

function counted(report: unknown): { passed: number; failed: number; failures: string[] } {
  const module = pathToFileURL(join(FOLDER, 'report.mjs')).href
  const script = `import { counted } from '${module}'
    console.log(JSON.stringify(counted('some', ${JSON.stringify(report)})))`
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
  })
  return JSON.parse(stdout)
}

const file = (...statuses: string[]) => ({
  name: 'a.test.ts',
  message: '',
  assertionResults: statuses.map(status => ({ status, fullName: status })),
})

describe('the count of a suite', () => {
  test('is of its tests, skipped ones with their names', () => {
    const report = { testResults: [file('passed', 'failed'), file('passed', 'pending')] }
    expect(counted(report)).toMatchObject({ passed: 2, failed: 1, reasons: ['pending'] })
  })

  test('says of a failure what failed and how, and of a pass that it took two runs', () => {
    const result = (status: string, failureMessages: string[]) => ({
      status,
      fullName: `one that ${status}`,
      failureMessages,
    })
    const results = [
      result('passed', []),
      result('passed', ['at first']),
      result('failed', ['why']),
    ]
    const report = { testResults: [{ ...file(), assertionResults: results }] }
    expect(counted(report)).toMatchObject({
      passed: 2,
      failed: 1,
      again: ['one that passed: at first'],
      failures: ['one that failed: why'],
    })
  })

  test('fails a suite that has vanished', () => {
    expect(counted({ testResults: [] })).toMatchObject({
      failed: 1,
      failures: ['suite some has no tests'],
    })
  })

  test('fails a file in which nothing ran', () => {
    expect(counted({ testResults: [file('passed'), file()] })).toMatchObject({
      passed: 1,
      failed: 1,
      failures: ['a.test.ts: it has no tests'],
    })
  })
})

test('a suite that does not exist is an error, not nothing to do', () => {
  const { status, stdout } = spawnSync(process.execPath, [join(FOLDER, 'run.mjs'), 'nosuch'], {
    encoding: 'utf8',
  })
  expect([status, stdout]).toEqual([2, expect.stringContaining('no suite nosuch')])
})
