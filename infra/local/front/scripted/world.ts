/** What all sessions of a scripted engine share: accounts, the database, row locks, each other. */
import { stage2Of } from '../login-codec.ts'
import type { Database } from './database.ts'
import type { Session } from './session.ts'
import { SqlError } from './sql-error.ts'
import type { CreateProcedure } from './statement.ts'
import { unknownBranch } from './transacting.ts'
import type { RowLocks, Transaction } from './transaction.ts'
import { UserLocks } from './user-locks.ts'

const MAX_BRANCHES = 1_000
const MAX_PROCEDURES = 1_000
const MAX_KILLED = 10_000

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
  readonly userLocks = new UserLocks()
  /** XA branches that are prepared, by their id; any session may end them. */
  readonly branches = new Map<string, Transaction>()
  readonly procedures = new Map<string, CreateProcedure>()
  private readonly sessions = new Set<Session>()
  private readonly killedIds = new Set<number>()
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
    if (whole) this.refuse(id)
    for (const victim of victims) victim.kill(whole)
  }

  /** A client that has been killed gets no other session, through whichever server it comes. */
  refuse(id: number): void {
    this.killedIds.add(id)
    if (this.killedIds.size <= MAX_KILLED) return
    const [oldest] = this.killedIds
    if (oldest !== undefined) this.killedIds.delete(oldest)
  }

  isKilled(id: number): boolean {
    return this.killedIds.has(id)
  }

  /** @throws SqlError 1401 beyond the bound */
  keepBranch(xid: string, transaction: Transaction): void {
    if (this.branches.size >= MAX_BRANCHES)
      throw new SqlError(
        1401,
        'XAE03',
        'XAER_RMERR: Fatal error occurred in the transaction branch',
      )
    this.branches.set(xid, transaction)
  }

  /** @throws SqlError 1397 */
  takeBranch(xid: string): Transaction {
    const transaction = this.branches.get(xid)
    if (transaction === undefined) throw unknownBranch()
    this.branches.delete(xid)
    return transaction
  }

  /** @throws SqlError 1304, and beyond the bound */
  createProcedure(procedure: CreateProcedure): void {
    if (this.procedures.has(procedure.name))
      throw new SqlError(1304, '42000', `PROCEDURE ${procedure.name} already exists`)
    if (this.procedures.size >= MAX_PROCEDURES)
      throw new SqlError(1210, 'HY000', `more than ${MAX_PROCEDURES} procedures`)
    this.procedures.set(procedure.name, procedure)
  }

  /** @throws SqlError 1305 */
  dropProcedure(name: string, isLenient: boolean): void {
    if (this.procedures.delete(name) || isLenient) return
    throw new SqlError(1305, '42000', `PROCEDURE ${name} does not exist`)
  }

  /** The metadata account reads system tables alone. @throws SqlError 1142 */
  needAccess(user: string, database: string): void {
    if (user === 'proxyro' && database.toLowerCase() !== 'oceanbase')
      throw new SqlError(1142, '42000', `command denied to user 'proxyro' for '${database}'`)
  }
}
