/** Who of a client and its servers is waited for too long. */
import { expect, test } from 'vitest'
import { overdue, Stall, type UnderWay } from '../../../../proxy-node/session/stall.ts'

/** Limits of three seconds for what is to be read, of five for what is to be written. */
function underWay(over: Partial<UnderWay>): UnderWay {
  const seconds = (name: string) => (name === 'net_read_timeout' ? 3 : 5)
  return {
    state: 'working',
    stall: new Stall(),
    client: { pendingBytes: () => 100 },
    clientBlocked: false,
    target: { pendingBytes: () => 200 },
    serverBlocked: false,
    requests: { isIncomplete: false, waitingBytes: 0 },
    memory: { seconds },
    ...over,
  }
}

/** At which beat of ten, and what. */
function verdict(of: UnderWay): readonly [number, string] | undefined {
  for (let beat = 1; beat <= 10; beat++) {
    const owed = overdue(of)
    if (owed !== undefined) return [beat, owed]
  }
  return undefined
}

const HALF = { isIncomplete: true, waitingBytes: 0 }
const BEGUN = { isIncomplete: false, waitingBytes: 2 }

test.each<[string, Partial<UnderWay>, unknown]>([
  ['a client that does not take its answers', { clientBlocked: true }, [6, 'writing']],
  ['a server that does not take a command', { serverBlocked: true }, [6, 'server']],
  ['a client that owes the rest of a command', { requests: HALF }, [3, 'reading']],
  ['a client that has begun a command', { state: 'idle', requests: BEGUN }, [3, 'reading']],
  ['a client that was asked something', { state: 'asked' }, [3, 'reading']],
  ['nobody while a server works', {}, undefined],
  ['nobody between commands', { state: 'idle' }, undefined],
])('%s', (_who, over, expected) => {
  expect(verdict(underWay(over))).toEqual(expected)
})

test('not a client that sends on, however slowly', () => {
  const of = underWay({ requests: HALF })

  for (let beat = 0; beat < 10; beat++) {
    of.stall.moved()
    expect(overdue(of)).toBeUndefined()
  }
})
