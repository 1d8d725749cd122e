/** What the name of a secret looks like: of a parameter, a variable, a column, or in a line of a log. Pure. */

/** Within a name, whatever its case. */
const WORDS = [
  'password',
  'passwd',
  'passphrase',
  'pwd',
  'secret',
  'token',
  'credential',
  'signature',
  // Not within `design` or `assigned`.
  '(?<![a-z])sign(?![a-z])',
  'access[_-]?key',
  'private[_-]?key',
  'api[_-]?key',
] as const

/** Of a folder, or of the file that a secret is in. */
const HARMLESS = /^(?:OLD)?PWD$|_file$/

/** A part of a regular expression that ignores case. */
export const SECRET_WORD = `(?:${WORDS.join('|')})`

const SECRET = new RegExp(SECRET_WORD, 'i')

/** Whether no answer, log or table may show the value of what is called so. */
export function isSecret(name: string): boolean {
  return SECRET.test(name) && !HARMLESS.test(name)
}
