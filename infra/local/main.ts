/**
 * `npm run dev`: the stack on one machine, up to a ready screen; Ctrl-C stops all of it.
 * `npm run dev -- reboot NODE` reboots the instance of a node of the running stack.
 */
import { join } from 'node:path'
import { readJson, writePrivately } from './files.ts'
import { askInit } from './instance/init-client.ts'
import { readyScreen } from './stack/screen.ts'
import { endLeftovers, startOf } from './stack/services.ts'
import { type StackSettings, stackSettings } from './stack/settings.ts'
import { type DevFile, instanceRoot, resetStack, Stack } from './stack/stack.ts'
import { forgetTable } from './stack/table.ts'

const USAGE = 'npm run dev [-- --reset] [-- --json] | npm run dev -- reboot NODE'
const REBOOT_DEADLINE_MS = 120_000

/** Runs until it is stopped; the exit code. */
export async function main(args: readonly string[]): Promise<number> {
  try {
    const settings = stackSettings(process.env)
    const [first, node, ...rest] = args
    if (first === 'reboot' && node !== undefined && rest.length === 0)
      return await reboot(settings, node)
    const unknown = args.find(arg => arg !== '--reset' && arg !== '--json')
    if (unknown !== undefined) return complain(`unknown argument ${unknown}; usage: ${USAGE}`)
    return await up(settings, { reset: args.includes('--reset'), json: args.includes('--json') })
  } catch (error) {
    return complain((error as Error).message)
  }
}

async function up(
  settings: StackSettings,
  { reset, json }: { readonly reset: boolean; readonly json: boolean },
): Promise<number> {
  const other = runningStack(settings.home)
  if (other !== undefined)
    return complain(`the stack is running already (process ${other}); stop it with Ctrl-C first`)
  await endLeftovers(settings.home)
  if (reset) {
    await forgetTable(settings.home, process.env['OBFLEET_DYNAMODB_ENDPOINT'])
    resetStack(settings.home)
  }
  const note = (line: string) => {
    if (!json) process.stdout.write(`  ${line}\n`)
  }
  const stack = new Stack(settings, note)
  writePrivately(join(settings.home, 'stack.json'), {
    pid: process.pid,
    started: startOf(process.pid),
  })
  const asked = new Promise<'asked'>(done => {
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => done('asked'))
  })
  try {
    const started = await Promise.race([stack.start(), asked])
    if (started === 'asked') return 0
    process.stdout.write(
      json ? `${JSON.stringify(started.dev)}\n` : readyScreen(started, settings.home),
    )
    const end = await Promise.race([asked, stack.services.givenUp])
    return end === 'asked' ? 0 : complain(end)
  } finally {
    note('stopping')
    await stack.services.stop()
  }
}

async function reboot({ home }: StackSettings, wanted: string): Promise<number> {
  const dev = readJson(join(home, 'dev.json')) as DevFile | undefined
  if (dev === undefined) return complain('no stack was started here; run `npm run dev` first')
  const node = dev.nodes.find(each => [each.id, each.name, each.host].includes(wanted))
  if (node === undefined)
    return complain(`no node "${wanted}"; there are ${dev.nodes.map(each => each.name).join(', ')}`)
  const socket = join(instanceRoot(home, node.instanceId), 'run/init.sock')
  const answer = await askInit(socket, { op: 'reboot' }, REBOOT_DEADLINE_MS).catch(
    (error: Error) => error,
  )
  if (answer instanceof Error) return complain(`${node.name}: ${answer.message}; is the stack up?`)
  process.stdout.write(`${node.name} has booted anew (boot id ${answer.bootId})\n`)
  return 0
}

/** The process of a stack that lives in `home`, if one does. */
function runningStack(home: string): number | undefined {
  const stored = readJson(join(home, 'stack.json')) as { pid: number; started: string } | undefined
  return stored !== undefined && startOf(stored.pid) === stored.started ? stored.pid : undefined
}

function complain(line: string): number {
  process.stderr.write(`obfleet: ${line}\n`)
  return 1
}
