/** One client as others see it: SHOW PROCESSLIST, and who waits for it to leave. */
import { commandName } from './commands.ts'
import type { Credentials } from './login.ts'
import type { SessionMemory } from './memory.ts'
import type { Pipeline } from './pipeline.ts'
import type { ProcessRow } from './ports.ts'
import type { Servers } from './servers.ts'
import type { SessionState } from './states.ts'

type Shown = {
  readonly id: number
  readonly clientAddress: string
  readonly credentials: Credentials | undefined
  readonly memory: SessionMemory
  readonly servers: Servers
}

export function processRow(session: Shown, pipeline: Pipeline | undefined): ProcessRow {
  const { credentials, memory, servers } = session
  const running = pipeline && runningCommand(pipeline)
  return {
    id: session.id,
    user: credentials?.identity.user ?? '',
    tenant: credentials?.tenant ?? '',
    host: session.clientAddress,
    database: memory.schema ?? null,
    command: running ?? 'Sleep',
    seconds: pipeline === undefined ? 0 : secondsSince(pipeline.begunMs),
    state: running === undefined ? 'SLEEP' : 'ACTIVE',
    statement: pipeline?.course.statement() ?? null,
    serverPort: servers.current?.address.port ?? 0,
  }
}

/** Undefined between commands. */
function runningCommand({ state, command }: Pipeline): string | undefined {
  return state === 'idle' ? undefined : commandName(command)
}

function secondsSince(beganMs: number): number {
  return Math.floor((performance.now() - beganMs) / 1000)
}

type Standing = {
  readonly isAdmin: boolean
  readonly memory: SessionMemory
  readonly state: SessionState
  readonly pinned: string
}

/** Why it is still there. */
export function standingOf(session: Standing, isLoggedIn: boolean): string {
  if (session.isAdmin) return 'administrator'
  if (!isLoggedIn) return 'logging in'
  if (session.memory.inTransaction) return 'transaction'
  if (session.state !== 'idle') return 'statement'
  return session.pinned || 'waiting for its turn'
}
