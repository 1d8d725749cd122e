/** The store on DynamoDB: consistent reads, and one conditional transaction a commit. */
import { TransactionCanceledException } from '@aws-sdk/client-dynamodb'
import {
  BatchGetCommand,
  type DynamoDBDocumentClient,
  GetCommand,
  QueryCommand,
  type QueryCommandInput,
  TransactWriteCommand,
} from '@aws-sdk/lib-dynamodb'
import { z } from 'zod'
import type { Clock } from '../domain/clock.ts'
import { Problem } from '../domain/problem.ts'
import {
  type Change,
  type ClusterPicture,
  Conflict,
  type KeyOf,
  type Kind,
  type Listed,
  type ListRequest,
  MAX_CHANGES,
  type Period,
  type Position,
  type Records,
  type Store,
} from '../domain/store.ts'
import { actionOf, type Item, recordOf } from './items.ts'
import {
  auditPartition,
  clusterPartition,
  DUE_INDEX,
  DUE_SHARDS,
  duePartition,
  historyPartition,
  historyPeriod,
  type Key,
  keyOf,
  LIST_INDEX,
  movedOutPartition,
  operationPartition,
  PARTITIONS,
  rootServicesPartition,
  type Span,
  STEPS,
  WAVES,
} from './keys.ts'

/** Of one BatchGetItem. */
const MAX_BATCH = 100
/** Of a commit that only met another transaction in flight. */
const BUSY_TRIES = 6
const BUSY_MS = 25

export class DynamoStore implements Store {
  private readonly client: DynamoDBDocumentClient
  private readonly table: string
  private readonly sleep: Clock['sleep']

  constructor(client: DynamoDBDocumentClient, table: string, sleep: Clock['sleep']) {
    this.client = client
    this.table = table
    this.sleep = sleep
  }

  async get<K extends Kind>(kind: K, key: KeyOf<K>): Promise<Records[K] | null> {
    const { Item } = await this.ask(() =>
      this.client.send(
        new GetCommand({ TableName: this.table, Key: keyOf(kind, key), ConsistentRead: true }),
      ),
    )
    return Item === undefined ? null : recordOf(kind, Item)
  }

  async getMany<K extends Kind>(
    kind: K,
    keys: readonly KeyOf<K>[],
  ): Promise<readonly Records[K][]> {
    const found: Records[K][] = []
    for (let at = 0; at < keys.length; at += MAX_BATCH) {
      const items = await this.batch(keys.slice(at, at + MAX_BATCH).map(key => keyOf(kind, key)))
      for (const item of items) found.push(recordOf(kind, item))
    }
    return found
  }

  /** The cluster, its nodes and their reports share a partition: one picture of one moment. */
  async cluster(id: string): Promise<ClusterPicture | null> {
    const items = await this.partition(clusterPartition(id))
    const of = <K extends Kind>(kind: K) =>
      items.filter(item => item['kind'] === kind).map(item => recordOf(kind, item))
    const [cluster] = of('cluster')
    if (cluster === undefined) return null
    const reports = new Map(of('report').map(report => [report.nodeId, report]))
    return { cluster, nodes: of('node'), reports }
  }

  async steps(operationId: string): Promise<readonly Records['step'][]> {
    const items = await this.partition(operationPartition(operationId), STEPS)
    return items.map(item => recordOf('step', item))
  }

  async waves(operationId: string): Promise<readonly Records['wave'][]> {
    const items = await this.partition(operationPartition(operationId), WAVES)
    return items.map(item => recordOf('wave', item))
  }

  async rootServices(obCluster: string): Promise<readonly Records['rootServices'][]> {
    const items = await this.partition(rootServicesPartition(obCluster))
    return items.map(item => recordOf('rootServices', item))
  }

  async movedOut(name: string): Promise<readonly Records['movedOut'][]> {
    const items = await this.partition(movedOutPartition(name))
    return items.map(item => recordOf('movedOut', item))
  }

  clusterNames(request: ListRequest): Promise<Listed<Records['clusterName']>> {
    return this.page('clusterName', PARTITIONS.clusterName, request)
  }

  obClusters(request: ListRequest): Promise<Listed<Records['obCluster']>> {
    return this.page('obCluster', PARTITIONS.obCluster, request)
  }

  looseSecrets(request: ListRequest): Promise<Listed<Records['looseSecret']>> {
    return this.page('looseSecret', PARTITIONS.looseSecret, request)
  }

  packages(request: ListRequest): Promise<Listed<Records['package']>> {
    return this.page('package', PARTITIONS.package, request)
  }

  nodes(request: ListRequest): Promise<Listed<Records['node']>> {
    return this.indexPage('node', 'NODES', request, true)
  }

  operations(request: ListRequest): Promise<Listed<Records['operation']>> {
    return this.indexPage('operation', 'OPERATIONS', request, false)
  }

  async parameterHistory(
    clusterId: string,
    { limit, after, ...period }: ListRequest & Period,
  ): Promise<Listed<Records['parameterHistory']>> {
    const span = historyPeriod(period)
    // The table refuses a span that is none.
    if (span[0] > span[1]) return { items: [], next: null }
    const answer = await this.query({
      ...between(historyPartition(clusterId), span),
      ConsistentRead: true,
      ScanIndexForward: false,
      Limit: limit,
      ...goingOn(after),
    })
    return listed('parameterHistory', answer)
  }

  async audit(day: string, { limit, after }: ListRequest): Promise<Listed<Records['audit']>> {
    const answer = await this.query({
      ...condition('pk', auditPartition(day)),
      ConsistentRead: true,
      ScanIndexForward: false,
      Limit: limit,
      ...goingOn(after),
    })
    return listed('audit', answer)
  }

  async due(now: number, limit: number): Promise<readonly string[]> {
    const shards = Array.from({ length: DUE_SHARDS }, (_none, shard) =>
      this.dueIn(shard, now, limit),
    )
    const found = (await Promise.all(shards)).flat()
    return found
      .sort((left, right) => left.nextAt - right.nextAt)
      .slice(0, limit)
      .map(({ operationId }) => operationId)
  }

  async commit(changes: readonly Change[]): Promise<void> {
    if (changes.length === 0) return
    if (changes.length > MAX_CHANGES)
      throw new Problem('internal-error', `${changes.length} changes do not fit a transaction`)
    const TransactItems = changes.map(change => actionOf(change, this.table))
    for (let tried = 1; ; tried++) {
      const failure = await this.ask(() => this.transact(TransactItems))
      if (failure === null) return
      const kinds = changes.flatMap(({ kind }, at) =>
        failure[at] === 'ConditionalCheckFailed' ? [kind] : [],
      )
      if (kinds.length > 0) throw new Conflict(kinds)
      if (tried === BUSY_TRIES)
        throw new Problem('store-unavailable', `the table is busy: ${[...new Set(failure)]}`)
      await this.sleep(BUSY_MS * 2 ** tried * (0.5 + Math.random()))
    }
  }

  /** Null when it was committed, else the reason of each change. */
  private async transact(
    TransactItems: ReturnType<typeof actionOf>[],
  ): Promise<readonly string[] | null> {
    try {
      await this.client.send(new TransactWriteCommand({ TransactItems }))
      return null
    } catch (error) {
      if (!(error instanceof TransactionCanceledException)) throw error
      return (error.CancellationReasons ?? []).map(({ Code }) => Code ?? 'None')
    }
  }

  private async partition(pk: string, prefix?: string): Promise<readonly Item[]> {
    const items: Item[] = []
    let from: Item | undefined
    do {
      const answer = await this.query({
        ...condition('pk', pk, prefix === undefined ? undefined : ['sk', prefix]),
        ConsistentRead: true,
        ...(from === undefined ? {} : { ExclusiveStartKey: from }),
      })
      items.push(...(answer.Items ?? []))
      from = answer.LastEvaluatedKey
    } while (from !== undefined)
    return items
  }

  private async page<K extends Kind>(
    kind: K,
    pk: string,
    { limit, after }: ListRequest,
  ): Promise<Listed<Records[K]>> {
    const answer = await this.query({
      ...condition('pk', pk),
      ConsistentRead: true,
      Limit: limit,
      ...goingOn(after),
    })
    return listed(kind, answer)
  }

  private async indexPage<K extends Kind>(
    kind: K,
    pk: string,
    { limit, after }: ListRequest,
    isForward: boolean,
  ): Promise<Listed<Records[K]>> {
    const answer = await this.query({
      IndexName: LIST_INDEX,
      ...condition('listPk', pk),
      ScanIndexForward: isForward,
      Limit: limit,
      ...(after === undefined
        ? {}
        : { ExclusiveStartKey: indexKeySchema.parse(JSON.parse(after)) }),
    })
    return listed(kind, answer)
  }

  private async dueIn(shard: number, now: number, limit: number) {
    const answer = await this.query({
      IndexName: DUE_INDEX,
      KeyConditionExpression: '#pk = :pk AND #sk <= :now',
      ExpressionAttributeNames: { '#pk': 'duePk', '#sk': 'dueSk' },
      ExpressionAttributeValues: { ':pk': duePartition(shard), ':now': now },
      Limit: limit,
    })
    return (answer.Items ?? []).map(item => recordOf('work', item))
  }

  private query(input: Omit<QueryCommandInput, 'TableName'>) {
    return this.ask(() => this.client.send(new QueryCommand({ TableName: this.table, ...input })))
  }

  private async batch(keys: readonly Key[]): Promise<readonly Item[]> {
    const items: Item[] = []
    let Keys: Record<string, unknown>[] = keys.map(key => ({ ...key }))
    for (let tried = 0; Keys.length > 0; tried++) {
      if (tried > 0) await this.sleep(BUSY_MS * 2 ** Math.min(tried, BUSY_TRIES))
      const answer = await this.ask(() =>
        this.client.send(
          new BatchGetCommand({ RequestItems: { [this.table]: { Keys, ConsistentRead: true } } }),
        ),
      )
      items.push(...(answer.Responses?.[this.table] ?? []))
      Keys = answer.UnprocessedKeys?.[this.table]?.Keys ?? []
      if (tried > BUSY_TRIES && Keys.length > 0)
        throw new Problem('store-unavailable', 'the table leaves keys unprocessed')
    }
    return items
  }

  private async ask<T>(act: () => Promise<T>): Promise<T> {
    try {
      return await act()
    } catch (error) {
      if (error instanceof Problem) throw error
      const name = error instanceof Error ? error.name : 'unknown error'
      throw Object.assign(new Problem('store-unavailable', `the table does not answer: ${name}`), {
        cause: error,
      })
    }
  }
}

const keySchema = z.strictObject({ pk: z.string(), sk: z.string() })
const indexKeySchema = z.strictObject({
  pk: z.string(),
  sk: z.string(),
  listPk: z.string(),
  listSk: z.string(),
})

function goingOn(after: Position | undefined) {
  return after === undefined ? {} : { ExclusiveStartKey: keySchema.parse(JSON.parse(after)) }
}

function between(pk: string, [least, greatest]: Span) {
  return {
    KeyConditionExpression: '#pk = :pk AND #sk BETWEEN :least AND :greatest',
    ExpressionAttributeNames: { '#pk': 'pk', '#sk': 'sk' },
    ExpressionAttributeValues: { ':pk': pk, ':least': least, ':greatest': greatest },
  }
}

function condition(name: string, value: string, prefix?: readonly [string, string]) {
  const [sort, text] = prefix ?? []
  return {
    KeyConditionExpression:
      sort === undefined ? '#pk = :pk' : '#pk = :pk AND begins_with(#sk, :sk)',
    ExpressionAttributeNames: { '#pk': name, ...(sort === undefined ? {} : { '#sk': sort }) },
    ExpressionAttributeValues: { ':pk': value, ...(text === undefined ? {} : { ':sk': text }) },
  }
}

function listed<K extends Kind>(
  kind: K,
  answer: { readonly Items?: Item[] | undefined; readonly LastEvaluatedKey?: Item | undefined },
): Listed<Records[K]> {
  const { Items = [], LastEvaluatedKey } = answer
  return {
    items: Items.map(item => recordOf(kind, item)),
    next: LastEvaluatedKey === undefined ? null : JSON.stringify(LastEvaluatedKey),
  }
}
