/**
 * Statements of tenant proxysys: tables of (grammar, answer), one a family, tried in order. They run
 * in the supervisor, which sees all workers; nothing here reaches a server.
 * Source: proxy-admin.md §2.1, §2.3, §2.7.
 */
import { Fault } from '#contract/fault'
import {
  type AdminPorts,
  type AdminResult,
  type AdminSession,
  bareStatement,
  type Rule,
} from './answer.ts'
import { CLUSTER_RULES } from './clusters.ts'
import { CONGESTION_RULES } from './congestion.ts'
import { COUNTER_RULES } from './counters.ts'
import { LEVEL_RULES } from './levels.ts'
import { NODE_RULES, PING } from './node.ts'
import { PARAMETER_RULES } from './parameters.ts'
import { PREAMBLE } from './preamble.ts'
import { RESOURCE_RULES } from './resources.ts'
import { ROUTE_RULES } from './routes.ts'
import { SESSION_RULES } from './sessions.ts'
import { SSL_RULES } from './ssl.ts'

/** Only rows come in masses; other grammars may take quadratic time over long blanks. */
const LONG = /^replace\s/i
const MAX_SHORT_CHARS = 64 * 1024

/** The preamble is last: its SELECT takes whatever the others leave. */
const RULES: readonly Rule[] = [
  ...NODE_RULES,
  ...PARAMETER_RULES,
  ...LEVEL_RULES,
  ...CLUSTER_RULES,
  ...ROUTE_RULES,
  ...CONGESTION_RULES,
  ...RESOURCE_RULES,
  ...COUNTER_RULES,
  ...SESSION_RULES,
  ...SSL_RULES,
  ...PREAMBLE,
]

/** Answers one statement of `session`; what goes wrong is an error answer, never an exception. */
export async function runAdmin(
  sql: string,
  session: AdminSession,
  ports: AdminPorts,
): Promise<AdminResult> {
  try {
    return await answerTo(bareStatement(sql), session, ports)
  } catch (error) {
    if (!(error instanceof Fault)) ports.failed(error)
    const fault = error instanceof Fault ? error : new Fault('proxy.internal')
    const { errno, state } = fault.entry.mysql ?? { errno: 10001, state: 'HY000' }
    return { kind: 'error', errno, state, message: fault.message }
  }
}

async function answerTo(
  statement: string,
  session: AdminSession,
  ports: AdminPorts,
): Promise<AdminResult> {
  for (const { grammar, answer } of mayRun(statement, session) ? RULES : []) {
    const found = grammar.exec(statement)
    const result = found === null ? undefined : await answer(found, ports, session)
    if (result !== undefined) return result
  }
  // Why not a number that every client shows: MariaDB's hides 5001 to 5025 behind its own 2027, but
  // 5010 is what OBProxy answers, and who knows OBProxy may look for it.
  throw new Fault('admin.unknown-statement')
}

/** Account inspector is for probes of load balancers and may nothing else (§1.6). */
function mayRun(statement: string, { user }: AdminSession): boolean {
  if (statement.length > MAX_SHORT_CHARS && !LONG.test(statement)) return false
  return user === 'root' || (user === 'inspector' && PING.test(statement))
}
