/**
 * The table where it is not a file under the home: a DynamoDB API that the user named keeps what is
 * in it, so that a start from nothing has to delete it there.
 */
import { mkdirSync } from 'node:fs'
import {
  DeleteTableCommand,
  DynamoDBClient,
  waitUntilTableNotExists,
} from '@aws-sdk/client-dynamodb'
import { stackKeys } from './keys.ts'
import { REGION, TABLE } from './stack.ts'

const REQUEST_MS = 5_000
const WAIT_SEC = 30

/**
 * Deletes the stack's table at `endpoint`, if both are there. Before the home is emptied: some such
 * APIs show a table only to the keys that made it. @throws Error in one line
 */
export async function forgetTable(home: string, endpoint: string | undefined): Promise<void> {
  if (endpoint === undefined) return
  mkdirSync(home, { recursive: true, mode: 0o700 })
  const client = new DynamoDBClient({
    endpoint,
    region: REGION,
    credentials: stackKeys(home, []).plane,
    maxAttempts: 2,
    requestHandler: { requestTimeout: REQUEST_MS, throwOnRequestTimeout: true },
  })
  try {
    await client.send(new DeleteTableCommand({ TableName: TABLE }))
    await waitUntilTableNotExists(
      { client, maxWaitTime: WAIT_SEC, minDelay: 1, maxDelay: 2 },
      { TableName: TABLE },
    )
  } catch (error) {
    const { name, message } = error as Error
    if (name !== 'ResourceNotFoundException')
      throw new Error(`${endpoint} does not forget its table: ${message || name}`, { cause: error })
  } finally {
    client.destroy()
  }
}
