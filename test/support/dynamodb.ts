/** The local DynamoDB API as a process of its own, for suites that want the real one. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { Readable } from 'node:stream'
import {
  DeleteTableCommand,
  DynamoDBClient,
  type ServiceInputTypes,
  type ServiceOutputTypes,
} from '@aws-sdk/client-dynamodb'
import { BatchWriteCommand, DynamoDBDocumentClient, paginateScan } from '@aws-sdk/lib-dynamodb'
import type { Kind, Store } from '../../functions/domain/store.ts'
import { DynamoStore } from '../../functions/store/dynamodb.ts'
import { itemOf, recordOf } from '../../functions/store/items.ts'
import { ensureTable } from '../../functions/store/table.ts'
import type { OwnTable } from './crash-matrix.ts'
import type { Hiccup } from './interruption.ts'
import type { Stored } from './memory-store.ts'

type Sent = (args: { input: ServiceInputTypes; request: unknown }) => Promise<{
  output?: ServiceOutputTypes
  response: unknown
}>

const BINARY = resolve(
  import.meta.dirname,
  `../../node_modules/@dynoxide/linux-${process.arch}/dynoxide`,
)
/** Of one BatchWriteItem. */
const MAX_WRITES = 25
const TRIES = 200
const TRY_MS = 30

export const sleep = (ms: number) => new Promise<void>(done => setTimeout(done, ms))

export class LocalDynamo {
  readonly host: string
  readonly port: number
  private readonly folder = mkdtempSync(join(tmpdir(), 'obfleet-store-'))
  private readonly server: ChildProcess
  readonly client: DynamoDBClient
  readonly documents: DynamoDBDocumentClient
  private tables = 0
  /** Name of the table that was made last. */
  newest = ''
  /** By table: what becomes of its next write. */
  private readonly hiccups = new Map<string, Hiccup>()

  /** @param attempts of the client at one request, as it repeats what failed. */
  constructor(host: string, port = 8000, attempts = 1) {
    this.host = host
    this.port = port
    const args = ['serve', '--host', host, '--port', String(port)]
    this.server = spawn(BINARY, [...args, '--db-path', join(this.folder, 'db')], {
      stdio: 'ignore',
    })
    this.client = this.clientOf(port, attempts)
    // Each of the client's own attempts comes through here.
    this.client.middlewareStack.add(this.disturbing, { step: 'deserialize', name: 'hiccups' })
    this.documents = DynamoDBDocumentClient.from(this.client, {
      marshallOptions: { removeUndefinedValues: true },
    })
  }

  private readonly disturbing =
    (next: Sent): Sent =>
    async args => {
      const hiccup = this.takeHiccup(args.input)
      if (hiccup === 'is throttled') throw unanswered('ThrottlingException', 400)
      const answer = await next(args)
      if (hiccup !== 'is answered twice') return answer
      // A socket whose answer is not read stays in use.
      const { body } = answer.response as { readonly body: Readable }
      await body.toArray()
      throw unanswered('InternalServerError', 500)
    }

  private takeHiccup(input: object): Hiccup | undefined {
    if (!('TransactItems' in input)) return undefined
    const name = [...this.hiccups.keys()].find(table =>
      JSON.stringify(input).includes(`"${table}"`),
    )
    const hiccup = this.hiccups.get(name ?? '')
    this.hiccups.delete(name ?? '')
    return hiccup
  }

  clientOf(port: number, maxAttempts = 1): DynamoDBClient {
    return new DynamoDBClient({
      region: 'local',
      endpoint: `http://${this.host}:${port}`,
      credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
      maxAttempts,
    })
  }

  /** @throws Error when it does not answer. */
  async ready(): Promise<void> {
    for (let tried = 0; tried < TRIES; tried++) {
      const answers = await fetch(`http://${this.host}:${this.port}`).then(
        () => true,
        () => false,
      )
      if (answers) return
      await sleep(TRY_MS)
    }
    throw new Error('the DynamoDB API does not answer')
  }

  async emptyStore(): Promise<DynamoStore> {
    this.tables += 1
    this.newest = `table${this.tables}`
    await ensureTable(this.client, this.newest)
    return new DynamoStore(this.documents, this.newest, sleep)
  }

  /** @param sleep of who works on it: a clock that is moved by hand has its own. */
  async ownTable(sleepOf: (ms: number) => Promise<void> = sleep): Promise<OwnTable> {
    this.tables += 1
    const name = `own${this.tables}x`
    await ensureTable(this.client, name)
    const store: Store = new DynamoStore(this.documents, name, sleepOf)
    return {
      store,
      fill: contents => this.fill(name, contents),
      contents: () => this.contents(name),
      hiccup: how => this.hiccups.set(name, how),
      remove: async () => {
        this.hiccups.delete(name)
        await this.client.send(new DeleteTableCommand({ TableName: name }))
      },
    }
  }

  private async fill(table: string, contents: readonly Stored[]): Promise<void> {
    for (let at = 0; at < contents.length; at += MAX_WRITES) {
      const requests = contents.slice(at, at + MAX_WRITES).map(({ kind, record }) => ({
        // An item counts the write that makes it.
        PutRequest: { Item: itemOf(kind, { ...record, version: record.version - 1 }) },
      }))
      const { UnprocessedItems } = await this.documents.send(
        new BatchWriteCommand({ RequestItems: { [table]: requests } }),
      )
      if (Object.keys(UnprocessedItems ?? {}).length > 0) throw new Error('the table is too busy')
    }
  }

  private async contents(TableName: string): Promise<readonly Stored[]> {
    const found: Stored[] = []
    const pages = paginateScan({ client: this.documents }, { TableName, ConsistentRead: true })
    for await (const { Items = [] } of pages)
      for (const item of Items) {
        const kind = item['kind'] as Kind
        found.push({ kind, record: recordOf(kind, item) })
      }
    return found
  }

  stop(): void {
    this.client.destroy()
    this.server.kill()
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** As the client takes an answer that it may ask again for. */
function unanswered(name: string, httpStatusCode: number): Error {
  return Object.assign(new Error(name), { name, $fault: 'server', $metadata: { httpStatusCode } })
}
