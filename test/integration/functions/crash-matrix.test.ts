/**
 * The crash matrix on the table: an operation is interrupted at its writes and remote calls, its executor dead
 * or the call failed, before the effect or after it; and the table throttles a write, or loses the answer to
 * one that it has done. Of every sixth operation a part of the places, evenly; `npm run test:long` takes all of all.
 */
import { crashSuite } from '../../support/matrix-suites.ts'

await crashSuite('127.15.8.11', Number(process.env['CRASH_STRIDE'] ?? 100), 6)
