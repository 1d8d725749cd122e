/** The store on a real DynamoDB API. */
import { DynamoDBDocumentClient, PutCommand } from '@aws-sdk/lib-dynamodb'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Problem } from '../../../functions/domain/problem.ts'
import { Conflict, put } from '../../../functions/domain/store.ts'
import { DynamoStore } from '../../../functions/store/dynamodb.ts'
import { ensureTable } from '../../../functions/store/table.ts'
import { LocalDynamo, sleep } from '../../support/dynamodb.ts'
import { ASKED, ScriptedPlane } from '../../support/scripted-plane.ts'
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

describe('a transaction whose answer is lost', () => {
  const patient = new LocalDynamo('127.15.8.15', PORT, 3)

  beforeAll(() => patient.ready())

  afterAll(() => patient.stop())

  const fresh = [put('cluster', cluster('clu_a'))]

  test('is repeated by the client with its token, and counts once', async () => {
    const table = await patient.ownTable()
    table.hiccup('is answered twice')

    await expect(table.store.commit(fresh)).resolves.toBeUndefined()

    expect(await table.store.get('cluster', { id: 'clu_a' })).toMatchObject({ version: 1 })
  })

  test('and never comes is done all the same: who looks finds it, who writes again is told', async () => {
    const table = await dynamo.ownTable()
    table.hiccup('is answered twice')

    await expect(table.store.commit(fresh)).rejects.toMatchObject({ code: 'store-unavailable' })

    expect(await table.store.get('cluster', { id: 'clu_a' })).toMatchObject({ version: 1 })
    await expect(table.store.commit(fresh)).rejects.toThrow(Conflict)
  })

  test('a request of a user is answered with the operation that it began, asked once or twice', async () => {
    const all = new ScriptedPlane(1)
    await all.running('orders', [1])
    const table = await dynamo.ownTable()
    await all.moveTo(table)
    const idempotency = { scope: 'user:test POST /stop', key: 'k', bodyHash: 'h' }
    const stop = () => all.plane.clusters.stop({ ...ASKED, idempotency }, 'orders', {})
    table.hiccup('is answered twice')

    const id = await all.accepted(stop())
    expect(await all.accepted(stop())).toBe(id)

    await all.look()
    const stops = all.store.all('operation').filter(({ type }) => type === 'stop')
    expect(stops.map(each => each.id)).toEqual([id])
    expect(await all.finish(id, 1_000)).toMatchObject({ phase: 'SUCCEEDED' })
  })
})
