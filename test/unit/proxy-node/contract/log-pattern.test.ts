/** Patterns for lines find what the runtime's own find, and cannot be made to take long. */
import { describe, expect, test } from 'vitest'
import { BadPattern, logPattern } from '#contract/log-pattern'
import { AS_THE_LENGTH, cpuGrowth } from '../../../support/cpu-growth.ts'

const LINES = [
  '',
  'a',
  'aaa',
  'abcabc',
  'error 1045 of app@tenant',
  '[2026-11-24 10:00:00] WARN [PROXY] server 10.0.0.1:2881 is away',
  'x_1 x-1 X1',
  'tab\tend',
  'a]b-c^d',
  'aXb',
]

describe('a pattern', () => {
  test.each([
    'a',
    '^a+$',
    '(abc){2}',
    'a{2,3}$',
    'a{0,1}b',
    'ab?c*',
    '\\d{4}',
    '\\bapp\\b',
    '\\Bpp',
    '10\\.0\\.0\\.\\d+:2881',
    '(WARN|ERROR) \\[\\w+\\]',
    '^$',
    '^(?:a|x).*(?:1|c)$',
    '[^a-z]',
    '[]x]',
    '[a\\]]b',
    '[a-c_-]+1',
    '\\S+\\s\\S+',
    '\\t',
    'x|',
    'a.b',
    'a{,3}',
    '.*?of',
    '\\W\\D',
  ])('%s finds what the runtime finds', text => {
    const own = logPattern(text)
    for (const line of LINES)
      expect([line, own.isIn(line)]).toEqual([line, new RegExp(text).test(line)])
  })

  test.each([
    '(',
    ')',
    '[a',
    'a**',
    '*a',
    '(?=a)',
    '(?<n>a)',
    '(a)\\1',
    '\\k',
    'a{200}',
    'a{3,2}',
    '((a{100}){100})',
    'x'.repeat(201),
  ])('%s is refused', text => {
    expect(() => logPattern(text)).toThrow(BadPattern)
  })

  test.each(['(a+)+$', '(a|a)*b', '(.*)*x', 'a?a?a?a?a?a?a?a?a?aaaaaaaaaa!', '.*.*.*=.*'])(
    '%s takes no longer for it on a line made to hurt than for its length',
    text => {
      const pattern = logPattern(text)
      const search = (signs: number) => {
        expect(pattern.isIn(`${'a'.repeat(signs)}?`)).toBe(false)
      }
      expect(cpuGrowth(search, 1_000)).toBeLessThan(AS_THE_LENGTH)
    },
  )
})
