/** A start from nothing, where the table is at a DynamoDB API of the user's own. */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { DynamoDBClient, ListTablesCommand } from '@aws-sdk/client-dynamodb'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ensureTable } from '../../../../../functions/store/table.ts'
import { TABLE } from '../../../../../infra/local/stack/stack.ts'
import { forgetTable } from '../../../../../infra/local/stack/table.ts'
import { until } from '../../../../support/until.ts'

const HOST = '127.15.8.7'
const ENDPOINT = `http://${HOST}:8000`
const ROOT = resolve(import.meta.dirname, '../../../../..')
const BINARY = join(ROOT, `node_modules/@dynoxide/linux-${process.arch}/dynoxide`)

const folder = mkdtempSync(join(tmpdir(), 'obfleet-table-'))
const home = join(folder, 'home')
const client = new DynamoDBClient({
  region: 'local',
  endpoint: ENDPOINT,
  credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
})
let server: ChildProcess

beforeAll(async () => {
  const args = ['serve', '--host', HOST, '--port', '8000', '--db-path', join(folder, 'db')]
  server = spawn(BINARY, args, { stdio: 'ignore' })
  await until('it answers', () =>
    fetch(ENDPOINT).then(
      () => true,
      () => false,
    ),
  )
})

afterAll(() => {
  client.destroy()
  server.kill()
  rmSync(folder, { recursive: true, force: true })
})

const tables = async () => (await client.send(new ListTablesCommand({}))).TableNames

test('the stack’s table is gone, others stay; without it there is nothing to do', async () => {
  await ensureTable(client, TABLE)
  await ensureTable(client, 'other')

  await forgetTable(home, ENDPOINT)
  expect(await tables()).toEqual(['other'])
  await forgetTable(home, ENDPOINT)

  await ensureTable(client, TABLE)
  expect((await tables())?.sort()).toEqual([TABLE, 'other'])
})

test('an API that does not answer is named in one line', async () => {
  await expect(forgetTable(home, `http://${HOST}:9`)).rejects.toThrow(
    `http://${HOST}:9 does not forget its table: `,
  )
})

test('without an API of the user’s own nothing is touched', async () => {
  await forgetTable(join(folder, 'none'), undefined)
  expect(existsSync(join(folder, 'none'))).toBe(false)
})
