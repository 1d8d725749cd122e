/** Nodes of an arena as text, so that tests can compare trees: `(= #0 1)`. */
import { type Expressions, NO_NODE, NODE } from '../../proxy-node/sql/expressions.ts'

const NAMES = new Map<number, string>(Object.entries(NODE).map(([name, kind]) => [kind, name]))

const MARKS: Readonly<Record<string, string>> = {
  equal: '=',
  nullSafeEqual: '<=>',
  notEqual: '<>',
  less: '<',
  lessOrEqual: '<=',
  greater: '>',
  greaterOrEqual: '>=',
  add: '+',
  subtract: '-',
  multiply: '*',
  divide: '/',
  quotient: 'div',
  modulo: '%',
  negate: 'neg',
  bitAnd: '&',
  bitOr: '|',
  bitXor: '^',
  shiftLeft: '<<',
  shiftRight: '>>',
  bitNot: '~',
  unknown: '?',
  otherColumn: '?',
  concat: '||',
  unknownCondition: '??',
  nullValue: 'null',
  trueValue: 'true',
  falseValue: 'false',
  defaultValue: 'default',
}

const EXTRA_SHOWN = new Set(['text', 'hex', 'bits', 'call'])

/** A node and all below it; columns are `#n`, parameters `$n`, texts `'..'` with `!form` when they have one. */
export function expressionText(expressions: Expressions, node: number): string {
  if (node === NO_NODE) return 'none'
  const name = NAMES.get(expressions.kind(node)) ?? 'invalid'
  const children: string[] = []
  for (let child = expressions.first(node); child !== NO_NODE; child = expressions.next(child))
    children.push(expressionText(expressions, child))
  const extra = expressions.extra(node)
  const form = EXTRA_SHOWN.has(name) && extra !== 0 ? `!${extra}` : ''
  const head = leafText(expressions, node, name) + form
  return children.length === 0 && name !== 'call' ? head : `(${[head, ...children].join(' ')})`
}

function leafText(expressions: Expressions, node: number, name: string): string {
  const text = expressions.text(node)
  if (name === 'column') return `#${expressions.extra(node)}`
  if (name === 'parameter') return `$${expressions.extra(node)}`
  if (name === 'text') return `'${text}'`
  if (name === 'hex' || name === 'bits') return `${name}:${text}`
  if (name === 'userVariable') return `@${text}`
  if (name === 'collate' || name === 'introduced') return `${name}:${text.toLowerCase()}`
  if (name === 'integer' || name === 'decimal' || name === 'word' || name === 'call') return text
  if (name === 'double') return `${text}d`
  return MARKS[name] ?? name
}
