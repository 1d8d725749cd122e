/** The store on a real DynamoDB API. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { DynamoDBDocumentClient, PutCommand } from '@aws-sdk/lib-dynamodb'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Problem } from '../../../functions/domain/problem.ts'
import { put } from '../../../functions/domain/store.ts'
import { DynamoStore } from '../../../functions/store/dynamodb.ts'
import { ensureTable } from '../../../functions/store/table.ts'
import { cluster, storeContract } from '../../support/store-contract.ts'

const HOST = '127.15.8.1'
const PORT = 8000
const BINARY = resolve(
  import.meta.dirname,
  `../../../node_modules/@dynoxide/linux-${process.arch}/dynoxide`,
)

let server: ChildProcess
let folder: string
let client: DynamoDBClient
let documents: DynamoDBDocumentClient
let tables = 0

const sleep = (ms: number) => new Promise<void>(done => setTimeout(done, ms))

const clientOf = (port: number) =>
  new DynamoDBClient({
    region: 'local',
    endpoint: `http://${HOST}:${port}`,
    credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
    maxAttempts: 1,
  })

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'obfleet-store-'))
  const args = ['serve', '--host', HOST, '--port', String(PORT), '--db-path', join(folder, 'db')]
  server = spawn(BINARY, args, { stdio: 'ignore' })
  client = clientOf(PORT)
  documents = DynamoDBDocumentClient.from(client, {
    marshallOptions: { removeUndefinedValues: true },
  })
  for (let tried = 0; tried < 200; tried++) {
    if (
      await fetch(`http://${HOST}:${PORT}`).then(
        () => true,
        () => false,
      )
    )
      return
    await new Promise(done => setTimeout(done, 30))
  }
  throw new Error('the DynamoDB API does not answer')
})

afterAll(() => {
  client.destroy()
  server.kill()
  rmSync(folder, { recursive: true, force: true })
})

async function emptyStore(): Promise<DynamoStore> {
  tables += 1
  await ensureTable(client, `table${tables}`)
  return new DynamoStore(documents, `table${tables}`, sleep)
}

describe('the store on the table', () => {
  storeContract(emptyStore)

  test('the table is made once', async () => {
    await ensureTable(client, 'twice')
    await expect(ensureTable(client, 'twice')).resolves.toBeUndefined()
  })

  test('an item of a later schema is refused, not misread', async () => {
    const store = await emptyStore()
    await store.commit([put('cluster', cluster('clu_a'))])
    await documents.send(
      new PutCommand({
        TableName: `table${tables}`,
        Item: { pk: 'CLUSTER#clu_a', sk: 'META', kind: 'cluster', schema: 9, version: 4 },
      }),
    )
    await expect(store.get('cluster', { id: 'clu_a' })).rejects.toThrow(/schema 9/)
  })

  test('a table that does not answer is a problem with a code', async () => {
    const dead = new DynamoStore(DynamoDBDocumentClient.from(clientOf(1)), 'none', sleep)
    const error = await dead.get('cluster', { id: 'clu_a' }).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(Problem)
    expect(error).toMatchObject({ code: 'store-unavailable' })
  })
})
