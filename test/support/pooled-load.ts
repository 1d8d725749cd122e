/**
 * Clients of a pool: each keeps a connection with one transaction after another on it, and takes another
 * one when it finds that it was closed before it has sent anything. What they count is what suites judge.
 */
import type { Connection } from 'mysql2/promise'

/** Answers that say that nothing was executed. */
const NOT_EXECUTED = ['ER_SERVER_SHUTDOWN']

export class PooledLoad {
  private readonly open: () => Promise<Connection>
  private readonly table: string
  private isOver = false
  private clients: Promise<void>[] = []
  readonly committed = new Set<string>()
  readonly refusedLogins: string[] = []
  /** Transactions that were ended before their COMMIT. */
  readonly cut: string[] = []
  /** Transactions whose COMMIT got no answer. */
  readonly unknown: string[] = []
  closedIdle = 0
  /** Learned with the BEGIN that the connection is over: nothing was executed. */
  toldAtNext = 0

  constructor(open: () => Promise<Connection>, table: string) {
    this.open = open
    this.table = table
  }

  begin(count: number, thinkMs: number): void {
    this.clients = Array.from({ length: count }, (_none, number) => this.client(number, thinkMs))
  }

  async end(): Promise<void> {
    this.isOver = true
    await Promise.all(this.clients)
  }

  private async client(number: number, thinkMs: number): Promise<void> {
    let held: Held | undefined
    for (let turn = 0; !this.isOver; turn++) {
      if (held?.isClosed) {
        this.closedIdle += 1
        held = undefined
      }
      held ??= await this.connected()
      if (held !== undefined && !(await this.transaction(held, `${number}-${turn}`))) {
        held.connection.destroy()
        held = undefined
      }
      await new Promise(done => setTimeout(done, thinkMs * (0.5 + Math.random())))
    }
    held?.connection.destroy()
  }

  private async connected(): Promise<Held | undefined> {
    try {
      return new Held(await this.open())
    } catch (error) {
      this.refusedLogins.push(String(error))
      return undefined
    }
  }

  /** False when the connection is of no use any more. */
  private async transaction({ connection }: Held, id: string): Promise<boolean> {
    let isBegun = false
    let isSent = false
    try {
      await connection.query('begin')
      isBegun = true
      await connection.query(`insert into ${this.table} values ('${id}')`)
      isSent = true
      await connection.query('commit')
      this.committed.add(id)
      return true
    } catch (error) {
      const { code = '' } = error as { code?: string }
      if (!isBegun) this.toldAtNext += 1
      else if (!isSent || NOT_EXECUTED.includes(code)) this.cut.push(`${id}: ${String(error)}`)
      else this.unknown.push(`${id}: ${String(error)}`)
      return false
    }
  }
}

class Held {
  readonly connection: Connection
  isClosed = false

  constructor(connection: Connection) {
    this.connection = connection
    const over = () => {
      this.isClosed = true
    }
    connection.on('error', over)
    connection.on('end', over)
  }
}
