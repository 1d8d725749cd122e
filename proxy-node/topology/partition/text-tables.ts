/**
 * The tables that texts are converted and compared by. Each takes some milliseconds to make, which no
 * statement is to wait for: a worker makes them before it serves. All take less than 1.5 MB.
 */
import { pairsOfGbk } from './charsets.ts'
import { weightsOf } from './weights.ts'

export function makeTextTables(): void {
  pairsOfGbk()
  weightsOf('general')
  weightsOf('unicode')
  weightsOf('unicode520')
  weightsOf('uca900')
}
