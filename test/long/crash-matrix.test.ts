/** The whole of the crash matrix on the table. */
import { crashSuite } from '../support/matrix-suites.ts'

await crashSuite('127.15.8.12', 1)
