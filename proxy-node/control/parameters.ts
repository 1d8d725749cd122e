/** What differs between the parameters a proxy has and those it should have. Pure. */
import type { DesiredNode } from '#contract/node-state'
import { FIXED_AT_START, PARAMETERS } from '#contract/parameters'
import { isSecret } from '#contract/secret-names'

export type Change = { readonly name: string; readonly value: string }

/**
 * Assignments that bring `running` to `desired`: those that differ, and defaults for names that were
 * set by us before (`formerNames`) and are desired no more.
 */
export function parameterChanges(
  running: ReadonlyMap<string, string>,
  desired: DesiredNode['parameters'],
  formerNames: readonly string[],
): readonly Change[] {
  const wanted = new Map(Object.entries(desired))
  for (const name of formerNames) {
    const parameter = PARAMETERS.get(name)
    if (!wanted.has(name) && parameter !== undefined) wanted.set(name, parameter.default)
  }
  return [...wanted]
    .filter(([name]) => !FIXED_AT_START.has(name) && !isSecret(name))
    .filter(([name, value]) => !isSame(name, running.get(name), value))
    .map(([name, value]) => ({ name, value }))
    .sort((left, right) => (left.name < right.name ? -1 : 1))
}

/** Assignments of those of `wanted` that differ. */
export function differing(
  running: ReadonlyMap<string, string>,
  wanted: ReadonlyMap<string, string>,
): readonly Change[] {
  return [...wanted]
    .filter(([name, value]) => !isSame(name, running.get(name), value))
    .map(([name, value]) => ({ name, value }))
}

/** Spelling of values that checksums and comparisons use: booleans and blanks in one way. */
export function canonicalValue(name: string, value: string): string {
  const text = value.trim()
  if (PARAMETERS.get(name)?.type !== 'bool') return text
  return ['true', '1', 'on', 'yes', 't'].includes(text.toLowerCase()) ? 'true' : 'false'
}

/** A parameter that is not there is never the same. */
export function isSame(name: string, running: string | undefined, wanted: string): boolean {
  return running !== undefined && canonicalValue(name, running) === canonicalValue(name, wanted)
}
