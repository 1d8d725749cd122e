/** Drivers written in Python, in an environment of their own that is made once. */
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'

const RUN = promisify(execFile)
const ROOT = resolve(import.meta.dirname, '../..')
const PACKAGES = ['mysql-connector-python==8.4.0', 'PyMySQL==1.2.4']
/** Of the lines that a script prints. */
const MAX_OUTPUT_BYTES = 16 << 20

/** Path of a python that has the drivers. */
export async function installPythonDrivers(): Promise<string> {
  const venv = join(ROOT, '.obfleet/drivers/venv')
  const done = join(venv, '.complete')
  const wanted = PACKAGES.join(' ')
  // An environment of other packages, or one that was not finished, is made anew.
  if (!existsSync(done) || readFileSync(done, 'utf8') !== wanted) {
    rmSync(venv, { recursive: true, force: true })
    mkdirSync(venv, { recursive: true })
    await RUN('python3', ['-m', 'venv', venv])
    await RUN(join(venv, 'bin/pip'), ['install', '--quiet', ...PACKAGES], { timeout: 170_000 })
    writeFileSync(done, wanted)
  }
  return join(venv, 'bin/python')
}

/** Runs a script of `test/drivers`; the JSON documents that it prints, one a line. */
export async function runScript(
  python: string,
  script: string,
  args: readonly string[],
  timeoutMs: number,
): Promise<unknown[]> {
  const { stdout } = await RUN(python, [join(ROOT, 'test/drivers', script), ...args], {
    timeout: timeoutMs,
    maxBuffer: MAX_OUTPUT_BYTES,
  })
  return stdout
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line) as unknown)
}
