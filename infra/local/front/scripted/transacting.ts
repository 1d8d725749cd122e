/**
 * Which transaction a session is in and how it got there: BEGIN, autocommit, savepoints, the
 * characteristics of the next one, and XA branches, which belong to the world once they are
 * prepared. Source: proxy-protocol.md §5.1, proxy-protocol-tried.md A8.
 */
import { SqlError } from './sql-error.ts'
import { Transaction } from './transaction.ts'
import type { Variables } from './variables.ts'
import type { World } from './world.ts'

export type Characteristics = {
  readonly isReadOnly: boolean | undefined
  readonly isolation: string | undefined
}

type Branch = { readonly xid: string; readonly state: 'ACTIVE' | 'IDLE' }

const EXECUTED = 'ob_proxy_set_trx_executed'

export class Transacting {
  private readonly world: World
  private readonly variables: () => Variables
  private transaction: Transaction | undefined
  private isOpen = false
  private isReadOnly = false
  /** Of SET TRANSACTION: until the transaction that uses it has ended. */
  private next: Characteristics | undefined
  private branch: Branch | undefined

  constructor(world: World, variables: () => Variables) {
    this.world = world
    this.variables = variables
  }

  /** BEGIN was said, or a change made without autocommit. */
  get isInTransaction(): boolean {
    return this.isOpen
  }

  /** With autocommit and outside a transaction a statement is one of its own. */
  get isAlone(): boolean {
    return this.variables().isAutocommit && !this.isOpen
  }

  /** @throws SqlError 1399 */
  async begin(isReadOnly: boolean): Promise<void> {
    this.needNoBranch()
    await this.commit()
    this.enter(isReadOnly || this.next?.isReadOnly === true)
  }

  /** @throws SqlError 1399 */
  async commit(): Promise<void> {
    this.needNoBranch()
    const { transaction } = this
    this.leave()
    transaction?.commit()
    if (transaction !== undefined) await this.world.database.saved()
  }

  /** @throws SqlError 1399 */
  rollback(): void {
    this.needNoBranch()
    this.end()
  }

  /** Gives everything up that is not prepared. */
  end(): void {
    const { transaction } = this
    this.branch = undefined
    this.leave()
    transaction?.end()
  }

  /** Changes rows, in the open transaction or in one of its own. @throws SqlError 1399, 1792 */
  async change<Changed>(make: (transaction: Transaction) => Changed): Promise<Changed> {
    this.needUsableBranch()
    const { isAlone } = this
    if (this.mayOnlyRead)
      throw new SqlError(1792, '25006', 'Cannot execute statement in a READ ONLY transaction')
    this.transaction ??= this.fresh()
    try {
      const changed = make(this.transaction)
      if (isAlone) await this.commit()
      else if (!this.isOpen) this.enter(false)
      return changed
    } catch (error) {
      if (isAlone) this.end()
      throw error
    }
  }

  /** What a statement that only reads a table sees. @throws SqlError 1399 */
  reading(): Transaction {
    this.needUsableBranch()
    if (this.isAlone) this.consume()
    return this.transaction ?? this.fresh()
  }

  /** Locks rows by changing them to what they are; outside a transaction nothing is locked. */
  lock(make: (transaction: Transaction) => void): void {
    if (this.isAlone) return
    this.transaction ??= this.fresh()
    make(this.transaction)
    if (!this.isOpen) this.enter(false)
  }

  /** SET TRANSACTION without SESSION. @throws SqlError 1568 */
  plan(next: Characteristics): void {
    if (this.isOpen)
      throw new SqlError(
        1568,
        '25001',
        "Transaction characteristics can't be changed while a transaction is in progress",
      )
    this.next = next
    this.variables().setService(EXECUTED, 'ON')
  }

  savepoint(name: string): void {
    // Outside a transaction it is gone at once.
    if (this.isAlone) return
    this.transaction ??= this.fresh()
    this.transaction.savepoint(name.toLowerCase())
    if (!this.isOpen) this.enter(false)
  }

  /** @throws SqlError 1305 */
  toSavepoint(verb: 'rollback-to' | 'release', name: string): void {
    const key = name.toLowerCase()
    const { transaction } = this
    const isFound = verb === 'release' ? transaction?.release(key) : transaction?.rollbackTo(key)
    if (isFound !== true) throw new SqlError(1305, '42000', `SAVEPOINT ${name} does not exist`)
  }

  /** @throws SqlError 1399, 1400, 1440 */
  startBranch(xid: string): void {
    this.needNoBranch()
    if (this.isOpen)
      throw new SqlError(
        1400,
        'XAE09',
        'XAER_OUTSIDE: Some work is done outside global transaction',
      )
    if (this.world.branches.has(xid))
      throw new SqlError(1440, 'XAE08', 'XAER_DUPID: The XID already exists')
    this.branch = { xid, state: 'ACTIVE' }
    this.enter(false)
  }

  endBranch(xid: string): void {
    this.needBranch(xid, 'ACTIVE')
    this.branch = { xid, state: 'IDLE' }
  }

  /** From here on any session may end it. */
  prepareBranch(xid: string): void {
    this.needBranch(xid, 'IDLE')
    const transaction = this.transaction ?? this.fresh()
    this.world.keepBranch(xid, transaction)
    this.transaction = undefined
    this.branch = undefined
    this.leave()
  }

  async commitBranch(xid: string, isOnePhase: boolean): Promise<void> {
    if (isOnePhase) {
      this.needBranch(xid, 'IDLE')
      this.branch = undefined
      await this.commit()
      return
    }
    this.needNoBranch()
    this.world.takeBranch(xid).commit()
    await this.world.database.saved()
  }

  rollbackBranch(xid: string): void {
    if (this.branch?.xid === xid) {
      this.needBranch(xid, 'IDLE')
      this.end()
      return
    }
    this.needNoBranch()
    this.world.takeBranch(xid).end()
  }

  private get mayOnlyRead(): boolean {
    if (this.isOpen) return this.isReadOnly
    return this.next?.isReadOnly ?? this.variables().value('tx_read_only') === 1
  }

  private fresh(): Transaction {
    return new Transaction(this.world.database, this.world.locks)
  }

  private enter(isReadOnly: boolean): void {
    this.isOpen = true
    this.isReadOnly = isReadOnly
  }

  private leave(): void {
    if (this.isOpen || this.transaction !== undefined) this.consume()
    this.transaction = undefined
    this.isOpen = false
    this.isReadOnly = false
  }

  private consume(): void {
    if (this.next === undefined) return
    this.next = undefined
    this.variables().setService(EXECUTED, 'OFF')
  }

  private needNoBranch(): void {
    if (this.branch !== undefined) throw wrongState(this.branch.state)
  }

  private needUsableBranch(): void {
    if (this.branch?.state === 'IDLE') throw wrongState('IDLE')
  }

  private needBranch(xid: string, state: Branch['state']): void {
    if (this.branch === undefined) throw wrongState('NON-EXISTING')
    if (this.branch.xid !== xid) throw unknownBranch()
    if (this.branch.state !== state) throw wrongState(this.branch.state)
  }
}

function wrongState(state: string): SqlError {
  const text = `The command cannot be executed when global transaction is in the  ${state} state`
  return new SqlError(1399, 'XAE07', `XAER_RMFAIL: ${text}`)
}

export function unknownBranch(): SqlError {
  return new SqlError(1397, 'XAE04', 'XAER_NOTA: Unknown XID')
}
