/** The other half of the operations of `crash-matrix.test.ts`. */
import { crashSuiteOnMemory } from '../../support/matrix-suites.ts'

crashSuiteOnMemory(1)
