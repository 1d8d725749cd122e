/** The table as it must be; made where nobody else makes it (the stack on one machine, suites). */
import {
  CreateTableCommand,
  type DynamoDBClient,
  waitUntilTableExists,
} from '@aws-sdk/client-dynamodb'
import { DUE_INDEX, LIST_INDEX } from './keys.ts'

const WAIT_SEC = 30

/** Creates the table unless it is there. @throws when it is not active within 30 s. */
export async function ensureTable(client: DynamoDBClient, table: string): Promise<void> {
  try {
    await client.send(
      new CreateTableCommand({
        TableName: table,
        BillingMode: 'PAY_PER_REQUEST',
        KeySchema: [
          { AttributeName: 'pk', KeyType: 'HASH' },
          { AttributeName: 'sk', KeyType: 'RANGE' },
        ],
        AttributeDefinitions: [
          ...['pk', 'sk', 'listPk', 'listSk', 'duePk'].map(
            AttributeName => ({ AttributeName, AttributeType: 'S' }) as const,
          ),
          { AttributeName: 'dueSk', AttributeType: 'N' },
        ],
        GlobalSecondaryIndexes: [
          index(LIST_INDEX, 'listPk', 'listSk'),
          index(DUE_INDEX, 'duePk', 'dueSk'),
        ],
      }),
    )
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'ResourceInUseException') throw error
  }
  await waitUntilTableExists(
    { client, maxWaitTime: WAIT_SEC, minDelay: 1, maxDelay: 2 },
    { TableName: table },
  )
}

function index(IndexName: string, hash: string, range: string) {
  return {
    IndexName,
    KeySchema: [
      { AttributeName: hash, KeyType: 'HASH' as const },
      { AttributeName: range, KeyType: 'RANGE' as const },
    ],
    Projection: { ProjectionType: 'ALL' as const },
  }
}
