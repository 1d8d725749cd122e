/** Calls that take their time: SLEEP and GET_LOCK, made before anything else of a statement. */
import type { Cell } from '../codec.ts'
import { evaluate, numberOf, type Scope } from './evaluate.ts'
import type { Session } from './session.ts'
import { SqlError } from './sql-error.ts'
import type { Expression } from './statement.ts'

const LONGEST_WAIT_SEC = 86_400

/** Once a statement, in the order they are written. @throws SqlError 1317, 5066, 1235 */
export async function makeSlowCalls(
  session: Session,
  expressions: readonly Expression[],
  scope: Scope,
): Promise<void> {
  for (const expression of expressions) {
    if (expression.kind !== 'call') continue
    const values = () => expression.args.map(arg => evaluate(arg, scope))
    if (expression.name === 'sleep') session.waited.push(await sleep(session, values()))
    if (expression.name === 'get_lock') session.waited.push(await getLock(session, values()))
  }
}

async function sleep(session: Session, [seconds]: readonly Cell[]): Promise<Cell> {
  await session.wait(toMs(seconds), () => () => {})
  return 0
}

function toMs(seconds: Cell | undefined): number {
  return Math.min(LONGEST_WAIT_SEC, Math.max(0, numberOf(seconds ?? 0))) * 1000
}

/** 1 when it is held, 0 when the time is over. */
async function getLock(session: Session, [name, seconds]: readonly Cell[]): Promise<Cell> {
  if (!session.mayLock)
    throw new SqlError(1235, '0A000', 'Not supported feature or function: GET_LOCK')
  const locks = session.world.userLocks
  const key = String(name)
  const until = performance.now() + toMs(seconds)
  for (;;) {
    if (locks.take(key, session)) return 1
    const leftMs = until - performance.now()
    if (leftMs <= 0) return 0
    await session.wait(leftMs, wake => locks.onFreed(key, wake))
  }
}
