/** Records to items of the table and back. An item carries its kind and the schema it was written by (PL6). */
import { ITEM_SCHEMA } from '../domain/model.ts'
import { Problem } from '../domain/problem.ts'
import type { Change, KeyOf, Kind, Records } from '../domain/store.ts'
import { indexed, keyOf } from './keys.ts'

export type Item = Record<string, unknown>

/** What is the table's business and not the record's. */
const OWN = ['pk', 'sk', 'kind', 'schema', 'listPk', 'listSk', 'duePk', 'dueSk', 'ttl']

export function itemOf<K extends Kind>(kind: K, record: Records[K]): Item {
  return {
    ...record,
    ...keyOf(kind, record as unknown as KeyOf<K>),
    ...indexed(kind, record),
    kind,
    schema: ITEM_SCHEMA,
    version: record.version + 1,
  }
}

/** @throws Problem internal-error for an item of a schema that this version cannot read. */
export function recordOf<K extends Kind>(kind: K, item: Item): Records[K] {
  const schema = item['schema']
  if (item['kind'] !== kind || (schema !== ITEM_SCHEMA && schema !== ITEM_SCHEMA - 1))
    throw new Problem(
      'internal-error',
      `an item of kind ${String(item['kind'])}, schema ${String(schema)} is where a ${kind} should be`,
    )
  const entries = Object.entries(item).filter(([name]) => !OWN.includes(name))
  return Object.fromEntries(entries) as unknown as Records[K]
}

/** One action of TransactWriteItems for a change. */
export function actionOf({ act, kind, record }: Change, table: string) {
  const condition = conditionOn(record.version)
  const Key = keyOf(kind, record as unknown as KeyOf<typeof kind>)
  if (act === 'put') return { Put: { TableName: table, Item: itemOf(kind, record), ...condition } }
  return { Delete: { TableName: table, Key: { ...Key }, ...condition } }
}

function conditionOn(version: number) {
  if (version === 0)
    return {
      ConditionExpression: 'attribute_not_exists(#pk)',
      ExpressionAttributeNames: { '#pk': 'pk' },
    }
  return {
    ConditionExpression: '#version = :version',
    ExpressionAttributeNames: { '#version': 'version' },
    ExpressionAttributeValues: { ':version': version },
  }
}
