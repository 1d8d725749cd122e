import { describe, expect, test } from 'vitest'
import { stackSettings } from '../../../../../infra/local/stack/settings.ts'

describe('where a stack lives', () => {
  test('dev is number 0 at the addresses of the README', () => {
    const settings = stackSettings({})
    expect(settings.api).toEqual({ host: '127.0.0.1', port: 8787 })
    expect(settings.nodeNetwork).toBe('127.10.1')
    expect(settings.observerNetwork).toBe('127.10.2')
    expect(settings.home.endsWith('/.obfleet')).toBe(true)
  })

  test('two stacks share no address', () => {
    const of = (number: string) => stackSettings({ OBFLEET_STACK: number, OBFLEET_HOME: '/h' })
    const all = ['0', '1', '2', '100']
      .map(of)
      .flatMap(({ number: _n, home: _h, ...addresses }) =>
        Object.values(addresses).map(address =>
          typeof address === 'string' ? address : `${address.host}:${address.port}`,
        ),
      )
    expect(new Set(all).size).toBe(all.length)
  })

  test('another stack than 0 is told that it needs a home of its own', () => {
    expect(() => stackSettings({ OBFLEET_STACK: '2' })).toThrow(/OBFLEET_STACK=2 .*OBFLEET_HOME/)
    expect(stackSettings({ OBFLEET_STACK: '2', OBFLEET_HOME: '/h' }).home).toBe('/h')
  })

  test.each(['-1', '101', '1.5', 'x', ''])('number "%s"', number => {
    if (number === '') expect(stackSettings({ OBFLEET_STACK: '' }).number).toBe(0)
    else expect(() => stackSettings({ OBFLEET_STACK: number })).toThrow('must be 1 to 100')
  })
})
