/** All parsers that are fuzzed, one entry each. */
import { STREAM_TARGETS } from './stream-targets.ts'
import type { Target } from './target.ts'
import { TEXT_TARGETS } from './text-targets.ts'
import { WIRE_TARGETS } from './wire-targets.ts'

export const TARGETS: readonly Target[] = [...WIRE_TARGETS, ...STREAM_TARGETS, ...TEXT_TARGETS]
