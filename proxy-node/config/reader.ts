/** Values of parameters as what they mean: integers, microseconds, bytes, switches. Pure. */
import { magnitude, normalise } from '#contract/parameter-values'
import { knownParameter } from './apply.ts'

export type ParameterReader = {
  /** @throws config.unknown-parameter, as all of them */
  readonly get: (name: string) => string
  readonly isOn: (name: string) => boolean
  /** Integers as they are, times in microseconds, sizes in bytes. */
  readonly number: (name: string) => number
  readonly timeMs: (name: string) => number
}

/** As answers show it: booleans as True and False. @throws config.unknown-parameter */
export function defaultText(name: string): string {
  const parameter = knownParameter(name)
  return normalise(parameter, parameter.default) ?? parameter.default
}

/** Over the texts that `get` says. */
export function readerOf(get: (name: string) => string): ParameterReader {
  const number = (name: string) => magnitude(knownParameter(name).type, get(name)) ?? 0
  return {
    get,
    isOn: name => get(name) === 'True',
    number,
    timeMs: name => number(name) / 1000,
  }
}
