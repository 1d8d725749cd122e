/**
 * Answers clients in routing mode `mock`, so that tests hold connections and transactions open without
 * any OB cluster: every user gets in, a SELECT gives one row, everything else is done.
 */
import { COMMAND, errorPayload, okPayload, packet, resultSet, STATUS } from './wire.ts'

export class LocalServer {
  isInTransaction = false
  private readonly id: number

  constructor(id: number) {
    this.id = id
  }

  /** Packets of the answer to a command. */
  answer(command: Buffer): Buffer {
    const isKnown = [COMMAND.query, COMMAND.ping, COMMAND.initDb, COMMAND.resetConnection].some(
      code => code === command[0],
    )
    if (!isKnown) return packet(1, errorPayload(1047, '08S01', 'Unknown command'))
    return command[0] === COMMAND.query
      ? this.run(command.toString('utf8', 1).trim())
      : packet(1, okPayload(this.status()))
  }

  private run(text: string): Buffer {
    if (/^(?:begin|start\s+transaction)\b/i.test(text)) this.isInTransaction = true
    if (/^(?:commit|rollback)\b/i.test(text)) this.isInTransaction = false
    const [, value] = /^select\s+(.*?);?$/is.exec(text) ?? []
    if (value === undefined) return packet(1, okPayload(this.status()))
    const shown = /^connection_id\s*\(\s*\)$/i.test(value) ? String(this.id) : value
    const columns = [{ name: value, type: 'text' as const }]
    return resultSet({ columns, rows: [[shown.replace(/^'(.*)'$/s, '$1')]] }, 1, this.status())
  }

  private status(): number {
    return STATUS.autocommit | (this.isInTransaction ? STATUS.inTransaction : 0)
  }
}
