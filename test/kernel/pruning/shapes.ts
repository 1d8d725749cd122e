/**
 * Shapes in which people and frameworks write `column = value`, beyond the plain ones of predicates.ts:
 * each one that the kernel prunes is computed too, or is in the test's table of excused ones.
 */
import type { Dice } from '../../differential/dice.ts'
import type { Family } from './columns.ts'

/** What a shape is made for: a column and a literal that it is compared with. */
export type Equality = {
  readonly name: string
  readonly family: Family
  readonly literal: string
  /** `||` joins texts. */
  readonly isConcat: boolean
}

export type Shape = {
  readonly name: string
  /** Of the condition; undefined when the shape does not fit. */
  readonly of: (equality: Equality, dice: Dice) => string | undefined
  /** Of the value alone, where that is all that is special. */
  readonly value?: (family: Family, literal: string, dice: Dice) => string | undefined
}

/** A value written otherwise; undefined when it does not fit. */
type Writing = (literal: string, dice: Dice) => string | undefined

const MOST_SIGNED = 2n ** 63n - 1n
const MOST_EXACT = 2n ** 53n

const isWhole = (literal: string) => /^-?\d+$/.test(literal)
const isPlainText = (literal: string) => /^'[^'\\]*'$/.test(literal)
const inner = (literal: string) => literal.slice(1, -1)

/** Of a value in the families. */
function valued(name: string, families: readonly Family[], writing: Writing): Shape {
  const value = (family: Family, literal: string, dice: Dice) =>
    families.includes(family) ? writing(literal, dice) : undefined
  return {
    name,
    value,
    of: ({ name: column, family, literal }, dice) => {
      const written = value(family, literal, dice)
      if (written === undefined) return undefined
      return dice.chance(0.8) ? `${column} = ${written}` : `${column} in (${written})`
    },
  }
}

function around(name: string, forms: readonly string[]): Shape {
  return {
    name,
    of: ({ name: column, literal }, dice) =>
      dice
        .pick(forms)
        .replaceAll('K', column)
        .replaceAll('V', () => literal),
  }
}

const whole =
  (forms: readonly string[], most = MOST_SIGNED): Writing =>
  (literal, dice) => {
    const value = isWhole(literal) ? BigInt(literal) : most + 1n
    const fits = value <= most && value >= -most
    return fits ? dice.pick(forms).replaceAll('V', literal) : undefined
  }

const positive =
  (forms: readonly string[]): Writing =>
  (literal, dice) => {
    const fits = /^\d+$/.test(literal) && BigInt(literal) < MOST_SIGNED
    const next = fits ? String(BigInt(literal) + 1n) : ''
    return fits ? dice.pick(forms).replaceAll('V+1', next).replaceAll('V', literal) : undefined
  }

const texts =
  (forms: readonly string[]): Writing =>
  (literal, dice) =>
    isPlainText(literal) ? dice.pick(forms).replaceAll('V', () => literal) : undefined

/** In two or three pieces. */
function pieces(literal: string, dice: Dice): readonly string[] {
  const all = [...inner(literal)]
  const cut = dice.below(all.length + 1)
  const parts = [all.slice(0, cut).join(''), all.slice(cut).join('')]
  return dice.chance(0.3) ? [...parts, ''] : parts
}

const DAY = /^(?:date)?'(\d{4})-(\d\d)-(\d\d)'$/
const MOMENT = /^'(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)((?:\.\d+)?)'$/

/** A day otherwise: as numbers, with other signs, with fewer digits. */
function dayForm(literal: string, dice: Dice): string | undefined {
  const [, year = '', month = '', day = ''] = DAY.exec(literal) ?? []
  if (year === '') return undefined
  const isNear = year >= '1970' && year <= '2069'
  const short = isNear
    ? [`'${year.slice(2)}-${month}-${day}'`, `${year.slice(2)}${month}${day}`]
    : []
  return dice.pick([
    `${year}${month}${day}`,
    `'${year}${month}${day}'`,
    `${year}${month}${day}e0`,
    `'${year}/${month}/${day}'`,
    `'${year}.${Number(month)}.${Number(day)}'`,
    `'${year}*${month}+${day}'`,
    `'${year}--${month}--${day}'`,
    `' ${year}-${month}-${day} '`,
    `'${year}-${month}-${day} 00:00'`,
    ...short,
  ])
}

function momentForm(literal: string, dice: Dice): string | undefined {
  const [, year, month, day, hour, minute, second, fraction = ''] = MOMENT.exec(literal) ?? []
  if (year === undefined) return dayForm(literal, dice)
  return dice.pick([
    `${year}${month}${day}${hour}${minute}${second}${fraction}`,
    `'${year}${month}${day}${hour}${minute}${second}${fraction}'`,
    `'${year}/${month}/${day}T${hour}:${minute}:${second}${fraction}'`,
    `'${year}^${month}^${day} ${hour}-${minute}-${second}'`,
    `'${year}.${month}.${day} ${hour}.${minute}.${second}'`,
    `timestamp'${year}-${month}-${day} ${hour}:${minute}:${second}${fraction}'`,
    `'${year}-${month}-${day}  ${Number(hour)}:${Number(minute)}:${Number(second)}${fraction}'`,
  ])
}

function dateCall(literal: string, dice: Dice, isDate: boolean): string | undefined {
  const day = literal.replace(/^date/, '')
  if (!DAY.test(day) && !MOMENT.test(day)) return undefined
  // A DATE column is not compared with a time of day here: see the excused shapes.
  const clock = isDate ? [] : ['hour', 'minute', 'second']
  const unit = dice.pick(['day', 'week', 'month', 'quarter', 'year', ...clock])
  const amount = dice.below(40) - 20
  return dice.pick([
    `cast(${day} as date)`,
    `cast(${day} as datetime)`,
    `cast(${day} as datetime(${dice.below(7)}))`,
    `convert(${day}, datetime)`,
    `date(${day})`,
    `timestamp(${day})`,
    `last_day(${day})`,
    `from_days(to_days(${day}))`,
    `makedate(year(${day}), dayofyear(${day}))`,
    `date_add(${day}, interval ${amount} ${unit})`,
    `date_sub(${day}, interval ${amount} ${unit})`,
    `adddate(${day}, ${amount})`,
    `subdate(${day}, ${amount})`,
    `${day} + interval ${amount} ${unit}`,
    `cast(${day} as date) - interval ${amount} ${unit}`,
  ])
}

export const SHAPES: readonly Shape[] = [
  valued(
    'CAST of an integer',
    ['integer'],
    whole([
      ...[
        "cast('V' as signed)",
        'cast(V as signed integer)',
        "convert('V', signed)",
        'cast(V as char)',
      ],
      ...[
        "cast('V.4' as signed)",
        "cast('Vabc' as signed)",
        'cast(V.4 as signed)',
        'cast(V as char(30))',
      ],
      ...['cast(cast(V as char) as signed)', "convert('V' using utf8mb4)", 'cast(V as unsigned)'],
      ...["cast('V' as unsigned)", "binary 'V'", "cast('V' as binary)"],
    ]),
  ),
  valued('CAST of a decimal', ['decimal'], literal =>
    /^-?[\d.]+$/.test(literal) ? `cast('${literal}' as decimal(40, 10))` : undefined,
  ),
  valued(
    'CAST of a text',
    ['text'],
    texts([
      ...['cast(V as char)', 'cast(V as char(250))', 'cast(V as nchar)', 'convert(V, char)'],
      ...['cast(V as char(3))', 'convert(V using utf8mb4)'],
    ]),
  ),
  valued('texts side by side', ['text', 'date', 'datetime'], (literal, dice) =>
    isPlainText(literal)
      ? pieces(literal, dice)
          .map(piece => `'${piece}'`)
          .join(' ')
      : undefined,
  ),
  valued('CONCAT', ['text'], (literal, dice) =>
    isPlainText(literal)
      ? `concat(${pieces(literal, dice)
          .map(piece => `'${piece}'`)
          .join(', ')})`
      : undefined,
  ),
  {
    name: '|| of texts (PIPES_AS_CONCAT)',
    of: ({ name, family, literal, isConcat }, dice) =>
      isConcat && family === 'text' && isPlainText(literal)
        ? `${name} = ${pieces(literal, dice)
            .map(piece => `'${piece}'`)
            .join(' || ')}`
        : undefined,
  },
  {
    name: '|| as OR',
    of: ({ name, literal, isConcat }, dice) =>
      isConcat
        ? undefined
        : `(${dice.pick([`${name} = ${literal} || 0`, `1 = 2 || ${name} = ${literal}`])})`,
  },
  valued(
    'IF, IFNULL, COALESCE, NULLIF of integers',
    ['integer'],
    whole([
      ...['if(1, V, 0)', 'if(0, 1, V)', 'if(1 > 2, 3, V)', 'if(null, 3, V)', "if('a' = 'b', 3, V)"],
      ...['ifnull(null, V)', 'coalesce(null, V, 3)', 'nullif(V, null)', 'if(not 0, V, 3)'],
    ]),
  ),
  valued(
    'IF of texts',
    ['text'],
    texts(["if(1, V, 'x')", "if(1 > 2, 'x', V)", 'ifnull(null, V)', 'nullif(V, null)']),
  ),
  valued(
    'operators on integers',
    ['integer'],
    positive([
      ...['~-V+1', '~~V', 'V | 0', 'V & ~0', 'V ^ 0', 'V << 0', 'V >> 0', '-(-V)', '- -V', '+V'],
      ...['V+1 - 1', 'V * 1', 'V div 1', '(V)', '((V))', 'V % V+1', '!(!V) * 0 + V'],
    ]),
  ),
  valued(
    'texts in sums',
    ['integer'],
    whole(["'V' + 0", "'V' * 1", "0 - -'V'", '-(-V)'], MOST_EXACT),
  ),
  around('NOT', [
    ...['not (K <> V)', 'not K <> V', '!(K <> V)', 'not not K = V', 'not (not (K = V))'],
    ...['not (K <> V or rid = 3)', 'not (K not in (V))', 'not K not in (V, V)'],
    ...['not (K <> V and K <> V)', 'not (not (K = V) or rid > 5)', 'not not K in (V)'],
    ...['not (K <> V) and not (rid = 3)', 'not not (K = V and rid is null)'],
  ]),
  around('OR of what is false', [
    ...['(0 or K = V)', '(FALSE or K = V)', '(null or K = V)', '(K = V or 0)', '(K = V or 1 = 0)'],
    ...["('a' = 'b' or K = V)", '(1 > 2 or K = V)', '(not 1 or K = V)', "(K = V or 'x')"],
    ...['(1 in (2, 3) or K = V)', '(1 is null or K = V)', '(2 between 3 and 4 or K = V)'],
    ...['(0.0 or K = V or 1 <> 1)', '(K = V or (1 = 1 and 0))', '(isnull(1) or K = V)'],
  ]),
  around('AND of what is true', [
    ...[
      'TRUE and K = V',
      '1 and K = V',
      '1 = 1 and K = V',
      "'a' = 'a' and K = V",
      'not 0 and K = V',
    ],
    ...['1 <> 2 and (K = V)', '(1 or 0) and K = V', '(0 or 1) and K = V', '1 in (1, 2) and K = V'],
  ]),
  around('AND of what is false', [
    '0 and K = V',
    'FALSE and K = V',
    '1 = 2 and K = V',
    'null and K = V',
  ]),
  around('a query of one value', [
    ...['K in (select V)', 'K = (select V)', 'K in (select V from dual)', '(select V) = K'],
  ]),
  around('parentheses and rows', [
    ...['((K)) = ((V))', '(K) in ((V))', 'row(K, 1) = row(V, 1)', '(K, 1) in ((V, 1))'],
  ]),
  valued('numeric days, two-digit years, odd signs', ['date', 'datetime'], momentForm),
  valued('functions that make days', ['date'], (literal, dice) => dateCall(literal, dice, true)),
  valued('functions that make moments', ['datetime'], (literal, dice) =>
    dateCall(literal, dice, false),
  ),
  {
    name: 'integers that the column cannot have',
    of: ({ name, family }, dice) =>
      family === 'integer'
        ? `${name} = ${dice.pick(['', '-'])}${dice.pick(['99999999999999999999', '36893488147419103232'])}`
        : undefined,
  },
]

/** A value to insert, written otherwise; as it is when no shape fits. */
export function writtenOtherwise(dice: Dice, family: Family, literal: string): string {
  const { value } = dice.pick(SHAPES)
  return value?.(family, literal, dice) ?? literal
}

/** Joins of a table `t` with OTHER, whose columns `n` and `m` are integers; K is a column of t. */
export const JOINS: readonly string[] = [
  'T t join OTHER u on t.K = u.n where u.n = V',
  'T t join OTHER u on u.n = t.K and u.n = V',
  'T t, OTHER u where t.K = u.n and u.n = V',
  'T t, OTHER u where V = u.n and u.n = t.K',
  'T t inner join OTHER u on t.K = u.n where u.n in (V, V)',
  'T t join OTHER u on t.K <=> u.n where u.n = V',
  'T t join OTHER u on t.K = u.m join OTHER v on u.m = v.m where v.m = V',
  'T t join OTHER u on t.K = u.n where u.n between V and V',
  'T t join OTHER u on t.K = u.n where (u.n = V or 0)',
]
/** The same, where the other columns of t may be asked for NULL: its rows may be missing. */
export const OUTER_JOIN = 'T t right join OTHER u on t.K = u.n where u.n = V'

/** Derived tables of T under a condition P. */
export const DERIVED: readonly string[] = [
  'select rid from (select * from T where P) x',
  'select x.rid from (select rid, 1 from T where P) as x where x.rid > 3',
  'select rid from (select * from (select * from T t where P) y) x',
  'select rid from (select * from T where P limit 3) x',
  'select max(rid) from (select rid from T where P group by rid) x',
]
