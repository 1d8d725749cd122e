/** The MySQL 8.4 client library in an environment of its own, installed once. */
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'

const RUN = promisify(execFile)
const ROOT = resolve(import.meta.dirname, '../..')
const PACKAGE = 'mysql-connector-python==8.4.0'
const SCRIPT = join(ROOT, 'test/drivers/connector.py')

export type Account = {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string
  readonly database: string
}

/** Path of a python that has the library. */
export async function installConnector(): Promise<string> {
  const venv = join(ROOT, '.obfleet/drivers/venv')
  const done = join(venv, '.complete')
  if (!existsSync(done)) {
    rmSync(venv, { recursive: true, force: true })
    mkdirSync(venv, { recursive: true })
    await RUN('python3', ['-m', 'venv', venv])
    await RUN(join(venv, 'bin/pip'), ['install', '--quiet', PACKAGE], { timeout: 170_000 })
    writeFileSync(done, PACKAGE)
  }
  return join(venv, 'bin/python')
}

/** What the library sees at one address. */
export async function connectorSees(
  python: string,
  { host, port, user, password, database }: Account,
): Promise<Record<string, unknown>> {
  const args = [SCRIPT, host, `${port}`, user, password, database]
  const { stdout } = await RUN(python, args, { timeout: 60_000 })
  return JSON.parse(stdout) as Record<string, unknown>
}
