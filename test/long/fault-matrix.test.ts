/** Every operation among faults at random, on the table. */
import { faultSuite } from '../support/matrix-suites.ts'

faultSuite('127.15.8.14', 12)
