/**
 * Parameters of a proxy cluster: what may be asked of them, and what a change of them comes to. What is not
 * set is as the proxy has it by default. Pure. Source: management.md §1.9, §3.11.
 */
import { isSameValue, normalise } from '#contract/parameter-values'
import { ALLOWED_VALUES, isReadOnly, PARAMETERS, type Parameter } from '#contract/parameters'
import { isSecret } from '#contract/secret-names'
import { newId } from './ids.ts'
import type { ParameterChange, ParameterHistoryEntry } from './model.ts'
import { pointerOf, type Wrong } from './problem.ts'
import type { ClusterRecord } from './record.ts'

export type Parameters = Readonly<Record<string, string>>

/** What the values of a change are: those of before it, or those of after it. */
type Side = 'before' | 'after'

/** All parameters of a cluster go into each order, which is bounded. */
export const MAX_PARAMETERS_CHARS = 6_000

export function fitsOrder(parameters: Parameters): boolean {
  return JSON.stringify(parameters).length <= MAX_PARAMETERS_CHARS
}

/** Each wrong one by its pointer below `path`. */
export function wrongParameters(parameters: Parameters, path: readonly string[]): readonly Wrong[] {
  return Object.entries(parameters).flatMap(([name, value]) => {
    const reason = whyWrong(name, value)
    return reason === null ? [] : [{ pointer: pointerOf([...path, name]), ...reason }]
  })
}

function whyWrong(name: string, value: string): Omit<Wrong, 'pointer'> | null {
  const parameter = PARAMETERS.get(name)
  if (parameter === undefined) return unknown(name)
  if (isSecret(name))
    return {
      code: 'secret-parameter',
      detail: 'passwords are given by reference, never as a parameter',
    }
  if (isReadOnly(parameter))
    return {
      code: 'parameter-read-only',
      detail: `${name} is given by each node’s place, or is an order and no setting`,
    }
  const allowed = ALLOWED_VALUES.get(name)
  if (allowed !== undefined && !allowed.includes(value))
    return { code: 'invalid-value', detail: `${name} is one of ${allowed.join(', ')}` }
  if (normalise(parameter, value) !== undefined) return null
  return { code: 'invalid-value', detail: `${name} wants ${formOf(parameter)}` }
}

function unknown(name: string): Omit<Wrong, 'pointer'> {
  return { code: 'unknown-parameter', detail: `OBProxy has no parameter ${name.slice(0, 100)}` }
}

function formOf({ type, range }: Parameter): string {
  return range === '' ? type : `${type} in ${range}`
}

export type ParameterEdit = {
  readonly set: Parameters
  /** Back to the default. */
  readonly unset: readonly string[]
}

/** Whatever of an edit is wrong by itself, or with what is set already. */
export function wrongEdit(before: Parameters, edit: ParameterEdit): readonly Wrong[] {
  const wrongUnset = edit.unset.flatMap((name, index): Wrong[] => {
    const pointer = `/unset/${index}`
    if (Object.hasOwn(edit.set, name) || edit.unset.indexOf(name) !== index)
      return [{ pointer, code: 'duplicate-parameter', detail: `${name} is named twice` }]
    // What is set may go, whatever it is by now.
    const isKnown = PARAMETERS.has(name) || Object.hasOwn(before, name)
    return isKnown ? [] : [{ pointer, ...unknown(name) }]
  })
  const wrong = [...wrongParameters(edit.set, ['set']), ...wrongUnset]
  if (wrong.length > 0 || fitsOrder(applied(before, changesOf(before, edit), 'after'))) return wrong
  const detail = `all parameters of a cluster have at most ${MAX_PARAMETERS_CHARS} characters`
  return [{ pointer: '/set', code: 'too-big', detail }]
}

/** What an edit changes, by name; another spelling of the same value is no change. */
export function changesOf(
  before: Parameters,
  { set, unset }: ParameterEdit,
): readonly ParameterChange[] {
  const given = Object.entries(set).flatMap(([name, after]): ParameterChange[] => {
    const was = setValue(before, name)
    const parameter = PARAMETERS.get(name)
    const isSame = was !== null && parameter !== undefined && isSameValue(parameter, was, after)
    return isSame ? [] : [{ name, before: was, after }]
  })
  const gone = unset.flatMap((name): ParameterChange[] => {
    const was = setValue(before, name)
    return was === null ? [] : [{ name, before: was, after: null }]
  })
  return [...given, ...gone].sort((left, right) => (left.name < right.name ? -1 : 1))
}

function setValue(parameters: Parameters, name: string): string | null {
  return Object.hasOwn(parameters, name) ? (parameters[name] ?? null) : null
}

/** The parameters with the values of one side of `changes`. */
export function applied(
  parameters: Parameters,
  changes: readonly ParameterChange[],
  side: Side,
): Parameters {
  const values = new Map(Object.entries(parameters))
  for (const change of changes) {
    const value = change[side]
    if (value === null) values.delete(change.name)
    else values.set(change.name, value)
  }
  return Object.fromEntries(values)
}

/** Whether all that was changed is still, or again, as it was on that side. */
export function isAt(
  parameters: Parameters,
  changes: readonly ParameterChange[],
  side: Side,
): boolean {
  return changes.every(change => setValue(parameters, change.name) === change[side])
}

export function needsRestart(changes: readonly ParameterChange[]): boolean {
  return changes.some(({ name }) => PARAMETERS.get(name)?.needsRestart === true)
}

/**
 * The cluster with other parameters, which its nodes do not have yet. Their number grows on the way back,
 * too: one that came twice would make a node that was not reached look up to date.
 */
export function withParameters(
  cluster: ClusterRecord,
  changes: readonly ParameterChange[],
  side: Side,
): ClusterRecord {
  const { spec, parameterVersion, generation } = cluster
  return {
    ...cluster,
    spec: { ...spec, parameters: applied(spec.parameters, changes, side) },
    parameterVersion: parameterVersion + 1,
    generation: generation + 1,
  }
}

/** An entry of a cluster's history; a return has the changes the other way round. */
export function historyEntry(
  changes: readonly ParameterChange[],
  of: Pick<ParameterHistoryEntry, 'clusterId' | 'actor' | 'operationId' | 'at' | 'isReturn'>,
): ParameterHistoryEntry {
  const turned = changes.map(({ name, before, after }) => ({ name, before: after, after: before }))
  return { ...of, id: newId('history', of.at), changes: of.isReturn ? turned : changes }
}
