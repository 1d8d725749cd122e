/**
 * What becomes of a command at a front: metadata questions are answered, orders are carried out,
 * everything else passes. Decides and counts; the gate acts.
 */
import { errorPacket, minimalOk, resultPayloads } from './codec.ts'
import { type Course, PASS } from './command-gate.ts'
import { COMMAND, type Command, isCommit } from './commands.ts'
import type { Front } from './front.ts'
import { metadataQuestion } from './picture.ts'

const NOT_MASTER = { errno: 4038, text: 'The replica is not master' }
const OUTSIDE = 0x0022

/** Proxies get an OK behind every answer. */
export function decideCourse(command: Command, front: Front, isProxy: boolean): Course {
  const { code, word, table } = command
  if (code === COMMAND.execute) return statement(command, front, isProxy)
  if (code === COMMAND.prepare) return preparation(table, front, isProxy)
  if (code !== COMMAND.query) return PASS
  const question = metadataQuestion(command.sql)
  if (question === undefined) return statement({ ...command, word }, front, isProxy)
  const failed = failure({ errno: 4012, text: 'the table entry cannot be read' }, isProxy)
  const payloads = () =>
    front.answer(question).then(
      found => resultPayloads(found, isProxy),
      () => failed,
    )
  return { kind: 'answer', payloads }
}

/** Preparing is no statement yet, but a replica that does not lead refuses it, too. */
function preparation(table: string | undefined, front: Front, isProxy: boolean): Course {
  if (front.order.kind !== 'not-master' || table === undefined) return PASS
  return refuse(NOT_MASTER, isProxy)
}

function statement(command: Command, front: Front, isProxy: boolean): Course {
  const { word, table } = command
  front.count(word, table)
  const { order } = front
  switch (order.kind) {
    case 'fail-next': {
      front.spent()
      const { errno, status } = order
      return refuse({ errno, text: `injected error ${errno}`, status }, isProxy)
    }
    case 'not-master':
      return table !== undefined || word === 'execute' ? refuse(NOT_MASTER, isProxy) : PASS
    case 'lose-next':
      front.spent()
      return { kind: 'lose', when: 'passed' }
    case 'lose-commit-before':
    case 'lose-commit-after':
      if (!isCommit(command)) return PASS
      front.spent()
      return order.kind === 'lose-commit-before'
        ? { kind: 'drop' }
        : { kind: 'lose', when: 'answered' }
    default:
      return PASS
  }
}

type Failure = {
  readonly errno: number
  readonly text: string
  /** Of the OK behind the error. */
  readonly status?: number | undefined
}

function refuse(failed: Failure, isProxy: boolean): Course {
  const payloads = failure(failed, isProxy)
  return { kind: 'answer', payloads: () => payloads }
}

function failure({ errno, text, status }: Failure, isProxy: boolean): readonly Buffer[] {
  const error = errorPacket(errno, 'HY000', text)
  return isProxy ? [error, minimalOk(status ?? OUTSIDE)] : [error]
}
