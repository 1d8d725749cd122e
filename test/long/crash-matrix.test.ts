/**
 * Every point of the crash matrix on the table, of one half of the operations; the other half is in a file of its
 * own, so that each can have a core where both are run by hand.
 */
import { crashSuite } from '../support/matrix-suites.ts'

await crashSuite('127.15.8.12', 1, 2)
