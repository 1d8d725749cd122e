/** The store on a real DynamoDB API. */
import { DynamoDBDocumentClient, PutCommand } from '@aws-sdk/lib-dynamodb'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Problem } from '../../../functions/domain/problem.ts'
import { put } from '../../../functions/domain/store.ts'
import { DynamoStore } from '../../../functions/store/dynamodb.ts'
import { ensureTable } from '../../../functions/store/table.ts'
import { LocalDynamo, sleep } from '../../support/dynamodb.ts'
import { cluster, storeContract } from '../../support/store-contract.ts'

const HOST = '127.15.8.1'
const PORT = 8000
const dynamo = new LocalDynamo(HOST, PORT)
const { client, documents } = dynamo
const clientOf = (port: number) => dynamo.clientOf(port)
const emptyStore = () => dynamo.emptyStore()

beforeAll(() => dynamo.ready())

afterAll(() => dynamo.stop())

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
        TableName: dynamo.newest,
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
