/** The other half of the operations of `crash-matrix.test.ts`. */
import { crashSuite } from '../support/matrix-suites.ts'

await crashSuite('127.15.8.18', 1, 2, 1)
