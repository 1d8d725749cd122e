/** A take-over over HTTP: its look before, and what is refused. */
import { beforeEach, describe, expect, test } from 'vitest'
import { HttpApi } from '../../../support/http-api.ts'
import { hostId } from '../../../support/scripted-fleet.ts'

let api: HttpApi

beforeEach(() => {
  api = new HttpApi()
})

describe('a take-over', () => {
  const path = '/clusters/orders/take-over'
  const body = { hosts: [{ host: hostId(2), sqlPort: 2883, sysPasswordSecret: '/old/proxysys' }] }

  test('is checked with dryRun=true; its operation has the findings, its steps no secret', async () => {
    await api.scripted.running('orders', [1])
    const { status, body: begun, headers } = await api.ask('POST', `${path}?dryRun=true`, { body })
    expect(status).toBe(202)
    expect(begun).toMatchObject({ type: 'precheck-take-over', phase: 'PENDING' })
    expect(headers.get('location')).toBe(`/v1/operations/${begun.id}`)
    expect(begun).not.toHaveProperty('result')
    await api.scripted.settle()

    const { body: ended } = await api.ask('GET', `/operations/${begun.id}`)
    expect(ended).toMatchObject({ phase: 'SUCCEEDED', result: { mayTakeOver: true } })
    expect(ended.result.hosts[0].findings).toHaveLength(14)
    expect(ended.result.hosts[0].findings[0]).toEqual({
      id: 'T1',
      ok: true,
      code: 'ok',
      detail: 'it runs 4.3.1.0-4',
      remedy: null,
    })
    const { body: child } = await api.ask('GET', `/operations/${ended.childIds[0]}`)
    expect(child.result).toEqual(ended.result)
    const { body: steps } = await api.ask('GET', `/operations/${child.id}/steps`)
    expect(steps.items.map(({ name }: { name: string }) => name)).toEqual([
      'probe',
      'judge',
      'finish',
    ])
    const { body: listed } = await api.ask('GET', '/operations')
    expect(listed.items[0]).not.toHaveProperty('result')
  })

  test.each(['', '?dryRun=false'])('itself (%j) wants the name confirmed', async query => {
    await api.scripted.running('orders', [1])
    const { status, body: problem } = await api.ask('POST', `${path}${query}`, { body })
    expect(status).toBe(422)
    expect(problem).toMatchObject({ code: 'confirmation-required' })
    expect(problem.detail).toContain('restarted once')
    expect(api.scripted.fleet.probes).toEqual([])
  })

  test('announces the restart, and makes a node that says where it came from', async () => {
    await api.scripted.running('orders', [1])
    const confirmed = { ...body, confirm: 'orders' }
    const { status, body: begun } = await api.ask('POST', path, { body: confirmed })
    expect(status).toBe(202)
    expect(begun).toMatchObject({ type: 'take-over', phase: 'PENDING' })
    expect(begun.notices[0]).toContain('restarted once')
    await api.scripted.settle()

    const { body: ended } = await api.ask('GET', `/operations/${begun.id}`)
    expect(ended).toMatchObject({ phase: 'SUCCEEDED', result: { mayTakeOver: true } })
    const { body: node } = await api.ask('GET', '/nodes/orders-2')
    expect(node.spec).toMatchObject({
      host: hostId(2),
      origin: 'TAKEN_OVER',
      home: '/opt/taobao/install/obproxy-4.3.1.0',
      version: '4.3.1.0-4',
    })
    expect((await api.ask('GET', '/nodes/orders-1')).body.spec).toMatchObject({
      origin: 'CREATED',
      home: null,
    })
    const again = await api.ask('POST', path, { body: confirmed })
    expect(again.status).toBe(200)
    const { body: audit } = await api.ask('GET', '/audit-events?action=take-over')
    expect(audit.items.length).toBe(2)
  })

  test.each([
    ['', 'release'],
    ['?mode=uninstall', 'uninstall'],
    ['?mode=release', 'release'],
  ])('is ended by a DELETE%s, which does %s', async (query, verb) => {
    await api.scripted.running('orders', [1])
    await api.ask('POST', path, { body: { ...body, confirm: 'orders' } })
    await api.scripted.settle()
    const { headers } = await api.ask('GET', '/nodes/orders-2')
    api.scripted.fleet.ran.length = 0

    const { status } = await api.ask('DELETE', `/nodes/orders-2${query}`, {
      headers: { 'if-match': headers.get('etag') ?? '' },
    })

    expect(status).toBe(202)
    await api.scripted.settle()
    expect(api.scripted.fleet.ran.at(-1)).toContain(` ${verb} `)
    expect((await api.ask('GET', '/nodes/orders-2')).status).toBe(404)
  })

  test.each([
    ['no host', { hosts: [] }, '/hosts'],
    ['an unknown field', { ...body, confirmed: 'orders' }, '/confirmed'],
    [
      'a password that is no reference',
      { hosts: [{ host: 'i', sysPasswordSecret: 'secret' }] },
      '/hosts/0/sysPasswordSecret',
    ],
    ['a port that needs a privilege', { hosts: [{ host: 'i', sqlPort: 80 }] }, '/hosts/0/sqlPort'],
  ])('with %s is not valid', async (_name, wrong, pointer) => {
    await api.scripted.running('orders', [1])
    const { status, body: problem } = await api.ask('POST', `${path}?dryRun=true`, { body: wrong })
    expect(status).toBe(422)
    expect(problem.errors[0].pointer).toBe(pointer)
  })

  test('into a cluster that is not there is not found', async () => {
    expect((await api.ask('POST', '/clusters/other/take-over?dryRun=true', { body })).status).toBe(
      404,
    )
  })
})
