/**
 * What is asked of a server about a table's partitions. Binary columns come as hexadecimal digits, so
 * that they arrive whole whatever the connection's character set is; it is utf8mb4 nevertheless, for
 * the server hands them out as text of it. No ORDER BY: arrival order is the order of LIST partitions.
 * Source: proxy-routing.md §4.3; proxy-routing-tried.md "Metadata".
 */
export type PartitionStatements = {
  readonly keys: string
  readonly partitions: string
  /** Only of a table with two levels. */
  readonly subPartitions: string
}

const HINT = '/*+ READ_CONSISTENCY(WEAK) */'
const HEX_BOUND = 'HEX(high_bound_val_bin) AS high_bound_val_bin'
const KEY_COLUMNS =
  'part_level, part_type, part_num, part_expr, part_space, sub_part_type, sub_part_expr, ' +
  'sub_part_space, template_num, part_key_num, part_key_name, part_key_type, part_key_idx, ' +
  'part_key_level, part_key_extra'
const KEY_COLUMNS_4X =
  `${KEY_COLUMNS}, part_key_expr, part_key_collation_type, part_key_length, part_key_precision, ` +
  'part_key_scale, HEX(part_key_default_value) AS part_key_default_value'
const KEY_COLUMNS_3X = `${KEY_COLUMNS}, spare1, spare4, spare5`

/** Of OceanBase 4.x: names are constants, which the server reads as index keys. */
export function partitionStatements4x(tenant: string, tableId: string): PartitionStatements {
  const where = `WHERE tenant_name = '${quoted(tenant)}' AND table_id = ${integer(tableId)}`
  return {
    keys: `SELECT ${HINT} ${KEY_COLUMNS_4X} FROM oceanbase.__all_virtual_proxy_partition_info ${where}`,
    partitions:
      `SELECT ${HINT} part_id, part_name, part_position, tablet_id, ${HEX_BOUND} ` +
      `FROM oceanbase.__all_virtual_proxy_partition ${where}`,
    subPartitions:
      `SELECT ${HINT} part_id, sub_part_id, part_name, sub_part_position, tablet_id, ${HEX_BOUND} ` +
      `FROM oceanbase.__all_virtual_proxy_sub_partition ${where}`,
  }
}

/**
 * Of OceanBase 3.x. Servers of old have no bounds in the rows of hash partitions: `hasBounds` is false
 * for those. `isTemplate`: sub-partitions are one set for all.
 */
export function partitionStatements3x(
  tableId: string,
  { hasBounds, isTemplate }: { readonly hasBounds: boolean; readonly isTemplate: boolean },
): PartitionStatements {
  const where = `WHERE table_id = ${integer(tableId)}`
  const bound = hasBounds ? `, ${HEX_BOUND}` : ''
  const template = isTemplate ? ' AND part_id = -1' : ''
  return {
    keys: `SELECT ${HINT} ${KEY_COLUMNS_3X} FROM oceanbase.__all_virtual_proxy_partition_info ${where}`,
    partitions:
      `SELECT ${HINT} part_id, part_name${bound} ` +
      `FROM oceanbase.__all_virtual_proxy_partition ${where}`,
    subPartitions:
      `SELECT ${HINT} part_id, sub_part_id, part_name${bound} ` +
      `FROM oceanbase.__all_virtual_proxy_sub_partition ${where}${template}`,
  }
}

function quoted(name: string): string {
  return name.replaceAll('\\', '\\\\').replaceAll("'", "''")
}

/** Ids come from metadata: digits only. */
function integer(id: string): string {
  return BigInt(id).toString()
}
