/**
 * What becomes of a command at a front: questions about the cluster are answered, orders are carried
 * out, everything else passes. Decides and counts; the gate acts.
 */
import {
  errorPacket,
  lenenc,
  minimalOk,
  okPacket,
  resultPayloads,
  variableChanges,
} from './codec.ts'
import { type Course, type Decided, PASS } from './command-gate.ts'
import { COMMAND, type Command, isCommit } from './commands.ts'
import type { Fault } from './faults.ts'
import type { Front } from './front.ts'
import { describedTenant, metadataQuestion } from './metadata.ts'
import { SqlError } from './scripted/sql-error.ts'

const NOT_MASTER = { errno: 4038, text: 'The replica is not master' }
const OUTSIDE = 0x0022
const REROUTE_VARIABLE = 'ob_client_reroute_info'

/** Whose command it is. */
export type Party = {
  /** Proxies get an OK behind every answer. */
  readonly isProxy: boolean
  readonly tenant: string
}

export function decideCourse(command: Command, front: Front, party: Party): Course {
  const { code, table } = command
  if (code === COMMAND.execute) return statement(command, front, party)
  if (code === COMMAND.prepare) return preparation(table, front, party)
  if (code !== COMMAND.query) return PASS
  const { flavour } = front.picture
  const question = metadataQuestion(command.sql, flavour, front.engine.insides === undefined)
  if (question === undefined) return description(command, front) ?? statement(command, front, party)
  const { isProxy } = party
  const fault = front.faults.meet('statement', party.tenant, command.sql)
  if (fault !== undefined) return refuse(failureOf(fault), isProxy)
  const payloads = () =>
    front.answer(question).then(
      found => resultPayloads(found, isProxy),
      error => failure(toFailure(error), isProxy),
    )
  return { kind: 'answer', payloads }
}

function toFailure(error: unknown): Failure {
  if (error instanceof SqlError) return { errno: error.errno, text: error.message }
  return { errno: 4012, text: 'the table entry cannot be read' }
}

/** Tables of a tenant are described by the engine, which knows them as those of its only one. */
function description({ sql, code }: Command, front: Front): Course | undefined {
  if (front.engine.insides !== undefined) return undefined
  const asked = describedTenant(sql)
  if (asked === undefined || !front.hasTenant(asked.tenant)) return undefined
  const payload = Buffer.concat([Buffer.from([code]), Buffer.from(asked.ofSys)])
  return { kind: 'replace', payload }
}

/** Preparing is no statement yet, but a replica that does not lead refuses it, too. */
function preparation(table: string | undefined, front: Front, { isProxy }: Party): Course {
  if (front.order.kind !== 'not-master' || table === undefined) return PASS
  return refuse(NOT_MASTER, isProxy)
}

function statement(command: Command, front: Front, party: Party): Course {
  const { word, table } = command
  const { isProxy } = party
  front.count(word, table)
  const fault = front.faults.meet('statement', party.tenant, command.sql)
  if (fault !== undefined) return refuse(failureOf(fault), isProxy)
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
  readonly reroute?: string | undefined
}

function failureOf({ errno, message, status, reroute }: Fault): Failure {
  return { errno, text: message ?? `injected error ${errno}`, status, reroute }
}

/** Another server leads, and this one executes nothing for it. */
export function refuseRemote({ isProxy }: Party): Decided {
  return refuse(NOT_MASTER, isProxy)
}

/** The packets of a login that meets a fault. */
export function loginFailure(fault: Fault, isProxy: boolean): readonly Buffer[] {
  return failure(failureOf(fault), isProxy)
}

function refuse(failed: Failure, isProxy: boolean): Decided {
  const payloads = failure(failed, isProxy)
  return { kind: 'answer', payloads: () => payloads }
}

function failure({ errno, text, status, reroute }: Failure, isProxy: boolean): readonly Buffer[] {
  const error = errorPacket(errno, 'HY000', text)
  if (!isProxy) return [error]
  if (reroute === undefined) return [error, minimalOk(status ?? OUTSIDE)]
  const changes = [variableChanges([], [[REROUTE_VARIABLE, rerouteTo(reroute)]])]
  return [error, okPacket({ affectedRows: 0, lastInsertId: 0, status: status ?? OUTSIDE, changes })]
}

const IPV4 = 4
const LEADER = 1

/** Where a statement belongs (proxy-protocol.md §4.4): a full replica that leads, of no named table. */
function rerouteTo(server: string): Buffer {
  const [host = '', port = ''] = server.split(':')
  const address = host.split('.').reduce((number, part) => number * 256 + Number(part), 0)
  const numbers = [IPV4, address, Number(port), LEADER, 0, 0, 0]
  const content = Buffer.concat(numbers.map(lenenc))
  return Buffer.concat([lenenc(content.length), content])
}
