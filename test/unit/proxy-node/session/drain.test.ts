import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  allowedClients,
  Drain,
  type DrainOptions,
  drainPlan,
  drainReport,
  type Guest,
  summed,
} from '../../../../proxy-node/session/drain.ts'

describe('the slope', () => {
  test.each([
    // n0, T ms, elapsed ms → clients that may still be there
    [200, 30_000, 0, 200],
    [200, 30_000, 15_000, 100],
    [200, 30_000, 29_999, 1],
    [200, 30_000, 30_000, 0],
    [200, 30_000, 90_000, 0],
    [3, 9_000, 2_999, 3],
    [3, 9_000, 3_000, 2],
    [3, 9_000, 3_001, 2],
    [1, 1_000, 999, 1],
    [0, 1_000, 0, 0],
    [7, 0, 0, 0],
    // A clock that was set back lets nobody in.
    [10, 1_000, -5_000, 10],
  ])('of %i clients over %i ms, %i ms in, leaves %i', (clients, paceMs, elapsedMs, allowed) => {
    expect(allowedClients(clients, paceMs, elapsedMs)).toBe(allowed)
  })

  test('only ever falls, from all to none, and never behind the straight line', () => {
    fc.assert(
      fc.property(
        fc.nat(10_000),
        fc.integer({ min: 1, max: 1e7 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (clients, paceMs, part) => {
          const at = (share: number) => allowedClients(clients, paceMs, share * paceMs)
          expect(at(0)).toBe(clients)
          expect(at(1)).toBe(0)
          expect(at(part)).toBeGreaterThanOrEqual(at(Math.min(1, part + 0.1)))
          expect(at(part)).toBeLessThan(clients * (1 - part) + 1.001)
        },
      ),
    )
  })

  test('of several workers is the one of the node: the more of them, the earlier somebody leaves', () => {
    const left = (clients: number, part: number) =>
      [0, 1, 2, 3].reduce(
        (sum, worker) => sum + allowedClients(clients, 1_000, part * 1_000, { worker, of: 4 }),
        0,
      )
    expect([0, 0.25, 0.5, 0.75, 0.999, 1].map(part => left(1, part))).toEqual([4, 3, 2, 1, 1, 0])
    fc.assert(
      fc.property(fc.nat(1_000), fc.integer({ min: 0, max: 64 }), (clients, of64) => {
        expect(left(clients, of64 / 64)).toBe(Math.ceil((1 - of64 / 64) * clients * 4))
      }),
    )
  })

  test.each([
    [30_000, 30_000, 30_000],
    [0, 0, 0],
    [-0.001, 30_000, Number.POSITIVE_INFINITY],
  ])(
    'a time-out of %d ms is a pace of %d ms and a deadline at %d ms',
    (timeoutMs, paceMs, deadlineMs) => {
      expect(drainPlan(timeoutMs)).toEqual({ paceMs, deadlineMs })
    },
  )
})

class FakeGuest implements Guest {
  isLeaving = false
  statements = 1
  isIdle: boolean
  isAdmin: boolean
  pinned: string
  standing = 'waiting for its turn'
  transactionSince = 0
  constructor(kind: Partial<Pick<Guest, 'isIdle' | 'isAdmin' | 'pinned'>> = {}) {
    this.isIdle = kind.isIdle ?? true
    this.isAdmin = kind.isAdmin ?? false
    this.pinned = kind.pinned ?? ''
  }
  giveUp(): void {
    this.isLeaving = true
  }
}

const STARTED = 1_000
const drainOf = (options: Partial<DrainOptions> = {}) =>
  new Drain({ paceMs: 1000, deadlineMs: 1000, startedAt: STARTED, sparesAdmins: false, ...options })
const left = (guests: readonly FakeGuest[]) => guests.filter(guest => !guest.isLeaving).length
const many = (count: number, kind = {}) => Array.from({ length: count }, () => new FakeGuest(kind))

describe('a drain', () => {
  test('lets idle clients go on the slope', () => {
    const guests = many(10)
    const drain = drainOf()
    const seen = [0, 100, 250, 500, 900, 999].map(elapsed => {
      drain.step(guests, STARTED + elapsed)
      return left(guests)
    })

    expect(seen).toEqual([10, 9, 8, 5, 1, 1])
    drain.step(guests, STARTED + 1000)
    expect([left(guests), drain.isOver]).toEqual([0, true])
  })

  test('closes no client inside a transaction before the deadline', () => {
    const guests = many(3, { isIdle: false })
    const drain = drainOf({ paceMs: 1000, deadlineMs: 5000 })
    for (const elapsed of [0, 500, 1000, 4999]) {
      drain.step(guests, STARTED + elapsed)
      for (const guest of guests) drain.settled(guest)
    }

    expect(left(guests)).toBe(3)
    drain.step(guests, STARTED + 5000)
    expect(left(guests)).toBe(0)
  })

  test('one that always works leaves at the end of a transaction when the slope is behind', () => {
    const guests = many(4)
    const drain = drainOf()
    const work = () => {
      for (const guest of guests) guest.statements += 1
    }
    drain.step(guests, STARTED)
    work()
    drain.step(guests, STARTED + 500)
    expect(left(guests)).toBe(4)

    for (const guest of guests) drain.settled(guest)

    expect(left(guests)).toBe(2)
  })

  test('chooses the quiet before the working, what loses nothing before what does, administrators last', () => {
    const working = new FakeGuest()
    const [quiet, pinned, admin] = [
      new FakeGuest(),
      new FakeGuest({ pinned: 'temporary table' }),
      new FakeGuest({ isAdmin: true }),
    ]
    const guests = [admin, pinned, working, quiet]
    const drain = drainOf()
    const order: FakeGuest[] = []
    for (let elapsed = 0; elapsed < 1000; elapsed += 10) {
      drain.step(guests, STARTED + elapsed)
      order.push(...guests.filter(guest => guest.isLeaving && !order.includes(guest)))
      working.statements += 1
    }

    expect(order).toEqual([quiet, pinned, admin])
    expect(working.isLeaving).toBe(false)
  })

  test('counts who comes in at the last moment', () => {
    const guests = many(1)
    const drain = drainOf()
    drain.step(guests, STARTED)
    guests.push(...many(9))
    drain.step(guests, STARTED + 100)
    // The others have not been seen quiet.
    expect([left(guests), guests[0]?.isLeaving]).toEqual([9, true])

    drain.step(guests, STARTED + 500)
    expect(left(guests)).toBe(5)
  })

  test('gives a client that has just logged in time for its first command', () => {
    const newcomer = new FakeGuest()
    newcomer.statements = 0
    const guests = [newcomer, new FakeGuest({ isIdle: false })]
    const drain = drainOf()
    for (const elapsed of [0, 25, 200, 249]) drain.step(guests, STARTED + elapsed)
    expect(newcomer.isLeaving).toBe(false)
    guests.push(...many(1, { isIdle: false }))

    for (const elapsed of [600, 625]) drain.step(guests, STARTED + elapsed)

    expect(newcomer.isLeaving).toBe(true)
  })

  test('may spare administrators, also at the deadline', () => {
    const admin = new FakeGuest({ isAdmin: true })
    const drain = drainOf({ sparesAdmins: true })
    for (const elapsed of [0, 500, 1000, 2000]) drain.step([admin], STARTED + elapsed)

    expect(admin.isLeaving).toBe(false)
    expect(drain.isOver).toBe(true)
  })

  test('of no time is over at its first step', () => {
    const guests = [...many(2), ...many(2, { isIdle: false })]
    const drain = drainOf({ paceMs: 0, deadlineMs: 0 })
    drain.step(guests, STARTED)

    expect([left(guests), drain.isOver]).toEqual([0, true])
  })
})

describe('the report', () => {
  test('says who is there and why', () => {
    const guests = [...many(2), new FakeGuest({ isAdmin: true }), new FakeGuest({ isIdle: false })]
    const [first, second, admin, busy] = guests
    if (admin !== undefined) admin.standing = 'administrator'
    if (busy !== undefined) Object.assign(busy, { standing: 'transaction', transactionSince: 400 })
    if (second !== undefined) second.isLeaving = true

    expect(first?.isLeaving).toBe(false)
    expect(drainReport(guests, 1_000)).toEqual({
      clients: 3,
      ordinary: 2,
      longestTransactionMs: 600,
      reasons: { 'waiting for its turn': 1, administrator: 1, transaction: 1 },
    })
  })

  test('has a bounded number of reasons', () => {
    const reports = Array.from({ length: 30 }, (_none, index) => ({
      clients: 1,
      ordinary: 1,
      longestTransactionMs: index,
      reasons: { [`variable v${index}`]: 1 },
    }))

    const { clients, longestTransactionMs, reasons } = summed(reports)

    expect([clients, longestTransactionMs]).toEqual([30, 29])
    expect(Object.keys(reasons)).toHaveLength(21)
    expect(reasons['others']).toBe(10)
  })

  test('of nobody is empty', () => {
    expect(summed([])).toEqual({ clients: 0, ordinary: 0, longestTransactionMs: 0, reasons: {} })
  })
})
