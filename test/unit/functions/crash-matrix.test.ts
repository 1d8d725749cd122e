/**
 * Every operation, interrupted at every write and every remote call in turn: the executor dies there, or
 * the call fails and it lives on; before the effect, or after it. The sweeper alone must bring the
 * operation to the end that it would have had, with no lock left and nothing done twice. One half of them;
 * the other is in a file of its own, so that both cores have something to do.
 */
import { crashSuiteOnMemory } from '../../support/matrix-suites.ts'

crashSuiteOnMemory(0)
