/**
 * Where a server's answer to a command ends, and whether a transaction is open then: what the relay
 * has to know to close a client between its transactions. No part of an answer is kept.
 */
import { COMMAND, STATUS, takeLenenc } from './wire.ts'

type Expecting =
  | { readonly kind: 'head' }
  | { readonly kind: 'prepared' }
  | { readonly kind: 'text' }
  /** Packets up to as many ends of lists. */
  | { readonly kind: 'lists'; left: number }

export class AnswerEnd {
  isInTransaction = false
  private expecting: Expecting | undefined

  get isOpen(): boolean {
    return this.expecting !== undefined
  }

  /** To be called for each command before its answer. */
  asked(command: number): void {
    if (command === COMMAND.sendLongData || command === COMMAND.closeStatement) return
    if (command === COMMAND.prepare) this.expecting = { kind: 'prepared' }
    else if (command === COMMAND.statistics) this.expecting = { kind: 'text' }
    else if (command === COMMAND.fieldList || command === COMMAND.fetch)
      this.expecting = { kind: 'lists', left: 1 }
    else this.expecting = { kind: 'head' }
  }

  /** True when this packet was the last one of the answer. */
  took(payload: Buffer): boolean {
    const { expecting } = this
    if (expecting === undefined) return false
    const isEnd =
      payload[0] === 0xff || expecting.kind === 'text' || this.advance(payload, expecting)
    if (isEnd) this.expecting = undefined
    return isEnd
  }

  private advance(payload: Buffer, expecting: Exclude<Expecting, { kind: 'text' }>): boolean {
    if (expecting.kind === 'lists') return this.inLists(payload, expecting)
    if (expecting.kind === 'prepared') return this.prepared(payload)
    if (payload[0] === 0x00) return this.settled(okStatus(payload))
    this.expecting = { kind: 'lists', left: 2 }
    return false
  }

  private inLists(payload: Buffer, lists: { left: number }): boolean {
    const isEof = payload[0] === 0xfe && payload.length < 9
    if (!isEof) return false
    const status = payload.readUInt16LE(3)
    // Rows that a cursor holds back come with a command of their own.
    lists.left = (status & STATUS.cursorExists) === 0 ? lists.left - 1 : 0
    return lists.left === 0 && this.settled(status)
  }

  private prepared(payload: Buffer): boolean {
    const lists = [payload.readUInt16LE(5), payload.readUInt16LE(7)].filter(count => count > 0)
    this.expecting = { kind: 'lists', left: lists.length }
    return lists.length === 0
  }

  private settled(status: number): boolean {
    this.isInTransaction = (status & STATUS.inTransaction) !== 0
    if ((status & STATUS.moreResults) === 0) return true
    this.expecting = { kind: 'head' }
    return false
  }
}

export function okStatus(payload: Buffer): number {
  const [, insertIdAt] = takeLenenc(payload, 1)
  const [, statusAt] = takeLenenc(payload, insertIdAt)
  return payload.readUInt16LE(statusAt)
}
