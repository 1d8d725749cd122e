import { describe, expect, test } from 'vitest'
import {
  chosenIdc,
  isLoopback,
  LdcCache,
  ldcOf,
  nearnessTo,
} from '../../../../proxy-node/routing/ldc.ts'
import { picture, server, zone } from '../../../support/routing-view.ts'

const SHANGHAI = zone('sh-1', { idc: 'SH01', region: 'shanghai' })
const SHANGHAI_2 = zone('sh-2', { idc: 'SH02', region: 'shanghai' })
const BEIJING = zone('bj-1', { idc: 'BJ01', region: 'beijing', type: 'ReadOnly' })
const PICTURE = picture([server('a', SHANGHAI), server('b', SHANGHAI_2), server('c', BEIJING)], {
  idcRegions: new Map([['office', 'beijing']]),
})

function letters(idc: string): Record<string, string | undefined> {
  const ldc = ldcOf(PICTURE, idc)
  return {
    foundBy: ldc.foundBy,
    classes: ['a', 'b', 'c']
      .map(host => nearnessTo(ldc, PICTURE, `${host}:2881`, { host, port: 2881 }))
      .join(''),
  }
}

describe('nearness (§7.3)', () => {
  test.each([
    ['the IDC of a zone', 'SH01', 'idc', 'ABC'],
    ['the IDC in other capitals', 'sh01', 'idc', 'ABC'],
    ['another IDC', 'BJ01', 'idc', 'CCA'],
    ['the beginning of names of zones', 'sh-', 'zone name', 'AAC'],
    ['the name of a zone', 'SH-2', 'zone name', 'BAC'],
    ["the config server's list: nothing is A", 'office', 'idc list', 'CCB'],
    ['a name that nobody knows', 'mars', 'none', 'AAA'],
    ['no name', '', 'none', 'AAA'],
    ['blanks', '  ', 'none', 'AAA'],
  ])('%s: %j is found by %s', (_name, idc, foundBy, classes) => {
    expect(letters(idc)).toEqual({ foundBy, classes })
  })

  test('an IDC that several zones have takes the regions of all', () => {
    const both = picture([
      server('a', zone('z1', { idc: 'X', region: 'r1' })),
      server('b', zone('z2', { idc: 'X', region: 'r2' })),
      server('c', zone('z3', { idc: 'Y', region: 'r2' })),
    ])

    expect([...ldcOf(both, 'x').nearness.values()]).toEqual(['A', 'A', 'B'])
  })

  test.each([
    { when: 'is skipped once the list is loaded', idc: 'SH01', letter: undefined },
    { when: 'is C while the list is not loaded', idc: 'SH01', isLoaded: false, letter: 'C' },
    {
      when: 'is A while the list is not loaded and nearness is not used',
      idc: '',
      isLoaded: false,
      letter: 'A',
    },
    { when: 'at a loopback address is C', idc: 'SH01', host: '127.0.0.1', letter: 'C' },
    {
      when: 'at a loopback address is A where nearness is not used',
      idc: '',
      host: '127.0.0.1',
      letter: 'A',
    },
  ])('a server that is not in the list $when', ({ idc, host = 'd', isLoaded = true, letter }) => {
    const known = { ...PICTURE, isLoaded }

    expect(nearnessTo(ldcOf(known, idc), known, `${host}:2881`, { host, port: 2881 })).toBe(letter)
  })

  test('a server at a loopback address that is in the list is judged like any other', () => {
    const local = picture([server('127.10.2.1', BEIJING), server('a', SHANGHAI)])
    const address = { host: '127.10.2.1', port: 2881 }

    expect(nearnessTo(ldcOf(local, 'BJ01'), local, '127.10.2.1:2881', address)).toBe('A')
  })

  test.each([
    ['127.0.0.1', true],
    ['127.10.2.1', true],
    ['::1', true],
    ['localhost', true],
    ['10.0.0.1', false],
  ])('%s is a loopback address: %s', (host, expected) => {
    expect(isLoopback(host)).toBe(expected)
  })

  test('tells whether there is a read-only zone', () => {
    expect(ldcOf(PICTURE, '').hasReadOnlyZone).toBe(true)
    expect(ldcOf(picture([server('a', SHANGHAI)]), '').hasReadOnlyZone).toBe(false)
  })
})

describe('the IDC of a session', () => {
  test.each([
    ['nothing', {}, 'conf'],
    ['proxy_idc_name', { proxy_idc_name: ' a ' }, 'a'],
    ['proxy_session_ldc', { proxy_session_ldc: 'b' }, 'b'],
    ['both', { proxy_idc_name: 'a', proxy_session_ldc: 'b' }, 'a'],
    ['an empty name and the other', { proxy_idc_name: '', proxy_session_ldc: 'b' }, 'b'],
    ['empty names', { proxy_idc_name: '', proxy_session_ldc: ' ' }, 'conf'],
  ])('set by %s', (_name, variables: Readonly<Record<string, string>>, idc) => {
    expect(chosenIdc({ userText: variable => variables[variable] }, ' conf ')).toBe(idc)
  })
})

describe('kept orders of nearness', () => {
  test('are the same until the picture changes', () => {
    const cache = new LdcCache()

    const first = cache.find(PICTURE, 'SH01')

    expect(cache.find(PICTURE, 'SH01')).toBe(first)
    expect(cache.find({ ...PICTURE }, 'SH01')).not.toBe(first)
  })

  test('are bounded, whatever sessions name', () => {
    const cache = new LdcCache()
    const first = cache.find(PICTURE, 'idc-0')

    for (let index = 1; index < 100; index++) cache.find(PICTURE, `idc-${index}`)

    expect(cache.find(PICTURE, 'idc-0')).not.toBe(first)
  })
})
