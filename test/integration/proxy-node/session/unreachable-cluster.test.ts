/** Logins to an OB cluster that no server of can be reached: refused, with a reason, and in time. */
import { createConnection } from 'mysql2/promise'
import { afterEach, expect, test } from 'vitest'
import type { Answer } from '../../../../proxy-node/topology/table-entry.ts'
import { type ClustersUnderTest, startClusters } from '../../../support/node-clusters.ts'
import { directoryOf, type ProxyUnderTest, startProxy } from '../../../support/stack.ts'

/** Nothing listens there. */
const ROOTSERVICES = [
  { host: '127.0.0.1', port: 1 },
  { host: '127.0.0.1', port: 2 },
]

let clusters: ClustersUnderTest | undefined
let proxy: ProxyUnderTest | undefined

afterEach(() => {
  proxy?.stop()
  clusters?.stop()
})

async function start(query: () => Promise<Answer>): Promise<void> {
  const starting = startClusters({ name: 'dark', rootservices: ROOTSERVICES, query })
  clusters = await starting
  proxy = await startProxy(directoryOf(clusters))
}

function login(tenant: string): Promise<unknown> {
  const { port } = proxy ?? { port: 0 }
  return createConnection({
    host: '127.0.0.1',
    port,
    user: `u@${tenant}#dark`,
    password: 'p',
  }).then(connection => connection.end())
}

const NO_SERVER = { errno: 10013, sqlState: 'HY000' }

test.each(['app', 'sys'])('tenant %s: servers that refuse', async tenant => {
  await start(() => Promise.reject(new Error('refused')))

  await expect(login(tenant)).rejects.toMatchObject(NO_SERVER)
})

test('servers that keep silent: the reason comes before the login has taken too long', async () => {
  await start(() => new Promise(() => {}))

  await expect(login('app')).rejects.toMatchObject(NO_SERVER)
})
