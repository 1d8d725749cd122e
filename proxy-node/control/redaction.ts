/**
 * Command lines, lines of logs and SQL without their secrets: before anything leaves the node. Every
 * pattern reads a line once, left to right. A literal whose end is cut off is masked to the end of the
 * line. What names no secret cannot be known to be one. Pure.
 */
import { isSecret, SECRET_WORD } from '#contract/secret-names'

const MASK = '***'

/** Quoted within a quoted text, as JSON in JSON: its end has as many backslashes as its beginning. */
const NESTED = String.raw`(?:(?<slashes>\\+)(?<quote>["'])(?:\k<slashes>\k<quote>\k<slashes>\k<quote>|(?!(?<!\\)\k<slashes>\k<quote>).)*)`
/** A quoted text, also one that is cut off; digest lines have `%2C` for commas, and no blanks within words. */
const LITERAL = `(?:'(?:[^'\\\\]|\\\\.|'')*(?:'|$)|"(?:[^"\\\\]|\\\\.|"")*(?:"|$)|${NESTED})`
/** `name=` or `"name":` */
const NEXT = String.raw`\\*["'\`]?[\w.-]{1,64}\\*["'\`]?[=:]`
/** A quoted text, or a word: what ends words belongs to it, but at its end or before the next name. */
const VALUE = String.raw`(?:${LITERAL}|(?:[^\s,;&)'"]|[,;&)'"](?=[^\s,;&)'"\]}])(?!${NEXT}))+)`
// A name begins where no sign of a name is before it: else a long word would be read from each of its signs.
const SECRET_NAME = String.raw`(?<![\w.@-])(?=[\w.@-]*?${SECRET_WORD})[\w.@-]+`

const RULES: readonly (readonly [pattern: RegExp, replacement: string])[] = [
  // CREATE USER, ALTER USER, GRANT, database links, of MySQL and of Oracle mode.
  [
    new RegExp(
      `(\\bidentified\\s+(?:with\\s+\\S+\\s+)?(?:by|as)\\s+)((?:password\\s+)?)${VALUE}`,
      'gi',
    ),
    `$1$2${MASK}`,
  ],
  [new RegExp(`(\\breplace\\s+)${LITERAL}`, 'gi'), `$1${MASK}`],
  // SET PASSWORD [FOR user] = PASSWORD('…').
  [
    new RegExp(`(\\bset\\s+password\\b[^=]{0,200}=\\s*)(?!(?:old_)?password\\s*\\()${VALUE}`, 'gi'),
    `$1${MASK}`,
  ],
  [new RegExp(`(\\b(?:old_)?password\\s*\\(\\s*)${LITERAL}`, 'gi'), `$1${MASK}`],
  // Rows of `proxy_config` have the name of a password in one column and the password in another.
  [/(\breplace\s+into\s+proxy_config\s*\([^)]{0,400}\)\s*values\s*).*/gi, `$1${MASK}`],
  // Which of the values is the column's is not worth a parser.
  [
    new RegExp(
      `(\\b(?:insert|replace)\\b[^()]{0,300}\\((?=[^()]{0,4000}?${SECRET_WORD})[^()]{0,4000}\\)\\s*(?:values?|select)\\b).*`,
      'gi',
    ),
    `$1 ${MASK}`,
  ],
  [/(\bauthorization\\*["'`]?\s*[=:]\s*).*/gi, `$1${MASK}`],
  // `name=value`, `"name": "value"`, `name = 'value'`.
  [new RegExp(`(${SECRET_NAME}\\\\*["'\`]?\\s*(?::=|[=:])\\s*)${VALUE}`, 'gi'), `$1${MASK}`],
  // Options of clients: `--password value`, `-pvalue`.
  [new RegExp(`((?<!\\S)--(?=[\\w-]*?${SECRET_WORD})[\\w-]+\\s+)${VALUE}`, 'gi'), `$1${MASK}`],
  [new RegExp(`((?<![^\\s"'=,[])-p)(?=\\S)${VALUE}`, 'g'), `$1${MASK}`],
  [/(\bbearer\s+)[\w.~+/=-]+/gi, `$1${MASK}`],
  // Not the word of a sentence.
  [/(\bbasic\s+)(?=[\w+/-]*[\d=])[\w+/-]+=*/gi, `$1${MASK}`],
]

/** A word of a log that is none of the secrets has to come through, so only what follows their names is masked. */
export function redacted(line: string): string {
  const masked = RULES.reduce((text, [pattern, by]) => text.replace(pattern, by), line)
  return withoutUserinfo(masked)
}

const ASSIGNED = new RegExp(`(${SECRET_NAME}=)[^,&]*`, 'gi')

/** One argument or value with passwords, tokens and signatures masked, in lists as in URLs. */
export function withoutSecrets(text: string): string {
  return withoutUserinfo(text.replace(ASSIGNED, `$1${MASK}`))
}

function withoutUserinfo(text: string): string {
  return text.replace(/(\w:\/\/)[^/@,]*@/g, `$1${MASK}@`)
}

/** A list of assignments without those of secrets: the proxy has them stored. */
export function withoutPasswords(argument: string): string {
  return argument
    .replace(/(^|,)(\w+)=[^,]*/g, (all, _comma, name: string) => (isSecret(name) ? '' : all))
    .replace(/^,/, '')
}
