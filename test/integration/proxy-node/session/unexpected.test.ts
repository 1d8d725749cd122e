/** A bug on the way to a server: who looks after the node hears of it, the client is served as far as can be. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { systemClock } from '../../../../proxy-node/base/clock.ts'
import type { ClusterView } from '../../../../proxy-node/session/ports.ts'
import type { TenantServers } from '../../../../proxy-node/topology/model.ts'
import { Unanswered } from '../../../../proxy-node/topology/unanswered.ts'
import { type FakeServer, startFakeServer } from '../../../support/fake-server.ts'
import { errorOf, RawClient } from '../../../support/raw-client.ts'
import { type ProxyUnderTest, startProxy } from '../../../support/stack.ts'
import { staticOutlook } from '../../../support/static-outlook.ts'

const NO_SERVER = 10013

let server: FakeServer
let proxy: ProxyUnderTest
let client: RawClient
/** Instead of the tenant's servers. */
let failure: Error | undefined
let broken: unknown[]

beforeEach(async () => {
  failure = undefined
  broken = []
  server = await startFakeServer({})
  const known = staticOutlook(
    { name: 'c1', tenant: 'app', servers: [server], leaders: {} },
    systemClock,
  )
  const cluster: ClusterView = {
    ...known,
    tenantServers: (tenant): TenantServers | Promise<TenantServers> =>
      failure === undefined ? known.tenantServers(tenant) : Promise.reject(failure),
  }
  proxy = await startProxy(
    { kind: 'oceanbase', directory: { cluster: () => cluster } },
    { broke: error => broken.push(error) },
  )
  client = new RawClient(proxy.port)
})

afterEach(async () => {
  client.socket.destroy()
  proxy.stop()
  await server.stop()
})

const bug = new TypeError('a bug')

test.each([
  ['a bug is told', bug, [bug]],
  ['silence is not', new Unanswered('nobody answers'), []],
])('at a login %s; the client reads that there is no server', async (_name, error, heard) => {
  failure = error

  const answer = await client.logIn('u@app#c1')

  expect(errorOf(answer).errno).toBe(NO_SERVER)
  expect(broken).toEqual(heard)
})

test.each([
  ['a bug is told', bug, [bug]],
  ['silence is not', new Unanswered('nobody answers'), []],
])('at a statement %s; the client gets an answer', async (_name, error, heard) => {
  await client.logIn('u@app#c1')
  failure = error

  const [answer] = await client.query('SELECT 1')

  expect(answer?.payload.length).toBeGreaterThan(0)
  expect(broken).toEqual(heard)
})
