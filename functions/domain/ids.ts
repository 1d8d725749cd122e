/**
 * Ids: ULIDs with a prefix (PL10). Those of children and their nodes follow from parent and place,
 * so that a step that writes them can be run again and finds what it wrote before.
 */
import { createHash } from 'node:crypto'
import { ulid } from 'ulid'

const ID_PREFIXES = {
  cluster: 'clu_',
  node: 'nod_',
  operation: 'op_',
  package: 'pkg_',
  audit: 'aud_',
  history: 'his_',
} as const

export type IdKind = keyof typeof ID_PREFIXES

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const RANDOM_CHARS = 16

export function newId(kind: IdKind, now: number): string {
  return ID_PREFIXES[kind] + ulid(now)
}

/** The `index`-th id that follows from `seed`: same time part, a random part made of the hash. */
export function derivedId(kind: IdKind, seed: string, index: number): string {
  const time = seed.slice(seed.indexOf('_') + 1).slice(0, 10)
  const hash = createHash('sha256').update(`${kind}:${seed}:${index}`).digest()
  let random = ''
  for (let at = 0; at < RANDOM_CHARS; at++) random += ALPHABET[(hash[at] ?? 0) % ALPHABET.length]
  return ID_PREFIXES[kind] + time + random
}

/** An id of this kind as a whole. */
export function idForm(kind: IdKind): RegExp {
  return new RegExp(`^${ID_PREFIXES[kind]}[0-9A-Z]{26}$`)
}

/** Whether a name could be taken for an id of some kind. */
export function beginsLikeId(name: string): boolean {
  return Object.values(ID_PREFIXES).some(prefix => name.startsWith(prefix))
}

/** Whether a reference is an id of this kind; anything else is taken for a name. */
export function isId(kind: IdKind, ref: string): boolean {
  return ref.startsWith(ID_PREFIXES[kind])
}
