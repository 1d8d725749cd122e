/**
 * The crash matrix on the table: an operation is interrupted at its writes and remote calls, its executor dead
 * or the call failed, before the effect or after it; and the table throttles a write, or loses the answer to
 * one that it has done. A part of the places, evenly; `npm run test:long` takes all of them.
 */
import { crashSuite } from '../../support/matrix-suites.ts'

await crashSuite('127.15.8.11', Number(process.env['CRASH_STRIDE'] ?? 250))
