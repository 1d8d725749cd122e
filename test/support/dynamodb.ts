/** The local DynamoDB API as a process of its own, for suites that want the real one. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { DynamoStore } from '../../functions/store/dynamodb.ts'
import { ensureTable } from '../../functions/store/table.ts'

const BINARY = resolve(
  import.meta.dirname,
  `../../node_modules/@dynoxide/linux-${process.arch}/dynoxide`,
)
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

  constructor(host: string, port = 8000) {
    this.host = host
    this.port = port
    const args = ['serve', '--host', host, '--port', String(port)]
    this.server = spawn(BINARY, [...args, '--db-path', join(this.folder, 'db')], {
      stdio: 'ignore',
    })
    this.client = this.clientOf(port)
    this.documents = DynamoDBDocumentClient.from(this.client, {
      marshallOptions: { removeUndefinedValues: true },
    })
  }

  clientOf(port: number): DynamoDBClient {
    return new DynamoDBClient({
      region: 'local',
      endpoint: `http://${this.host}:${port}`,
      credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
      maxAttempts: 1,
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

  stop(): void {
    this.client.destroy()
    this.server.kill()
    rmSync(this.folder, { recursive: true, force: true })
  }
}
