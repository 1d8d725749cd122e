/**
 * Which sequence number a packet of the proxy's own has when it is put, unasked, between the packets of
 * others: a login, a command and its answer count each in its own way.
 */
import type { ResponseRelay } from '../wire/framing.ts'

/** Of an answer to a command of one packet. */
const FIRST_ANSWER = 1

type Commands = {
  /** Whose answer is not complete. */
  readonly answering:
    | { readonly relay: Pick<ResponseRelay, 'isInsidePacket' | 'nextSequence'> }
    | undefined
  /** Of an answer, behind the last packet of the command that has come. */
  readonly replySequence: number
}

type Client = {
  /** While it logs in. */
  readonly signIn: { readonly sequence: number } | undefined
  /** Undefined for one that talks with the node itself. */
  readonly pipeline: Commands | undefined
}

/** To a client, now; undefined where none can be put. */
export function sequenceFor({ signIn, pipeline }: Client): number | undefined {
  if (signIn !== undefined) return signIn.sequence
  return pipeline === undefined ? FIRST_ANSWER : ownSequence(pipeline)
}

/** Among commands and answers; undefined inside another packet, where nothing can be said any more. */
export function ownSequence({ answering, replySequence }: Commands): number | undefined {
  if (answering === undefined) return replySequence
  const { relay } = answering
  if (relay.isInsidePacket) return undefined
  // Nothing of the answer has been shown: the command may have been several packets.
  return relay.nextSequence === FIRST_ANSWER ? replySequence : relay.nextSequence
}
