/**
 * Which sequence number a packet of the proxy's own has when it is put, unasked, between the packets of
 * others: a login, a command and its answer count each in its own way.
 */
import type { CourseHost } from './course.ts'
import type { Pipeline } from './pipeline.ts'
import type { SignIn } from './sign-in.ts'

/** Of an answer to a command of one packet. */
const FIRST_ANSWER = 1

type Client = {
  /** While it logs in. */
  readonly signIn: SignIn | undefined
  /** Undefined for one that talks with the node itself. */
  readonly pipeline: Pipeline | undefined
}

/** To a client, now; undefined where none can be put. */
export function sequenceFor({ signIn, pipeline }: Client): number | undefined {
  if (signIn !== undefined) return signIn.sequence
  return pipeline === undefined ? FIRST_ANSWER : ownSequence(pipeline)
}

/** Among commands and answers; undefined inside another packet, where nothing can be said any more. */
export function ownSequence({
  answering,
  replySequence,
}: Pick<CourseHost, 'answering' | 'replySequence'>): number | undefined {
  if (answering === undefined) return replySequence
  const { relay } = answering
  if (relay.isInsidePacket) return undefined
  // Nothing of the answer has been shown: the command may have been several packets.
  return relay.nextSequence === FIRST_ANSWER ? replySequence : relay.nextSequence
}
