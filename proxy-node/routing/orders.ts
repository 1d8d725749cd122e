/**
 * The orders of §7.5, as the specification writes them. A class is a word of letters (§7.3); a server
 * is of a class when it has each of its letters, which is a comparison of bits.
 * Source: proxy-routing.md §7.3, §7.5.
 */

/**
 * A same IDC, B same region, C other region; N not merging, M merging; R read-only zone, W read-write
 * zone; P has the partition, T any other server of the tenant; L leader, F follower; D duplicate replica.
 */
export const LETTER = {
  A: 1 << 0,
  B: 1 << 1,
  C: 1 << 2,
  N: 1 << 3,
  M: 1 << 4,
  R: 1 << 5,
  W: 1 << 6,
  P: 1 << 7,
  T: 1 << 8,
  L: 1 << 9,
  F: 1 << 10,
  D: 1 << 11,
} as const

export type FollowerPolicy = 'FOLLOWER_FIRST' | 'UNMERGE_FOLLOWER_FIRST' | 'FOLLOWER_ONLY'

export type ZonePolicy =
  | 'MERGE_IDC_ORDER'
  | 'READONLY_ZONE_FIRST'
  | 'ONLY_READONLY_ZONE'
  | 'UNMERGE_ZONE_FIRST'

/** Those that take the list as it was built: first A, then B, then C. */
export type ListPolicy =
  | 'PRIMARY_ZONE_FIRST'
  | 'PROXY_PRIMARY_ZONE_NAME_ONLY'
  | 'TARGET_DB_SERVER_ONLY'

export type ClassPolicy = FollowerPolicy | ZonePolicy | 'ONLY_READWRITE_ZONE' | 'DUP_REPLICA_FIRST'

export type Policy = ClassPolicy | ListPolicy

export const CLASS_ORDERS: Readonly<Record<ClassPolicy, string>> = {
  MERGE_IDC_ORDER: 'ANP BNP AMP BMP ; ANT BNT AMT BMT ; CNP CMP ; CNT CMT',
  READONLY_ZONE_FIRST:
    'ANRP BNRP AMRP BMRP ANWP BNWP AMWP BMWP ; ANRT BNRT AMRT BMRT ANWT BNWT AMWT BMWT ; CNRP CMRP CNWP CMWP ; CNRT CMRT CNWT CMWT',
  ONLY_READONLY_ZONE: 'ANRP BNRP AMRP BMRP ; ANRT BNRT AMRT BMRT ; CNRP CMRP ; CNRT CMRT',
  UNMERGE_ZONE_FIRST:
    'ANRP BNRP ANWP BNWP AMRP BMRP AMWP BMWP ; ANRT BNRT ANWT BNWT AMRT BMRT AMWT BMWT ; CNRP CNWP CMRP CMWP ; CNRT CNWT CMRT CMWT',
  ONLY_READWRITE_ZONE: 'ANWP BNWP AMWP BMWP ; ANWT BNWT AMWT BMWT ; CNWP CMWP ; CNWT CMWT',
  FOLLOWER_FIRST:
    'ANPF BNPF AMPF BMPF ; ANPL BNPL AMPL BMPL ; ANT BNT AMT BMT ; CNPF CMPF ; CNPL CMPL ; CNT CMT',
  UNMERGE_FOLLOWER_FIRST:
    'ANPF BNPF ANPL BNPL ; AMPF BMPF AMPL BMPL ; ANT BNT AMT BMT ; CNPF CNPL ; CMPF CMPL ; CNT CMT',
  FOLLOWER_ONLY: 'ANPF BNPF AMPF BMPF ; ANT BNT AMT BMT ; CNPF CMPF ; CNT CMT',
  DUP_REPLICA_FIRST:
    'ANPD BNPD AMPD BMPD CNPD CMPD ; ANP BNP AMP BMP CNP CMP ; ANT BNT AMT BMT CNT CMT',
}

const FOLLOWER_POLICIES: ReadonlyMap<string, FollowerPolicy> = new Map(
  (['FOLLOWER_FIRST', 'UNMERGE_FOLLOWER_FIRST', 'FOLLOWER_ONLY'] as const).map(name => [
    name,
    name,
  ]),
)

/** Those that take followers before leaders. */
export const FOLLOWERS_FIRST: ReadonlySet<Policy> = new Set(FOLLOWER_POLICIES.values())

const ZONE_POLICIES: readonly ZonePolicy[] = [
  'MERGE_IDC_ORDER',
  'READONLY_ZONE_FIRST',
  'ONLY_READONLY_ZONE',
  'UNMERGE_ZONE_FIRST',
]

/** A value of `proxy_route_policy`; undefined when it says nothing. */
export function followerPolicy(text: string): FollowerPolicy | undefined {
  return FOLLOWER_POLICIES.get(text.trim().toUpperCase())
}

/** What `ob_route_policy` stands for; unknown values are READONLY_ZONE_FIRST, as its default is. */
export function zonePolicy(value: number): ZonePolicy {
  return ZONE_POLICIES[value] ?? 'READONLY_ZONE_FIRST'
}

/** Classes as bits of `LETTER`, first to last. */
export type Order = readonly number[]

/** What all lists are ordered by that follow no classes. */
const AS_BUILT: Order = [LETTER.A, LETTER.B, LETTER.C]

export const CLASS_POLICIES: readonly ClassPolicy[] = [
  ...ZONE_POLICIES,
  'ONLY_READWRITE_ZONE',
  ...FOLLOWER_POLICIES.values(),
  'DUP_REPLICA_FIRST',
]

const PLAIN: ReadonlyMap<Policy, Order> = compiled(classes => classes)

/** All that have the partition before those that have not (the OPTIMIZED orders). */
const OPTIMIZED: ReadonlyMap<Policy, Order> = compiled(classes => [
  ...classes.filter(one => (one & LETTER.T) === 0),
  ...classes.filter(one => (one & LETTER.T) !== 0),
])

export function orderOf(policy: Policy, isOptimized: boolean): Order {
  return (isOptimized ? OPTIMIZED : PLAIN).get(policy) ?? AS_BUILT
}

/** Bits of a word of letters. */
export function classOf(word: string): number {
  let bits = 0
  for (const [letter, bit] of Object.entries(LETTER)) if (word.includes(letter)) bits |= bit
  return bits
}

/** Bits as a word of letters. */
export function lettersOf(bits: number): string {
  return Object.entries(LETTER)
    .filter(([, bit]) => (bits & bit) !== 0)
    .map(([letter]) => letter)
    .join('')
}

function compiled(arrange: (classes: Order) => Order): Map<Policy, Order> {
  const orders = new Map<Policy, Order>()
  for (const policy of CLASS_POLICIES) {
    const words = CLASS_ORDERS[policy].split(' ').filter(word => word !== ';')
    orders.set(policy, arrange(words.map(classOf)))
  }
  return orders
}
