/** An error by its code: what it means is in the catalogue (`faults.ts`), what happened in its facts. */
import { FAULTS, type FaultEntry } from './faults.ts'

export type FaultCode = keyof typeof FAULTS

/** A coded error with the facts of this case; `message` is the catalogue's text with the facts filled in. */
export class Fault extends Error {
  readonly code: FaultCode
  readonly facts: Readonly<Record<string, string | number>>

  constructor(
    code: FaultCode,
    facts: Readonly<Record<string, string | number>> = {},
    options?: ErrorOptions,
  ) {
    super(fill(FAULTS[code].says, facts), options)
    this.name = 'Fault'
    this.code = code
    this.facts = facts
  }

  get entry(): FaultEntry {
    return FAULTS[this.code]
  }
}

function fill(template: string, facts: Readonly<Record<string, string | number>>): string {
  return template.replace(/\{(\w+)\}/g, (whole, name: string) => String(facts[name] ?? whole))
}
