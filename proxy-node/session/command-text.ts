/**
 * The text of the command under way: what it means, read, or known from those that came before with other
 * values. Hot path: see the rules.
 */
import { classify, type Statement } from '../sql/classify.ts'
import type { KnownText, KnownTexts } from '../sql/known-texts.ts'
import { HEADER_BYTES } from '../wire/protocol.ts'
import type { TextUse } from './placement.ts'

/** Where a statement begins in its packet. */
const TEXT_AT = HEADER_BYTES + 1

export class CommandText {
  private readonly texts: KnownTexts<TextUse>
  /** Undefined: its text is not kept. */
  known: KnownText<TextUse> | undefined
  private turn = 0

  constructor(texts: KnownTexts<TextUse>) {
    this.texts = texts
  }

  begin(): void {
    this.known = undefined
  }

  /** Of what is not whole nothing is kept: what is still to come may change what it means. */
  read(head: Uint8Array, mode: number, isWhole: boolean): Statement {
    const { texts } = this
    this.known = isWhole ? texts.find(head, TEXT_AT, head.length, mode) : undefined
    this.turn = texts.turn
    if (this.known !== undefined) return this.known.statement
    const meaning = classify(head, TEXT_AT, head.length, mode)
    if (isWhole) this.known = texts.learn(meaning)
    return meaning
  }

  /** The same while no other text was looked for: where its values are is known, too. */
  get atHand(): KnownText<TextUse> | undefined {
    return this.turn === this.texts.turn ? this.known : undefined
  }
}
