/**
 * The MySQL 8.4 client library (C extension of mysql-connector-python), whose default plugin is
 * caching_sha2_password: it can log in only through the proxy's authentication switch.
 */
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Stack, startStack } from '../support/stack.ts'

const RUN = promisify(execFile)
const ROOT = resolve(import.meta.dirname, '../..')
const PACKAGE = 'mysql-connector-python==8.4.0'

let stack: Stack
let python: string

async function install(): Promise<string> {
  const venv = join(ROOT, '.obfleet/drivers/venv')
  const done = join(venv, '.complete')
  if (!existsSync(done)) {
    rmSync(venv, { recursive: true, force: true })
    mkdirSync(venv, { recursive: true })
    await RUN('python3', ['-m', 'venv', venv])
    await RUN(join(venv, 'bin/pip'), ['install', '--quiet', PACKAGE], { timeout: 170_000 })
    writeFileSync(done, PACKAGE)
  }
  return join(venv, 'bin/python')
}

async function see(port: number, user: string): Promise<Record<string, unknown>> {
  const { password, database } = stack.kernel.accounts
  const script = join(import.meta.dirname, 'connector.py')
  const { stdout } = await RUN(python, [script, '127.0.0.1', `${port}`, user, password, database], {
    timeout: 60_000,
  })
  return JSON.parse(stdout) as Record<string, unknown>
}

beforeAll(async () => {
  python = await install()
  stack = await startStack('127.17.2')
})

afterAll(async () => {
  await stack?.stop()
})

describe('the MySQL 8.4 client library through the proxy', () => {
  test('logs in by the authentication switch and works', async () => {
    const { user } = stack.kernel.accounts

    const seen = await see(stack.proxy.port, `${user}@app#obcluster`)

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
