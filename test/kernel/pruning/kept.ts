/** What a proxy keeps of a statement, when it came before with other values: as if it had. */
import { classify } from '../../../proxy-node/sql/classify.ts'
import type { KeyColumns } from '../../../proxy-node/sql/key-columns.ts'
import { KnownPredicates } from '../../../proxy-node/sql/known-predicates.ts'
import { KnownTexts } from '../../../proxy-node/sql/known-texts.ts'
import { Predicates } from '../../../proxy-node/sql/predicates.ts'
import { type TextValues, VALUE } from '../../../proxy-node/sql/text-values.ts'

const OTHER: Readonly<Record<number, string>> = {
  [VALUE.integer]: '7',
  [VALUE.decimal]: '12345.5',
  [VALUE.text]: 'another text',
  [VALUE.oddText]: "''",
  [VALUE.doubleQuoted]: '',
}

export class KeptReading {
  private readonly texts = new KnownTexts<{ predicates: KnownPredicates | undefined }>(() => ({
    predicates: undefined,
  }))
  private readonly predicates = new Predicates()

  /** Undefined: nothing is kept of such a statement. Good until the next one. */
  of(sql: string, mode: number, columns: KeyColumns): KnownPredicates | undefined {
    const { texts } = this
    const bytes = Buffer.from(sql)
    texts.find(bytes, 0, bytes.length, mode)
    this.come(otherwise(bytes, texts.values), mode, columns)
    const kept = texts.find(bytes, 0, bytes.length, mode)?.use.predicates
    kept?.moveTo(texts.values)
    return kept
  }

  /** Twice: what comes once is not kept. */
  private come(bytes: Uint8Array, mode: number, columns: KeyColumns): void {
    const { texts, predicates } = this
    for (let time = 0; time < 2; time++) {
      const known = texts.find(bytes, 0, bytes.length, mode)
      const statement = classify(bytes, 0, bytes.length, mode)
      const use = (known ?? texts.learn(statement))?.use
      if (use === undefined) continue
      predicates.read({ bytes, to: bytes.length, mode, isCut: false }, statement, columns)
      use.predicates = KnownPredicates.of(predicates, texts.values, columns)
    }
  }
}

function otherwise(bytes: Uint8Array, { count, starts, ends, kinds }: TextValues): Uint8Array {
  const pieces: Uint8Array[] = []
  let at = 0
  for (let value = 0; value < count; value++) {
    pieces.push(bytes.subarray(at, starts[value]), Buffer.from(OTHER[kinds[value] ?? 0] ?? ''))
    at = ends[value] ?? at
  }
  return Buffer.concat([...pieces, bytes.subarray(at)])
}
