import { describe, expect, test } from 'vitest'
import { RouteDiagnosis } from '../../../../proxy-node/session/route-diagnosis.ts'
import { HandClock } from '../../../support/hand-clock.ts'

const SQL = "\0\0\0\0\x03SELECT a FROM t WHERE password = 'secret' AND id = 5"

/** As much of a session as a line tells of. */
function session({ diagnosisLevel = 1, isRouted = true } = {}) {
  const parts = {
    identity: { id: 7, tenant: 'app', settings: { diagnosisLevel } },
    memory: { lexerMode: 0 },
  }
  const errand = {
    request: Buffer.from(SQL),
    needs: { prepared: undefined },
    way: {
      isRouted,
      walk: {
        place: {
          key: 'app\0d\0t\x00200001',
          location: { leader: { key: '10.0.0.2:2881' } },
        },
        decision: { kind: 'leader', because: 'W' },
      },
    },
  }
  const server = { address: { host: '10.0.0.1', port: 2881 } }
  return [parts as never, errand as never, server as never] as const
}

describe('a statement that missed its partition', () => {
  test('is a line with place, server and digest, without its literals', () => {
    const lines: string[] = []
    const diagnosis = new RouteDiagnosis(new HandClock(), line => lines.push(line))

    diagnosis.missed(...session())

    expect(lines).toEqual([
      'partition missed: session=7, tenant=app, place=d.t.200001, server=10.0.0.1:2881, leader=10.0.0.2:2881, route=leader (W), unsaid=0, statement=select a from t where password = ? and id = ?',
    ])
  })

  test('is one of five lines a second; the next one counts the others', () => {
    const lines: string[] = []
    const clock = new HandClock()
    const diagnosis = new RouteDiagnosis(clock, line => lines.push(line))

    for (let miss = 0; miss < 1_000; miss++) diagnosis.missed(...session())
    const inOneSecond = lines.length
    clock.time += 1_000
    diagnosis.missed(...session())

    expect(inOneSecond).toBe(5)
    expect(lines.at(-1)).toContain('unsaid=995')
  })

  test.each([
    ['at level 0', { diagnosisLevel: 0 }],
    ['when no place was known', { isRouted: false }],
  ])('is nothing to tell %s', (_when, changes) => {
    const lines: string[] = []

    new RouteDiagnosis(new HandClock(), line => lines.push(line)).missed(...session(changes))

    expect(lines).toEqual([])
  })
})
