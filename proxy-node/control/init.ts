/**
 * The service manager that owns the proxy, so that it outlives the command that started it: systemd,
 * or the init process of a local instance where its socket exists.
 */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { z } from 'zod'
import { Fault } from '#contract/fault'
import { askUnixSocket } from '../net/unix-request.ts'
import { reasonOf } from './durable-file.ts'
import type { Paths } from './paths.ts'

/** Longer than the units' TimeoutStopSec. */
const ACTION_TIMEOUT_MS = 60_000
const STATE_TIMEOUT_MS = 5_000

export type UnitStatus = {
  readonly active: boolean
  readonly pid: number | null
  readonly enabled: boolean
}

export type UnitAction = 'start' | 'stop' | 'restart' | 'enable' | 'disable'

export type Init = {
  /** Returns when the service manager has done it. @throws node.init-failed */
  readonly act: (action: UnitAction, unit: string) => Promise<void>
  /** A unit that does not exist is inactive. @throws node.init-failed */
  readonly status: (unit: string) => Promise<UnitStatus>
  /** Reads changed unit files. @throws node.init-failed */
  readonly reload: () => Promise<void>
  /** Whether the machine shuts down: what fails then is no failure of the node. Never throws. */
  readonly isGoingDown: () => Promise<boolean>
}

const answerSchema = z.object({
  ok: z.boolean(),
  active: z.boolean().default(false),
  pid: z.int().nullable().default(null),
  enabled: z.boolean().default(false),
  error: z.string().optional(),
})

/** An instance that is up has a boot. */
const machineSchema = z.object({ ok: z.literal(true), bootId: z.string() })

/** The init process of this instance; systemd only where the root is the machine's own. */
export function initOf(paths: Paths): Init {
  if (existsSync(paths.initSocket)) return socketInit(paths.initSocket)
  return paths.root === '' ? SYSTEMD : socketInit(paths.initSocket)
}

function socketInit(socket: string): Init {
  const ask = async (op: string, unit?: string) => {
    const failed = (reason: string, cause?: unknown) =>
      new Fault('node.init-failed', { action: op, unit: unit ?? 'the units', reason }, { cause })
    const question = JSON.stringify(unit === undefined ? { op } : { op, unit })
    const line = await askUnixSocket(socket, question, ACTION_TIMEOUT_MS).catch(error => {
      throw failed(reasonOf(error), error)
    })
    const answer = answerSchema.safeParse(parsed(line))
    if (!answer.success) throw failed('the init process gave no valid answer')
    if (!answer.data.ok) throw failed((answer.data.error ?? 'no reason given').slice(0, 300))
    return answer.data
  }
  return {
    act: async (action, unit) => void (await ask(action, unit)),
    status: async unit => {
      const { active, pid, enabled } = await ask('status', unit)
      return { active, pid, enabled }
    },
    reload: async () => void (await ask('daemon-reload')),
    isGoingDown: () =>
      askUnixSocket(socket, '{"op":"info"}', STATE_TIMEOUT_MS).then(
        line => !machineSchema.safeParse(parsed(line)).success,
        // An init process that is gone takes its instance with it.
        () => true,
      ),
  }
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}

const SYSTEMD: Init = {
  act: async (action, unit) => void (await systemctl(action, unit)),
  status: async unit => {
    const text = await systemctl('show', '--property=ActiveState,MainPID,UnitFileState', '--', unit)
    return parseUnitProperties(text)
  },
  reload: async () => void (await systemctl('daemon-reload')),
  isGoingDown: () =>
    new Promise(resolve => {
      // Its exit code is 0 for `running` alone; the word is printed in any case.
      execFile('systemctl', ['is-system-running'], { timeout: STATE_TIMEOUT_MS }, (_error, out) =>
        resolve(out.trim() === 'stopping'),
      )
    }),
}

/** Output of `systemctl show`. A unit between two starts counts as active: systemd will start it. */
export function parseUnitProperties(text: string): UnitStatus {
  const property = (name: string) => new RegExp(`^${name}=(.*)$`, 'm').exec(text)?.[1] ?? ''
  const pid = Number(property('MainPID'))
  return {
    active: ['active', 'activating', 'reloading'].includes(property('ActiveState')),
    pid: pid > 0 ? pid : null,
    enabled: property('UnitFileState').startsWith('enabled'),
  }
}

function systemctl(...args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(
      'systemctl',
      ['--no-pager', '--no-ask-password', ...args],
      { timeout: ACTION_TIMEOUT_MS, maxBuffer: 64 * 1024 },
      (error, out, err) => {
        if (error === null) return resolve(out)
        const reason = (err.trim() || error.message).slice(0, 300)
        const [action = '', unit = 'the units'] = [args[0], args.at(-1)]
        reject(new Fault('node.init-failed', { action, unit, reason }, { cause: error }))
      },
    )
  })
}
