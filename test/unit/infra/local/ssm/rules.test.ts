/** The rules of Run Command that need no process: statuses, documents, outputs, rates, targets. */
import { describe, expect, test } from 'vitest'
import {
  checkParameters,
  matchesPlatform,
  parseContent,
  scriptOf,
  stepTimeoutSec,
  substituted,
  versionNumber,
} from '../../../../../infra/local/ssm/documents.ts'
import { Faults, faultOrders } from '../../../../../infra/local/ssm/faults.ts'
import { Instances } from '../../../../../infra/local/ssm/instances.ts'
import { BoundedOutput, combined, truncated } from '../../../../../infra/local/ssm/output.ts'
import {
  afterReply,
  commandDetail,
  concurrencyOf,
  type Detail,
  documentStatus,
  isOverErrorLimit,
} from '../../../../../infra/local/ssm/status.ts'
import { Throttle } from '../../../../../infra/local/ssm/throttle.ts'

const content = (over: object = {}, inputs: object = {}) =>
  parseContent(
    JSON.stringify({
      schemaVersion: '2.2',
      parameters: {
        word: { type: 'String', allowedPattern: '^[a-z]+$' },
        list: { type: 'StringList', default: ['a', 'b'] },
        plain: { type: 'String', default: 'x' },
      },
      mainSteps: [
        { action: 'aws:runShellScript', name: 'run', inputs: { runCommand: ['echo'], ...inputs } },
      ],
      ...over,
    }),
  )

describe('the aggregate of a command', () => {
  const of = (details: Detail[], over: object = {}) =>
    commandDetail({ details, maxErrors: '0', isCancelled: false, hasNoTarget: false, ...over })

  test.each([
    [['Pending', 'Pending'], {}, 'Pending'],
    [['Success', 'Pending'], {}, 'In Progress'],
    [['Success', 'Success'], {}, 'Success'],
    [['Success', 'Failed'], {}, 'Failed'],
    [['Success', 'Execution Timed Out'], {}, 'Execution Timed Out'],
    [['Success', 'Failed'], { maxErrors: '1' }, 'Incomplete'],
    [['Delivery Timed Out'], {}, 'Delivery Timed Out'],
    [['Success', 'Delivery Timed Out'], {}, 'Incomplete'],
    [['Cancelled', 'In Progress'], { isCancelled: true }, 'Cancelling'],
    [['Cancelled', 'Success'], { isCancelled: true }, 'Cancelled'],
    [[], { hasNoTarget: true }, 'No Instances In Tag'],
  ] as [Detail[], object, string][])('%j %j → %s', (details, over, expected) => {
    expect(of(details, over)).toBe(expected)
  })

  test('final is sticky, and a running node does not undo a cancel', () => {
    expect(afterReply('Success', 'In Progress')).toBe('Success')
    expect(afterReply('Delivery Timed Out', 'Success')).toBe('Delivery Timed Out')
    expect(afterReply('Cancelling', 'In Progress')).toBe('Cancelling')
    expect(afterReply('Cancelling', 'Success')).toBe('Success')
  })

  test('steps: failed before timed out before cancelled; skipped is a success', () => {
    expect(documentStatus(['Success', 'Skipped'])).toBe('Success')
    expect(documentStatus(['TimedOut', 'Failed', 'Cancelled'])).toBe('Failed')
    expect(documentStatus(['Cancelled', 'TimedOut'])).toBe('TimedOut')
  })

  test('limits as numbers and percentages', () => {
    expect(isOverErrorLimit(1, '0', 10)).toBe(true)
    expect(isOverErrorLimit(1, '10%', 10)).toBe(false)
    expect(isOverErrorLimit(2, '10%', 10)).toBe(true)
    expect(isOverErrorLimit(10, '100%', 10)).toBe(false)
    expect(concurrencyOf('1%', 10)).toBe(1)
    expect(concurrencyOf('50', 3)).toBe(50)
  })
})

describe('a document', () => {
  test('is substituted as text, once, with defaults', () => {
    const put = (text: string) => substituted(text, content(), { word: ['{{ plain }}'] })
    expect(put('{{word}} {{ plain }} {{list}} {{ unknown }}')).toBe(
      '{{ plain }} x ["a","b"] {{ unknown }}',
    )
    expect(substituted('{{ word }}', content(), {})).toBe('null')
  })

  test.each([
    [{ word: ['abc'] }, true],
    [{ word: ['ABC'] }, false],
    [{ word: ['a', 'b'] }, false],
    [{ word: ['a'], other: ['b'] }, false],
    [{}, false],
  ])('parameters %j are allowed: %s', (given, isAllowed) => {
    const check = () => checkParameters(content(), given)
    if (isAllowed) expect(check).not.toThrow()
    else expect(check).toThrow()
  })

  test.each([
    ['60', 60],
    ['6.7', 6],
    [5, 5],
    ['4', 3600],
    ['-1', 3600],
    ['172801', 3600],
    ['', 3600],
    ['abc', 3600],
    [undefined, 3600],
  ])('timeoutSeconds %s → %i', (timeoutSeconds, seconds) => {
    const [step] = content({}, { timeoutSeconds }).mainSteps
    expect(step && stepTimeoutSec(step)).toBe(seconds)
  })

  test('runs on its platform only', () => {
    const matches = (precondition?: object) => {
      const inputs = { runCommand: 'one\ntwo' }
      const step = { action: 'aws:runShellScript', name: 'run', precondition, inputs }
      const [first] = content({ mainSteps: [step] }).mainSteps
      return first && matchesPlatform(first, 'Linux')
    }
    expect(matches()).toBe(true)
    expect(matches({ StringEquals: ['platformType', 'Linux'] })).toBe(true)
    expect(matches({ StringEquals: ['platformType', 'Windows'] })).toBe(false)
  })

  test('lines are joined', () => {
    const [step] = content({}, { runCommand: ['a', 'b'] }).mainSteps
    expect(step && scriptOf(step)).toBe('a\nb')
  })

  test.each(['not json', '{}', '{"schemaVersion":"1.2","mainSteps":[]}'])('%s is refused', text =>
    expect(() => parseContent(text)).toThrow(),
  )

  test('versions: default, latest, by number', () => {
    const version = { content: '', createdAt: 0, hash: '' }
    const document = { name: 'd', defaultVersion: 1, versions: [version, version] }
    expect(versionNumber(document, undefined)).toBe(1)
    expect(versionNumber(document, '$LATEST')).toBe(2)
    expect(() => versionNumber(document, '3')).toThrow('no version')
    expect(() => versionNumber(document, '0')).toThrow()
  })
})

describe('output', () => {
  test('below the limit is whole, at the limit it is cut', () => {
    expect(truncated(Buffer.alloc(23_999, 'a'), 24_000)).toHaveLength(23_999)
    const cut = truncated(Buffer.alloc(24_000, 'a'), 24_000)
    expect(cut).toHaveLength(24_000)
    expect(cut.endsWith('\n--output truncated--')).toBe(true)
  })

  test('a character that is cut becomes U+FFFD, at every byte', () => {
    const text = Buffer.from('€'.repeat(40))
    for (let limit = 30; limit < 60; limit++) {
      const cut = truncated(text, limit)
      expect(cut.replace('\n--output truncated--', '')).toMatch(/^€*\uFFFD?$/)
    }
  })

  test('both streams share 2 500 bytes', () => {
    expect(combined(Buffer.from('a'), Buffer.from('b'))).toBe('a\n----------ERROR-------\nb')
    const both = combined(Buffer.alloc(9_000, 'a'), Buffer.alloc(9_000, 'b'))
    expect(Buffer.byteLength(both)).toBeLessThanOrEqual(2_500)
    expect(both).toContain('---Output truncated---')
    expect(both).toContain('---Error truncated----')
  })

  test('is forgotten beyond its bound', () => {
    const output = new BoundedOutput(5)
    for (const part of ['abc', 'def', 'ghi']) output.push(Buffer.from(part))
    expect(output.bytes().toString()).toBe('abcde')
  })
})

test('a bucket fills with time and holds two seconds of calls', () => {
  let now = 0
  const throttle = new Throttle(5, () => now)
  const taken = () => Array.from({ length: 20 }, () => throttle.take()).filter(Boolean).length
  expect(taken()).toBe(10)
  now = 1000
  expect(taken()).toBe(5)
  expect(new Throttle(0, () => now).take()).toBe(true)
})

describe('instances', () => {
  let now = 0
  const plan = (id: string, tags: Record<string, string>) => ({ id, name: id, address: 'a', tags })
  const instances = new Instances(
    [plan('i-1', { role: 'proxy', 'a:b': 'x' }), plan('i-2', { role: 'other' })],
    3_000,
    () => now,
  )

  test('are online while they ping', () => {
    const first = instances.find('i-1')
    if (first === undefined) throw new Error('lost')
    expect(instances.isOnline(first)).toBe(false)
    instances.ping('i-1')
    expect(instances.isOnline(first)).toBe(true)
    now = 3_001
    expect(instances.describe(first).PingStatus).toBe('ConnectionLost')
    instances.ping('i-1', { isInactive: true })
    expect(instances.isOnline(first)).toBe(false)
  })

  test.each([
    [[{ Key: 'tag:role', Values: ['proxy', 'other'] }], ['i-1', 'i-2']],
    [[{ Key: 'tag:a:b', Values: ['x'] }], ['i-1']],
    [
      [
        { Key: 'tag-key', Values: ['a:b'] },
        { Key: 'tag:role', Values: ['other'] },
      ],
      [],
    ],
    [[{ Key: 'InstanceIds', Values: ['i-2'] }], ['i-2']],
  ])('%j → %j', (targets, ids) => {
    expect(instances.chosenBy(targets)).toEqual(ids)
  })

  test('strange keys are refused', () => {
    expect(() => instances.chosenBy([{ Key: 'colour', Values: ['x'] }])).toThrow()
    instances.ping('i-1')
    expect(() => instances.filtered([{ Key: 'Colour', Values: ['x'] }])).toThrow('filter key')
    expect(() =>
      instances.filtered([
        { Key: 'tag:role', Values: ['x'] },
        { Key: 'PingStatus', Values: ['Online'] },
      ]),
    ).toThrow('mixed')
  })
})

test('faults end by themselves or with an empty order', () => {
  const faults = new Faults()
  faults.set(
    faultOrders.parse({ throttle: { operation: 'SendCommand', times: 1 }, loseResponses: 1 }),
  )
  expect([faults.isThrottled('ListCommands'), faults.isThrottled('SendCommand')]).toEqual([
    false,
    true,
  ])
  expect(faults.isThrottled('SendCommand')).toBe(false)
  expect([faults.isResponseLost(), faults.isResponseLost()]).toEqual([true, false])
  expect(faultOrders.safeParse({ strange: 1 }).success).toBe(false)
})
