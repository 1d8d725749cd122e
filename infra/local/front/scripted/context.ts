/** What an application says about itself: module, action, identifier, attributes of its own. */
import type { Cell } from '../codec.ts'
import { SqlError } from './sql-error.ts'

const MAX_ATTRIBUTES = 1_000

export class Context {
  module = ''
  action = ''
  clientIdentifier = ''
  /** By `namespace.attribute`, in small letters. */
  readonly attributes = new Map<string, string>()

  /** SYS_CONTEXT(namespace, attribute); NULL for what nobody has set. */
  value(namespace: Cell, attribute: Cell): Cell {
    const key = keyOf(namespace, attribute)
    const own: Readonly<Record<string, string>> = {
      'userenv.module': this.module,
      'userenv.action': this.action,
      'userenv.client_identifier': this.clientIdentifier,
    }
    const value = own[key] ?? this.attributes.get(key)
    return value === undefined || value === '' ? null : value
  }

  /** @throws SqlError beyond the bound */
  set(namespace: Cell, attribute: Cell, value: Cell): void {
    const key = keyOf(namespace, attribute)
    if (this.attributes.size >= MAX_ATTRIBUTES && !this.attributes.has(key))
      throw new SqlError(1210, 'HY000', `more than ${MAX_ATTRIBUTES} attributes`)
    this.attributes.set(key, String(value ?? ''))
  }

  clear(): void {
    this.module = ''
    this.action = ''
    this.clientIdentifier = ''
    this.attributes.clear()
  }
}

function keyOf(namespace: Cell, attribute: Cell): string {
  return `${namespace}.${attribute}`.toLowerCase()
}

type Procedure = (context: Context, args: readonly Cell[]) => void

/** Procedures that every server has; they answer with an OK. */
export const CONTEXT_PROCEDURES: Readonly<Record<string, Procedure>> = {
  'dbms_application_info.set_module': (context, [module, action]) => {
    context.module = String(module ?? '')
    context.action = String(action ?? '')
  },
  'dbms_application_info.set_action': (context, [action]) => {
    context.action = String(action ?? '')
  },
  'dbms_session.set_identifier': (context, [identifier]) => {
    context.clientIdentifier = String(identifier ?? '')
  },
  'dbms_session.set_context': (context, [namespace, attribute, value]) => {
    context.set(namespace ?? null, attribute ?? null, value ?? null)
  },
}
