import { describe, expect, test } from 'vitest'
import {
  compareVersions,
  knowsHotRestart,
  majorOf,
} from '../../../../proxy-node/control/versions.ts'

describe('versions of a proxy', () => {
  test.each([
    ['4.3.2.0-1', '4.3.2.0-1', 0],
    ['4.3.2.0-2', '4.3.2.0-1', 1],
    ['4.3.2.0-9', '4.3.2.0-10', -1],
    ['4.3.10.0-1', '4.3.9.0-1', 1],
    ['4.2.9.9-9', '4.3.0.0-1', -1],
    ['4.3.2-7', '4.3.2.0-7', 0],
    ['4.3.2.0', '4.3.2.0-1', -1],
    ['4.2.1.0-11.el7', '4.2.1.0-11', 0],
  ])('%s against %s is %i', (left, right, sign) => {
    expect(Math.sign(compareVersions(left, right))).toBe(sign)
    expect(Math.sign(compareVersions(right, left))).toBe(sign === 0 ? 0 : -sign)
  })

  test.each([
    ['3.2.0-99', false],
    ['3.2.1-1', true],
    ['3.2.1.0-1', true],
    ['1.9.1.1-1919579', false],
    ['4.3.2.0-1', true],
    ['', false],
  ])('%s knows hot restarts: %s', (version, knows) => {
    expect(knowsHotRestart(version)).toBe(knows)
  })

  test('have a major number', () => {
    expect(['3.2.1-1', '4.3.2.0-1', 'x'].map(majorOf)).toEqual([3, 4, 0])
  })
})
