/**
 * Operators and words of MySQL's expressions: how tightly they bind, and what may follow an operand.
 * Source: MySQL manual, "Operator Precedence"; proxy-routing.md §5.8.
 */
import { CALL_FORM, NODE, type NodeKind } from './expressions.ts'
import { LEXER_MODE, type Lexer, TOKEN, WordTable } from './lexer.ts'

/** No operator. */
export const NO_OPERATOR = 0

/** How tightly operators bind; a higher one binds tighter. */
export const LEVEL = {
  or: 1,
  xor: 2,
  and: 3,
  not: 4,
  comparison: 5,
  predicate: 6,
  bitOr: 7,
  bitAnd: 8,
  shift: 9,
  sum: 10,
  product: 11,
  bitXor: 12,
  concatenation: 13,
  unary: 14,
  collation: 15,
} as const

/**
 * Operators go by the kind of the node that they make. Some stand for a group: `isNull` for IS, `not`
 * for NOT before IN, BETWEEN and LIKE, `unknownCondition` for REGEXP.
 */
const LEVELS = Uint8Array.from({ length: 256 })
for (const [level, kinds] of [
  [LEVEL.or, [NODE.or]],
  [LEVEL.xor, [NODE.xor]],
  [LEVEL.and, [NODE.and]],
  [
    LEVEL.comparison,
    [
      ...[NODE.equal, NODE.nullSafeEqual, NODE.notEqual, NODE.isNull],
      ...[NODE.less, NODE.lessOrEqual, NODE.greater, NODE.greaterOrEqual],
    ],
  ],
  [LEVEL.predicate, [NODE.in, NODE.between, NODE.like, NODE.not, NODE.unknownCondition]],
  [LEVEL.bitOr, [NODE.bitOr]],
  [LEVEL.bitAnd, [NODE.bitAnd]],
  [LEVEL.shift, [NODE.shiftLeft, NODE.shiftRight]],
  [LEVEL.sum, [NODE.add, NODE.subtract]],
  [LEVEL.product, [NODE.multiply, NODE.divide, NODE.quotient, NODE.modulo]],
  [LEVEL.bitXor, [NODE.bitXor]],
  [LEVEL.concatenation, [NODE.concat]],
  [LEVEL.collation, [NODE.collate]],
] as const)
  for (const kind of kinds) LEVELS[kind] = level

export function levelOf(operator: number): number {
  return LEVELS[operator] as number
}

const WORDS = new WordTable<NodeKind>({
  or: NODE.or,
  xor: NODE.xor,
  and: NODE.and,
  is: NODE.isNull,
  in: NODE.in,
  between: NODE.between,
  like: NODE.like,
  not: NODE.not,
  regexp: NODE.unknownCondition,
  rlike: NODE.unknownCondition,
  div: NODE.quotient,
  mod: NODE.modulo,
  collate: NODE.collate,
})

const SIGN_OPERATORS: Readonly<Record<string, NodeKind>> = {
  '=': NODE.equal,
  '<=>': NODE.nullSafeEqual,
  '!=': NODE.notEqual,
  '<>': NODE.notEqual,
  '<': NODE.less,
  '<=': NODE.lessOrEqual,
  '>': NODE.greater,
  '>=': NODE.greaterOrEqual,
  '<<': NODE.shiftLeft,
  '>>': NODE.shiftRight,
  '|': NODE.bitOr,
  '||': NODE.or,
  '&': NODE.bitAnd,
  '&&': NODE.and,
  '^': NODE.bitXor,
  '+': NODE.add,
  '-': NODE.subtract,
  '*': NODE.multiply,
  '/': NODE.divide,
  '%': NODE.modulo,
}

/** By their bytes, the first one lowest. */
const SIGNS = new Map(Object.entries(SIGN_OPERATORS).map(([sign, kind]) => [packed(sign), kind]))

const PIPES = packed('||')
const MOST_SIGNS = 3

function packed(sign: string): number {
  return Buffer.from(sign).reduceRight((key, byte) => key * 256 + byte, 0)
}

/** The operator that begins at the current token; NO_OPERATOR when there is none. */
export function operatorAt(lexer: Lexer): NodeKind | typeof NO_OPERATOR {
  if (lexer.type === TOKEN.word) return WORDS.lookup(lexer) ?? NO_OPERATOR
  if (lexer.type !== TOKEN.sign) return NO_OPERATOR
  for (let length = MOST_SIGNS; length > 0; length--) {
    const key = signsOf(lexer, length)
    const found = SIGNS.get(key)
    if (found === undefined) continue
    return key === PIPES && lexer.has(LEXER_MODE.pipesAsConcat) ? NODE.concat : found
  }
  return NO_OPERATOR
}

/** Steps over the operator at the current token. */
export function stepOverOperator(lexer: Lexer): void {
  if (lexer.type === TOKEN.sign) {
    let length = MOST_SIGNS
    while (length > 1 && !SIGNS.has(signsOf(lexer, length))) length -= 1
    lexer.resume(lexer.start + length)
  }
  lexer.next()
}

/** 0 behind the end, which no sign has. */
function signsOf({ bytes, start, to }: Lexer, length: number): number {
  if (start + length > to) return 0
  let key = 0
  for (let index = length - 1; index >= 0; index--)
    key = key * 256 + (bytes[start + index] as number)
  return key
}

/** Words that end an expression, because they begin or join a clause. */
export const ENDS = new WordTable<true>(
  Object.fromEntries(
    [
      ...[
        'where',
        'for',
        'limit',
        'group',
        'having',
        'order',
        'window',
        'union',
        'except',
        'intersect',
      ],
      ...[
        'minus',
        'lock',
        'into',
        'set',
        'on',
        'using',
        'as',
        'when',
        'then',
        'else',
        'end',
        'join',
      ],
      ...['inner', 'left', 'right', 'full', 'cross', 'natural', 'straight_join', 'values', 'value'],
      ...['from', 'procedure', 'asc', 'desc', 'separator', 'returning', 'fetch', 'offset'],
    ].map(word => [word, true as const]),
  ),
)

/** What a word at an operand's place means, if what follows it fits. */
export const OPERAND = {
  not: 1,
  /** NULL, TRUE, FALSE, DEFAULT. */
  literal: 2,
  /** DATE '..', TIME '..', TIMESTAMP '..' */
  temporal: 3,
  /** N'..', x'..', b'..' */
  prefix: 4,
  interval: 5,
  case: 6,
  binary: 7,
  row: 8,
  /** A function that is called without parentheses. */
  bareCall: 9,
} as const

export type OperandWord = {
  readonly meaning: (typeof OPERAND)[keyof typeof OPERAND]
  /** Of the node that it makes. */
  readonly kind: NodeKind
}

const BARE_CALL: OperandWord = { meaning: OPERAND.bareCall, kind: NODE.call }

export const OPERAND_WORDS = new WordTable<OperandWord>({
  not: { meaning: OPERAND.not, kind: NODE.not },
  null: { meaning: OPERAND.literal, kind: NODE.nullValue },
  true: { meaning: OPERAND.literal, kind: NODE.trueValue },
  false: { meaning: OPERAND.literal, kind: NODE.falseValue },
  default: { meaning: OPERAND.literal, kind: NODE.defaultValue },
  date: { meaning: OPERAND.temporal, kind: NODE.dateText },
  time: { meaning: OPERAND.temporal, kind: NODE.timeText },
  timestamp: { meaning: OPERAND.temporal, kind: NODE.timestampText },
  n: { meaning: OPERAND.prefix, kind: NODE.text },
  x: { meaning: OPERAND.prefix, kind: NODE.hex },
  b: { meaning: OPERAND.prefix, kind: NODE.bits },
  interval: { meaning: OPERAND.interval, kind: NODE.interval },
  case: { meaning: OPERAND.case, kind: NODE.unknown },
  binary: { meaning: OPERAND.binary, kind: NODE.call },
  row: { meaning: OPERAND.row, kind: NODE.row },
  current_date: BARE_CALL,
  current_time: BARE_CALL,
  current_timestamp: BARE_CALL,
  localtime: BARE_CALL,
  localtimestamp: BARE_CALL,
  utc_date: BARE_CALL,
  utc_time: BARE_CALL,
  utc_timestamp: BARE_CALL,
})

/** How the arguments of a function are written. */
export const ARGUMENTS = { extract: 1, cast: 2, trim: 3, substring: 4, unitFirst: 5 } as const

export const SPECIAL_CALLS = new WordTable<number>({
  extract: ARGUMENTS.extract,
  cast: ARGUMENTS.cast,
  convert: ARGUMENTS.cast,
  trim: ARGUMENTS.trim,
  substring: ARGUMENTS.substring,
  substr: ARGUMENTS.substring,
  mid: ARGUMENTS.substring,
  timestampadd: ARGUMENTS.unitFirst,
  timestampdiff: ARGUMENTS.unitFirst,
})

/** What TRIM takes away, as CALL_FORM. */
export const TRIM_SIDES = new WordTable<number>({
  leading: CALL_FORM.leading,
  trailing: CALL_FORM.trailing,
  both: CALL_FORM.both,
})
