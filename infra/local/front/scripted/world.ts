/** What all sessions of a scripted engine share: accounts, the database, row locks, each other. */
import { stage2Of } from '../login-codec.ts'
import type { Database } from './database.ts'
import type { Session } from './session.ts'
import { SqlError } from './sql-error.ts'
import type { RowLocks } from './transaction.ts'

export type ScriptedAccounts = {
  readonly root: string
  readonly proxyro: string
  readonly user: string
  readonly password: string
}

export class World {
  readonly cluster: string
  readonly database: Database
  readonly locks: RowLocks = new Map()
  private readonly sessions = new Set<Session>()
  private readonly stage2: ReadonlyMap<string, Buffer | undefined>
  private nextThread = 0x8000_0001

  constructor(cluster: string, accounts: ScriptedAccounts, database: Database) {
    this.cluster = cluster
    this.database = database
    this.stage2 = new Map([
      ['root', stage2Of(accounts.root)],
      ['proxyro', stage2Of(accounts.proxyro)],
      [accounts.user, stage2Of(accounts.password)],
    ])
  }

  /** The double hash of an account's password; null when there is no such account. */
  stage2Of(user: string): Buffer | undefined | null {
    return this.stage2.has(user) ? this.stage2.get(user) : null
  }

  /** A server session id: bit 31 is set (proxy-protocol.md §2.7). */
  threadId(): number {
    const id = this.nextThread
    this.nextThread = id === 0xffff_ffff ? 0x8000_0001 : id + 1
    return id
  }

  join(session: Session): void {
    this.sessions.add(session)
  }

  leave(session: Session): void {
    this.sessions.delete(session)
  }

  list(): readonly Session[] {
    return [...this.sessions]
  }

  /** @throws SqlError 1094 */
  kill(id: number, whole: boolean): void {
    const victims = this.list().filter(session => session.id === id)
    if (victims.length === 0) throw new SqlError(1094, 'HY000', `Unknown thread id: ${id}`)
    for (const victim of victims) victim.kill(whole)
  }

  /** The metadata account reads system tables alone. @throws SqlError 1142 */
  needAccess(user: string, database: string): void {
    if (user === 'proxyro' && database.toLowerCase() !== 'oceanbase')
      throw new SqlError(1142, '42000', `command denied to user 'proxyro' for '${database}'`)
  }
}
