import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Clock } from '../../../../proxy-node/base/clock.ts'
import { ConfigStore } from '../../../../proxy-node/config/store.ts'
import { takeLocalCommands } from '../../../../proxy-node/process/local-command.ts'

let folder = ''
let later: (() => void)[] = []
let carriedOut: string[] = []
let refusal: string | undefined
let config: ConfigStore

const clock: Clock = {
  now: () => 0,
  after: (_delayMs, act) => {
    later.push(act)
    return { cancel: () => {} }
  },
  every: () => ({ cancel: () => {} }),
  sleep: () => Promise.resolve(),
}
const passTime = () => {
  for (const act of later.splice(0)) act()
}
const start = (overrides: ReadonlyMap<string, string> = new Map()) => {
  config = ConfigStore.open(folder, overrides)
  takeLocalCommands({
    config,
    clock,
    refusal: () => refusal,
    carryOut: command => carriedOut.push(command),
  })
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'obfleet-command-'))
  later = []
  carriedOut = []
  refusal = undefined
  start()
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

describe('proxy_local_cmd', () => {
  test.each([
    ['1', 'exit'],
    ['2', 'restart'],
    ['3', 'offline'],
    ['4', 'online'],
  ])('%s is %s, behind the answer, once, and reads back as 0', (text, command) => {
    config.alter([['proxy_local_cmd', text]])
    expect(carriedOut).toEqual([])
    passTime()
    passTime()

    expect(carriedOut).toEqual([command])
    expect(config.get('proxy_local_cmd')).toBe('0')
  })

  test('0 is nothing', () => {
    config.alter([['proxy_local_cmd', '0']])
    passTime()

    expect(carriedOut).toEqual([])
  })

  test('what cannot be done now is refused, and the rest of the statement with it', () => {
    refusal = '2 is under way'

    expect(() =>
      config.alter([
        ['proxy_local_cmd', '2'],
        ['slow_query_time_threshold', '9s'],
      ]),
    ).toThrow("Invalid config: 'proxy_local_cmd' 2 is under way")
    passTime()
    expect(carriedOut).toEqual([])
    expect(config.get('proxy_local_cmd')).toBe('0')
    expect(config.get('slow_query_time_threshold')).not.toBe('9s')
  })

  test('given at the start it is no order', () => {
    start(new Map([['proxy_local_cmd', '1']]))
    passTime()

    expect(carriedOut).toEqual([])
    expect(config.get('proxy_local_cmd')).toBe('0')
  })
})
