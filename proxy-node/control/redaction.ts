/**
 * Lines of logs and of SQL without their secrets: before anything leaves the node. Every pattern reads
 * a line once, left to right. A literal whose end is cut off is masked to the end of the line. Pure.
 */
import { withoutSecrets } from './foreign-processes.ts'

const MASK = '***'

/** A quoted text, also one that is cut off; digest lines have `%2C` for commas, and no blanks within words. */
const LITERAL = `(?:'(?:[^'\\\\]|\\\\.|'')*(?:'|$)|"(?:[^"\\\\]|\\\\.|"")*(?:"|$))`
/** A quoted text, or a word. */
const VALUE = `(?:${LITERAL}|[^\\s,;&)'"]+)`
// A name begins where no sign of a name is before it: else a long word would be read from each of its signs.
const SECRET_NAME = String.raw`(?<![\w.@-])[\w.@-]*(?:password|passwd|pwd|secret|token|credential|access_?key|private_?key|signature)\w*`

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
  // `name=value`, `"name": "value"`, `name = 'value'`.
  [new RegExp(`(${SECRET_NAME}["'\`]?\\s*(?::=|[=:])\\s*)${VALUE}`, 'gi'), `$1${MASK}`],
  [/(\bbearer\s+)[\w.~+/=-]+/gi, `$1${MASK}`],
]

/** A word of a log that is none of the secrets has to come through, so only what follows their names is masked. */
export function redacted(line: string): string {
  const masked = RULES.reduce((text, [pattern, by]) => text.replace(pattern, by), line)
  return withoutSecrets(masked)
}
