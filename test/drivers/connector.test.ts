/**
 * The MySQL 8.4 client library (C extension of mysql-connector-python), whose default plugin is
 * caching_sha2_password: it can log in only through the proxy's authentication switch.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { connectorSees, installConnector } from '../support/mysql-connector.ts'
import { type Stack, startStack } from '../support/stack.ts'

let stack: Stack
let python: string

beforeAll(async () => {
  python = await installConnector()
  stack = await startStack('127.17.2')
})

afterAll(async () => {
  await stack?.stop()
})

describe('the MySQL 8.4 client library through the proxy', () => {
  test('logs in by the authentication switch and works', async () => {
    const { user, password, database } = stack.kernel.accounts

    const seen = await connectorSees(python, {
      host: '127.0.0.1',
      port: stack.proxy.port,
      user: `${user}@app#obcluster`,
      password,
      database,
    })

    expect(seen).toEqual({
      constants: [[1, 'x', null, '']],
      affected: true,
      prepared: [['two']],
      error: [1146, '42S02'],
      big: 5_000_000,
      in_transaction: false,
      wrong_password: [1045, '42000'],
      no_password: [1045, '42000'],
      unknown_database: [1049, '42000'],
    })
  })
})
