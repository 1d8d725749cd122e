/** CALL: the statements of a procedure one after the other, each result handed on as it comes. */
import type { Cell } from '../codec.ts'
import { type Answer, DONE } from './answer.ts'
import { CONTEXT_PROCEDURES } from './context.ts'
import { parse } from './parser.ts'
import type { Result } from './select.ts'
import type { Locals, Session } from './session.ts'
import { SqlError } from './sql-error.ts'
import type { CreateProcedure, Statement } from './statement.ts'

/** Carries out a statement of a procedure, in which its parameters are known. */
export type Run = (statement: Statement, locals: Locals) => Promise<Answer>
export type Call = { readonly name: string; readonly args: readonly Cell[] }

/** @throws SqlError 1305, 1318 */
export function callProcedure(session: Session, { name, args }: Call, run: Run): Answer {
  const own = CONTEXT_PROCEDURES[name]
  if (own !== undefined) {
    own(session.context, args)
    return DONE
  }
  const procedure = session.world.procedures.get(name)
  if (procedure === undefined) throw new SqlError(1305, '42000', `PROCEDURE ${name} does not exist`)
  if (procedure.parameters.length !== args.length)
    throw new SqlError(1318, '42000', `Incorrect number of arguments for PROCEDURE ${name}`)
  const locals = new Map(procedure.parameters.map((each, at) => [each, args[at] ?? null]))
  return { kind: 'results', results: resultsOf(procedure, locals, run) }
}

async function* resultsOf(
  { body }: CreateProcedure,
  locals: Locals,
  run: Run,
): AsyncGenerator<Result> {
  for (const sql of body) {
    const { statement } = parse(sql)
    // A procedure that calls itself would never end.
    if (statement.kind === 'call' || statement.kind === 'load')
      throw new SqlError(1235, '0A000', 'the scripted engine does not nest CALL')
    const answer = await run(statement, locals)
    if (answer.kind === 'rows') yield answer.result
  }
}
