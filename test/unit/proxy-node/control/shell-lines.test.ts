import { execFileSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { shellLines } from '../../../../proxy-node/control/shell-lines.ts'

const wholeIn = (script: string) =>
  shellLines(script).flatMap(({ number, isWhole }) => (isWhole ? [number] : []))

describe('a line that stands by itself', () => {
  test.each([
    ['is each of a plain script', 'a\nb "c d"\n# if\ne $# f', [1, 2, 3, 4]],
    ['is none between if and fi', 'a\nif b; then\nc\nelse\nd\nfi\ne', [1, 7]],
    ['is a whole statement', 'if [ $# -gt 0 ]; then a; fi\nb', [1, 2]],
    ['is none in a loop', 'for a in b c\ndo\nd\ndone\nwhile e; do\nf\ndone\ng', [8]],
    ['is none in a case', 'case $1 in\na) b;;\n(c) d;;\nesac\ne', [5]],
    ['is none in a function', 'f() {\na\n}\nfunction g {\nb\n}\nc', [7]],
    ['is none in a subshell', '(\na\n)\nb $(c\nd)\ne', [6]],
    ['is none that goes on', 'a \\\nb\nc &&\nd\ne |\nf\ng', [7]],
    ['is none of a text over lines', 'a "b\nc" d\ne', [3]],
    [
      'is none that a word like a keyword is in',
      'echo if\necho fi\nif a\nthen echo fi\nb\nfi',
      [1, 2],
    ],
  ])('%s', (_what, script, whole) => {
    expect(wholeIn(script)).toEqual(whole)
  })

  test('is none of a text within the script, and that is no line of it', () => {
    const lines = shellLines('cat <<EOF\nif\nEOF\na')
    expect(lines.map(({ number }) => number)).toEqual([1, 4])
    expect(lines.map(({ isWhole }) => isWhole)).toEqual([false, true])
  })

  test.each([
    'if true; then\n  start\nfi\nstart\n',
    'for x in 1\ndo\n  start\ndone\n',
    'f() {\n  start\n}\nstart &&\n  start\nstart\n',
  ])('can be made a comment, and the shell still reads the script: %j', script => {
    const whole = new Set(wholeIn(script))
    const lines = script.split('\n').map((line, at) => (whole.has(at + 1) ? `# ${line}` : line))
    execFileSync('sh', ['-n'], { input: lines.join('\n') })
  })
})
