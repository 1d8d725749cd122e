/**
 * What a proxy hands to its successor at a hot restart: the listening socket, the lock of the
 * directory and the id generation, as descriptors and variables. The first name is OBProxy's, so that
 * its own hot restart into this program works too. Pure. Source: proxy-admin.md §1.1, §4.2.
 */

const VARIABLE = {
  listen: 'OBPROXY_INHERITED_IPV4_FD',
  lock: 'OBPROXY_INHERITED_LOCK_FD',
  generation: 'OBPROXY_INHERITED_GENERATION',
} as const

/** First descriptor behind standard input, output and error. */
const FIRST_DESCRIPTOR = 3

export type Generation = 0 | 1

export type Inherited = {
  readonly listenDescriptor: number
  /** Undefined: OBProxy was before, which knows no such lock. */
  readonly lockDescriptor: number | undefined
  readonly generation: Generation | undefined
  /** Pid of the process before. */
  readonly predecessor: number
}

type Environment = Record<string, string | undefined>

/** Takes the inheritance out of `env`: it is for this process alone. Undefined: a start of its own. */
export function takeInherited(env: Environment, parentPid: number): Inherited | undefined {
  const listenDescriptor = descriptorOf(env[VARIABLE.listen])
  const lockDescriptor = descriptorOf(env[VARIABLE.lock])
  const generation = generationOf(env[VARIABLE.generation])
  for (const name of Object.values(VARIABLE)) delete env[name]
  if (listenDescriptor === undefined) return undefined
  return { listenDescriptor, lockDescriptor, generation, predecessor: parentPid }
}

export type Inheritance = {
  readonly listenDescriptor: number
  readonly lockDescriptor: number
  /** The generation of who hands over; the successor gets the other one. */
  readonly generation: Generation
}

/** Descriptors as they are to be laid behind the three standard ones, and the variables that tell so. */
export function handedOn({ listenDescriptor, lockDescriptor, generation }: Inheritance): {
  readonly descriptors: readonly number[]
  readonly env: Readonly<Record<string, string>>
} {
  return {
    descriptors: [listenDescriptor, lockDescriptor],
    env: {
      [VARIABLE.listen]: String(FIRST_DESCRIPTOR),
      [VARIABLE.lock]: String(FIRST_DESCRIPTOR + 1),
      [VARIABLE.generation]: String(generation === 0 ? 1 : 0),
    },
  }
}

function descriptorOf(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d{1,6}$/.test(text)) return undefined
  return Number(text) < FIRST_DESCRIPTOR ? undefined : Number(text)
}

function generationOf(text: string | undefined): Generation | undefined {
  if (text === '0') return 0
  return text === '1' ? 1 : undefined
}
