/**
 * One step `aws:runShellScript` as the agent runs it: a script file, `sh -c`, a process group of its
 * own, no input, SIGKILL to the group at the time-out (ssm-run-command.md §6, §9).
 */
import { spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  type DocumentContent,
  type DocumentStep,
  matchesPlatform,
  type ParameterValues,
  scriptOf,
  stepTimeoutSec,
  substituted,
} from '../ssm/documents.ts'
import type { StepResult } from '../ssm/model.ts'
import { BoundedOutput, combined, STDERR_LIMIT, STDOUT_LIMIT, truncated } from '../ssm/output.ts'
import type { StepStatus } from '../ssm/status.ts'

const KILLED = 137
const SIGNALLED = 128

export type StepRun = {
  readonly content: DocumentContent
  readonly step: DocumentStep
  readonly parameters: ParameterValues
  /** Where the script is written. */
  readonly folder: string
  readonly env: Readonly<Record<string, string>>
  /** Aborted by a cancel. */
  readonly cancel: AbortSignal
}

/** Runs a step to its end; it never throws: a script that cannot be written or started has failed. */
export async function runStep(run: StepRun): Promise<StepResult> {
  const startedAt = Date.now()
  try {
    return await runScript(run, startedAt)
  } catch (error) {
    return failedStep(run.step.name, (error as Error).message, startedAt)
  }
}

/** Result of a step that did not come to its own end. */
export function failedStep(name: string, complaint: string, startedAt: number): StepResult {
  return result(name, 'Failed', { code: 1, startedAt, stderr: Buffer.from(complaint) })
}

function runScript(run: StepRun, startedAt: number): Promise<StepResult> {
  const { step, content, parameters } = run
  if (!matchesPlatform(step, 'Linux'))
    return Promise.resolve(result(step.name, 'Skipped', { code: 0, startedAt }))
  if (run.cancel.aborted)
    return Promise.resolve(result(step.name, 'Cancelled', { code: 1, startedAt }))
  const folder = join(run.folder, step.name.replace(/[^A-Za-z0-9_-]/g, '_'))
  const file = join(folder, '_script.sh')
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  writeFileSync(file, substituted(scriptOf(step), content, parameters), { mode: 0o700 })
  const { workingDirectory: given } = step.inputs
  const child = spawn('sh', ['-c', file], {
    cwd: given?.startsWith('/') ? given : '/',
    env: { ...run.env },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const stdout = new BoundedOutput(STDOUT_LIMIT + 1)
  const stderr = new BoundedOutput(STDOUT_LIMIT + 1)
  child.stdout.on('data', (bytes: Buffer) => stdout.push(bytes))
  child.stderr.on('data', (bytes: Buffer) => stderr.push(bytes))
  let reason: 'TimedOut' | 'Cancelled' | undefined
  const kill = (why: 'TimedOut' | 'Cancelled') => {
    reason ??= why
    killGroup(child.pid)
  }
  const timer = setTimeout(() => kill('TimedOut'), stepTimeoutSec(step) * 1000)
  const cancelled = () => kill('Cancelled')
  run.cancel.addEventListener('abort', cancelled)
  return new Promise(resolve => {
    const done = (code: number, complaint = '') => {
      clearTimeout(timer)
      run.cancel.removeEventListener('abort', cancelled)
      const status = reason ?? statusOf(code)
      if (status === 'Failed') stderr.push(Buffer.from(complaint || exitLine(code)))
      resolve(
        result(step.name, status, {
          code,
          startedAt,
          stdout: stdout.bytes(),
          stderr: stderr.bytes(),
        }),
      )
    }
    child.once('error', error => done(1, error.message))
    // Not `exit`: the step ends when the last holder of its output is gone, as the agent's does.
    child.once('close', (code, signal) =>
      done(reason !== undefined || signal === 'SIGKILL' ? KILLED : (code ?? SIGNALLED)),
    )
  })
}

/** Exit code → status; 194 is a reboot and decided by the caller. */
function statusOf(code: number): StepStatus {
  if (code === 0 || code === 168) return 'Success'
  return code === KILLED ? 'TimedOut' : 'Failed'
}

function exitLine(code: number): string {
  return `failed to run commands: exit status ${code}`
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // The group is gone already.
  }
}

function result(
  name: string,
  status: StepStatus,
  given: {
    readonly code: number
    readonly startedAt: number
    readonly stdout?: Buffer
    readonly stderr?: Buffer
  },
): StepResult {
  const { code, startedAt, stdout = Buffer.alloc(0), stderr = Buffer.alloc(0) } = given
  return {
    name,
    status,
    code,
    stdout: truncated(stdout, STDOUT_LIMIT),
    stderr: truncated(stderr, STDERR_LIMIT),
    output: combined(stdout, stderr),
    startedAt,
    endedAt: Date.now(),
  }
}
