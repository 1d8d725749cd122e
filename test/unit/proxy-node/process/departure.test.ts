import { describe, expect, test } from 'vitest'
import type { Clock } from '../../../../proxy-node/base/clock.ts'
import { Departure } from '../../../../proxy-node/process/departure.ts'

/** Workers end `endMs` after they were told to leave, or when they are killed. */
function departing(endMs: number) {
  const happened: string[] = []
  let time = 0
  let goneAt = Number.POSITIVE_INFINITY
  /** What is to come in between, by time. */
  const meanwhile = new Map<number, () => void>()
  const clock: Clock = {
    now: () => time,
    after: () => ({ cancel: () => {} }),
    every: () => ({ cancel: () => {} }),
    sleep: async ms => {
      await undefined
      time += ms
      meanwhile.get(time)?.()
    },
  }
  const departure = new Departure({
    workers: {
      drain: ms => happened.push(`drain ${ms}`),
      stay: () => happened.push('stay'),
      leave: ms => {
        happened.push(`leave ${ms}`)
        goneAt = Math.min(goneAt, time + endMs)
      },
      kill: () => {
        happened.push(`kill at ${time}`)
        goneAt = time
      },
      get isGone() {
        return time >= goneAt
      },
    },
    clock,
    ended: () => happened.push(`ended at ${time}`),
  })
  const settled = () => new Promise(done => setImmediate(done))
  return { departure, happened, meanwhile, settled }
}

describe('clients of a process that stays', () => {
  test('have until the deadline, until nobody has to go any more', () => {
    const { departure, happened } = departing(0)

    departure.drain(5_000)
    const { deadline, isEnding } = departure
    departure.stay()

    expect({ deadline, isEnding }).toEqual({ deadline: 5_000, isEnding: false })
    expect(departure.deadline).toBeUndefined()
    expect(happened).toEqual(['drain 5000', 'stay'])
  })

  test('are not forced below zero', () => {
    const { departure } = departing(0)

    departure.drain(-1)

    expect(departure.deadline).toBeNull()
  })
})

describe('a process that leaves', () => {
  test('ends once, behind its workers', async () => {
    const { departure, happened, settled } = departing(100)

    departure.leave(5_000)
    departure.leave(1_000)
    await settled()

    expect(departure).toMatchObject({ deadline: 1_000, isEnding: true })
    expect(happened).toEqual(['leave 5000', 'leave 1000', 'ended at 100'])
  })

  test('kills workers that are two seconds behind the deadline', async () => {
    const { departure, happened, settled } = departing(Number.POSITIVE_INFINITY)

    departure.leave(1_000)
    await settled()

    expect(happened).toEqual(['leave 1000', 'kill at 3020', 'ended at 3040'])
  })

  test('does not end when that is called off', async () => {
    const { departure, happened, meanwhile, settled } = departing(100)

    meanwhile.set(60, () => departure.callOff())
    departure.leave(5_000)
    await settled()

    expect(departure).toMatchObject({ deadline: undefined, isEnding: false })
    expect(happened).toEqual(['leave 5000'])
  })

  test('ends once where that was called off and asked for again', async () => {
    const { departure, happened, meanwhile, settled } = departing(100)

    meanwhile.set(60, () => {
      departure.callOff()
      departure.leave(5_000)
    })
    departure.leave(5_000)
    await settled()

    expect(happened.filter(each => each.startsWith('ended'))).toHaveLength(1)
  })
})
