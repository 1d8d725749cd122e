import { describe, expect, test } from 'vitest'
import {
  CLASS_POLICIES,
  type ClassPolicy,
  classOf,
  followerPolicy,
  lettersOf,
  orderOf,
  zonePolicy,
} from '../../../../proxy-node/routing/orders.ts'

/** §7.5 as printed; `T` and `same with T` stand for the group before with T in place of P. */
const PRINTED: Readonly<Record<ClassPolicy, string>> = {
  MERGE_IDC_ORDER: 'ANP BNP AMP BMP ; ANT BNT AMT BMT ; CNP CMP ; CNT CMT',
  READONLY_ZONE_FIRST:
    'ANRP BNRP AMRP BMRP ANWP BNWP AMWP BMWP ; same with T ; CNRP CMRP CNWP CMWP ; same with T',
  ONLY_READONLY_ZONE: 'ANRP BNRP AMRP BMRP ; T ; CNRP CMRP ; T',
  UNMERGE_ZONE_FIRST: 'ANRP BNRP ANWP BNWP AMRP BMRP AMWP BMWP ; T ; CNRP CNWP CMRP CMWP ; T',
  ONLY_READWRITE_ZONE: 'ANWP BNWP AMWP BMWP ; T ; CNWP CMWP ; T',
  FOLLOWER_FIRST:
    'ANPF BNPF AMPF BMPF ; ANPL BNPL AMPL BMPL ; ANT BNT AMT BMT ; CNPF CMPF ; CNPL CMPL ; CNT CMT',
  UNMERGE_FOLLOWER_FIRST:
    'ANPF BNPF ANPL BNPL ; AMPF BMPF AMPL BMPL ; ANT BNT AMT BMT ; CNPF CNPL ; CMPF CMPL ; CNT CMT',
  FOLLOWER_ONLY: 'ANPF BNPF AMPF BMPF ; ANT BNT AMT BMT ; CNPF CMPF ; CNT CMT',
  DUP_REPLICA_FIRST:
    'ANPD BNPD AMPD BMPD CNPD CMPD ; ANP BNP AMP BMP CNP CMP ; ANT BNT AMT BMT CNT CMT',
}

function groups(policy: ClassPolicy): readonly (readonly string[])[] {
  const found: string[][] = []
  for (const text of PRINTED[policy].split(';').map(one => one.trim())) {
    const before = found.at(-1) ?? []
    if (text === 'T' || text === 'same with T') found.push(before.map(one => one.replace('P', 'T')))
    else found.push(text.split(' '))
  }
  return found
}

describe('orders (§7.5)', () => {
  test.each(CLASS_POLICIES)('%s is as printed', policy => {
    expect(orderOf(policy, false)).toEqual(groups(policy).flat().map(classOf))
  })

  test.each(CLASS_POLICIES)(
    '%s, optimized, has all partition groups before the T groups',
    policy => {
      const isT = (group: readonly string[]) => group.every(word => word.includes('T'))
      const moved = [...groups(policy).filter(one => !isT(one)), ...groups(policy).filter(isT)]

      expect(orderOf(policy, true)).toEqual(moved.flat().map(classOf))
    },
  )

  test('every policy of the table has an order', () => {
    expect([...CLASS_POLICIES].sort()).toEqual(Object.keys(PRINTED).sort())
  })

  test.each([
    'PRIMARY_ZONE_FIRST',
    'PROXY_PRIMARY_ZONE_NAME_ONLY',
    'TARGET_DB_SERVER_ONLY',
  ] as const)('%s takes the list as it was built: A, then B, then C', policy => {
    expect(orderOf(policy, false).map(lettersOf)).toEqual(['A', 'B', 'C'])
  })

  test('a class in letters and back', () => {
    expect(lettersOf(classOf('ANRPFD'))).toBe('ANRPFD')
  })

  test.each([
    [0, 'MERGE_IDC_ORDER'],
    [1, 'READONLY_ZONE_FIRST'],
    [2, 'ONLY_READONLY_ZONE'],
    [3, 'UNMERGE_ZONE_FIRST'],
    [9, 'READONLY_ZONE_FIRST'],
  ])('ob_route_policy %i is %s', (value, policy) => {
    expect(zonePolicy(value)).toBe(policy)
  })

  test.each([
    ['FOLLOWER_FIRST', 'FOLLOWER_FIRST'],
    [' follower_only ', 'FOLLOWER_ONLY'],
    ['Unmerge_Follower_First', 'UNMERGE_FOLLOWER_FIRST'],
    ['', undefined],
    ['MERGE_IDC_ORDER', undefined],
  ])('proxy_route_policy %j is %s', (text, policy) => {
    expect(followerPolicy(text)).toBe(policy)
  })
})
