/**
 * The whole of the crash matrix on the table: one half of the operations, the other in a file of its own, so
 * that each can have a core where both are run by hand.
 */
import { crashSuite } from '../support/matrix-suites.ts'

await crashSuite('127.15.8.12', 1, 2)
