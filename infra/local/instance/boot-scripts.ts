/**
 * What a host starts at a boot besides units: the start links of its run level, then rc.local, one after the
 * other and beside the units, as systemd has them run. An instance has no root of its own here, so paths
 * that it has are put in for those that a script names.
 */
import { spawn } from 'node:child_process'
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
} from 'node:fs'
import { join } from 'node:path'

const LINKS = ['etc/rc.d/rc3.d', 'etc/rc3.d'] as const
const LOCAL = ['etc/rc.d/rc.local', 'etc/rc.local'] as const
const START_LINK = /^S\d+/
const MAY_RUN = 0o111
/** Within a word, too: `FOLDER=/opt/x`, `"/opt/x"`. */
const PATH = /(?<![\w.)}/-])\/[\w.@+-]+(?:\/[\w.@+-]+)*/g

export type BootScripts = {
  readonly root: string
  readonly env: Readonly<Record<string, string>>
  /** The power is off again. */
  readonly isOver: () => boolean
}

export async function runBootScripts({ root, env, isOver }: BootScripts): Promise<void> {
  for (const file of scriptsOf(root)) {
    if (isOver()) return
    await run(root, file, env)
  }
}

/** Of those that are one file under two names, one. */
function scriptsOf(root: string): readonly string[] {
  const folder = LINKS.map(name => join(root, name)).find(existsSync)
  const links =
    folder === undefined ? [] : readdirSync(folder).filter(name => START_LINK.test(name))
  const local = LOCAL.map(name => join(root, name)).find(existsSync)
  return [
    ...links.sort().map(name => join(folder ?? '', name)),
    ...(local === undefined ? [] : [local]),
  ].filter(mayRun)
}

function mayRun(file: string): boolean {
  const found = statSync(file, { throwIfNoEntry: false })
  return found?.isFile() === true && (found.mode & MAY_RUN) !== 0
}

/** Its processes are the instance's by their environment. A script that fails is its own matter. */
function run(root: string, file: string, env: BootScripts['env']): Promise<void> {
  const text = withPathsOf(root, readFileSync(file, 'utf8'))
  const folder = join(root, 'var/log/journal')
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const log = openSync(join(folder, 'boot-scripts.log'), 'a', 0o600)
  const child = spawn('/bin/sh', ['-c', text, file, 'start'], {
    cwd: root,
    env: { ...env, OBFLEET_UNIT: 'boot-scripts' },
    detached: true,
    stdio: ['ignore', log, log],
  })
  closeSync(log)
  return new Promise(done => {
    child.once('error', () => done())
    child.once('exit', () => done())
  })
}

/** A path of the instance where it has it, or where the machine has none such either. */
export function withPathsOf(root: string, text: string): string {
  return text.replace(PATH, path => {
    const inside = join(root, path)
    return existsSync(inside) || !existsSync(path) ? inside : path
  })
}
