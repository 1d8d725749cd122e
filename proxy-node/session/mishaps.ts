/**
 * What keeps a command from its answer: something that it needs is refused, no server can be had, its
 * server is lost or silent. Where it was executed nowhere, and nothing of the session went with the
 * server, it goes on to another one; else its client is told, and goes on without, or is ended where it
 * cannot be told or could not go on. Source:
 * proxy-protocol.md §4.5, §5.5, §6.6.
 */
import { Fault } from '#contract/fault'
import type { ServerSession } from '../backend/server-session.ts'
import { FLAG } from '../sql/words.ts'
import { errorOfFault, parseError } from '../wire/ok.ts'
import type { Errand } from './errand.ts'
import { ownSequence } from './own-sequence.ts'
import { PINS } from './pins.ts'
import type { StepKind } from './restore.ts'
import { CLOSES_CLIENT } from './retry.ts'

/** What of a command under way is looked at here, and what can be done with it. */
type Stranded = Readonly<
  Pick<
    Errand,
    | 'host'
    | 'parts'
    | 'memory'
    | 'loss'
    | 'way'
    | 'restorer'
    | 'request'
    | 'refusal'
    | 'failedSilently'
    | 'isTied'
    | 'judged'
    | 'refuse'
    | 'blame'
    | 'beginsAnew'
    | 'mayTryAgain'
  >
>

/** ER_BAD_DB_ERROR. */
const UNKNOWN_DATABASE = 1049

/** A step of bringing the session to `server` was refused there with `error`. */
export function notRestored(
  errand: Stranded,
  server: ServerSession,
  step: StepKind,
  error: Uint8Array,
): void {
  const { host, memory, parts } = errand
  const isGone = step === 'database' && parseError(error).errno === UNKNOWN_DATABASE
  if (isGone) {
    memory.schemaGone()
    errand.refuse(error)
    parts.servers.dropCurrent()
  } else if (step === 'begin' || step === 'prepare' || step === 'text') {
    if (step === 'begin') memory.dropBegin()
    errand.refuse(error)
  } else if (step === 'init') {
    const { errno } = parseError(error)
    host.giveUp(new Fault('session.init-sql', { left: memory.initSql.length, errno }))
    return
  } else if (errand.isTied) errand.refuse(error)
  else if (server === parts.servers.current) parts.servers.next(error)
  host.goOn()
}

/** The only server that can say what user variables are did not. */
export function unknowable(errand: Stranded): void {
  errand.refuse(errorOfFault(new Fault('session.state-lost', { what: PINS.userValues.lost })))
  errand.host.goOn()
}

/** No session could be had; the command has been executed nowhere. */
export function unreachable(errand: Stranded, error: Uint8Array | undefined): void {
  const { host } = errand
  // The client was killed, by whichever way; servers refuse its logins from then on (tried).
  if (error !== undefined && CLOSES_CLIENT.has(parseError(error).errno)) {
    host.giveUp(new Fault('session.killed'))
    return
  }
  const answer = error ?? errand.refusal
  if (answer !== undefined) errand.refuse(answer)
  else if (errand.failedSilently !== undefined) host.answerNothing()
  else host.answerFault(errand.way.lack)
  host.goOn()
}

/** The server in use is gone, whatever it was about. */
export function lost(errand: Stranded, server: ServerSession): void {
  const { host, restorer } = errand
  if (restorer?.server === server) {
    restorer.stop()
    lostUnsent(errand)
    return
  }
  if (host.answering !== server) {
    errand.loss.note()
    host.unblocked()
    return
  }
  if (server.serverEnded()) return
  errand.blame(server, 'connection-lost')
  endWith(errand, server, 'server.lost-reading')
}

/** The command was not sent yet: another server will do, unless something of the session went with this one. */
function lostUnsent(errand: Stranded): void {
  const { host, loss, request, way } = errand
  errand.beginsAnew()
  if (!errand.isTied && request !== undefined && errand.mayTryAgain()) {
    way.goOn(request)
    return
  }
  loss.note()
  // Long data has no answer: the next command tells.
  if (loss.isPending && errand.failedSilently !== undefined) host.answerNothing()
  else if (loss.isPending) host.answerFault(loss.take())
  else if (way.tie !== '')
    errand.refuse(errorOfFault(new Fault('session.state-lost', { what: way.tie })))
  else unreachable(errand, undefined)
  host.goOn()
}

/** The server is as good as lost. */
export function timedOut(errand: Stranded, server: ServerSession): void {
  if (errand.host.answering === undefined) {
    // What it was asked was not the command: `lost` goes on elsewhere.
    server.drop()
    return
  }
  errand.parts.servers.dropCurrent()
  errand.blame(server, 'timeout')
  endWith(errand, server, 'server.timeout')
}

/** The answer to the command under way will not come, or not to its end. */
function endWith(
  errand: Stranded,
  server: ServerSession,
  code: 'server.lost-reading' | 'server.timeout',
): void {
  const { host, loss, memory } = errand
  const wasOpen = memory.inTransaction
  const mayHaveCommitted = wasOpen && mayCommit(errand)
  const canSpeak = ownSequence(host) !== undefined && server.tracker.takesError
  loss.note()
  if (mayHaveCommitted) host.giveUp(new Fault('server.lost-commit'))
  else if (!canSpeak) host.giveUp(new Fault(code))
  else host.endWith(loss.isPending ? loss.take() : new Fault(code))
}

function mayCommit({ judged }: Pick<Stranded, 'judged'>): boolean {
  return judged === undefined || (judged.flags & (FLAG.mayCommit | FLAG.multiple)) !== 0
}
