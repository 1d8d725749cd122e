/** Parameters as callers see them: what is known of each, and what a cluster wants of it. Pure. */
import { ALLOWED_VALUES, isReadOnly, PARAMETERS, type Parameter } from '#contract/parameters'
import { isSecret } from '#contract/secret-names'
import type { ParameterDefinition, ParameterValue } from './model.ts'
import type { ReportRecord } from './record.ts'

/** All there are, by name. */
export function definitions(): readonly ParameterDefinition[] {
  return [...PARAMETERS.values()].map(definitionOf)
}

function definitionOf(parameter: Parameter): ParameterDefinition {
  const { name, type, range, needsRestart: waits, takesEffect, meaning } = parameter
  return {
    name,
    type,
    default: parameter.default,
    range,
    allowed: ALLOWED_VALUES.get(name) ?? null,
    needsRestart: waits,
    takesEffect,
    readOnly: isReadOnly(parameter) || isSecret(name),
    meaning,
  }
}

export type Reported = { readonly name: string; readonly report: ReportRecord | null }

/** All there are, with what is wanted of them; `nodes` in the order in which they are to be named. */
export function parameterValues(
  wanted: Readonly<Record<string, string>>,
  nodes: readonly Reported[],
): readonly ParameterValue[] {
  const parameters = new Map(Object.entries(wanted))
  return definitions().map(definition => {
    const { name } = definition
    const value = parameters.get(name) ?? null
    const waiting = nodes.filter(({ report }) => report?.report.pendingRestart?.includes(name))
    return {
      ...definition,
      value: definition.readOnly ? null : (value ?? definition.default),
      isSet: value !== null,
      pendingRestart: waiting.map(node => node.name),
    }
  })
}

/** A part of its name or of its meaning, in any case. */
export function isFound(
  { name, meaning }: Pick<ParameterDefinition, 'name' | 'meaning'>,
  search: string | undefined,
): boolean {
  if (search === undefined) return true
  const wanted = search.toLowerCase()
  return name.includes(wanted) || meaning.toLowerCase().includes(wanted)
}
