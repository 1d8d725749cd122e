/** Every operation among faults at random, on the table: one seed of them; `npm run test:long` takes more. */
import { faultSuite } from '../../support/matrix-suites.ts'

faultSuite('127.15.8.13', Number(process.env['FAULT_SEEDS'] ?? 1))
