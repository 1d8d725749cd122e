/**
 * What a client does, as plain values: a sequence of steps can be kept, shrunk and run again. Texts
 * hold one byte a character, so that any bytes can stand in them; `{a}` and `{b}` stand for the two
 * databases of whoever runs the sequence.
 */

/** NULL, a text, an integer, a double. */
export type Value = null | string | number | { readonly double: number }

export type Step =
  | { readonly kind: 'query'; readonly sql: string }
  /** A statement of another client of the same databases, which always has its own connection to the kernel. */
  | { readonly kind: 'rival'; readonly sql: string }
  | { readonly kind: 'prepare'; readonly slot: number; readonly sql: string }
  | {
      readonly kind: 'execute'
      readonly slot: number
      readonly values: readonly Value[]
      /** Left out: the server is expected to know them. */
      readonly types: boolean
      readonly cursor: boolean
    }
  | {
      readonly kind: 'longData'
      readonly slot: number
      readonly parameter: number
      readonly text: string
    }
  | { readonly kind: 'fetch'; readonly slot: number; readonly rows: number }
  | { readonly kind: 'reset'; readonly slot: number }
  | { readonly kind: 'close'; readonly slot: number }
  | { readonly kind: 'command'; readonly code: number; readonly body: string }
  | {
      readonly kind: 'changeUser'
      readonly user: 'first' | 'second'
      readonly isRight: boolean
      readonly database: string
    }

export type Sequence = {
  /** Of the client: bits that change what statements mean or answer. */
  readonly capabilities: number
  /** OB 2.0 between proxy and servers. */
  readonly ob20: boolean
  /** Of the routing. */
  readonly seed: number
  readonly steps: readonly Step[]
}

/** Text in UTF-8 as a string of bytes. */
export function utf8(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1')
}
