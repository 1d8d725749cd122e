/**
 * `npm run dev`: the stack on one machine, up to a ready screen; Ctrl-C stops all of it.
 * `npm run dev -- reboot NODE` reboots the instance of a node of the running stack;
 * `npm run dev -- package FILE` gives it another package to upgrade to.
 */
import { join } from 'node:path'
import { readJson, writePrivately } from './files.ts'
import { newPackage } from './stack/new-package.ts'
import { requireFreePorts } from './stack/ports.ts'
import { reboot } from './stack/reboot.ts'
import { readyScreen } from './stack/screen.ts'
import { endLeftovers, startOf } from './stack/services.ts'
import { type StackSettings, stackSettings } from './stack/settings.ts'
import { resetStack, Stack } from './stack/stack.ts'
import { forgetTable } from './stack/table.ts'

const USAGE = `usage:
  npm run dev                   start the stack, up to a ready screen; Ctrl-C stops it
  npm run dev -- --reset        forget data, nodes, keys and the API's token first
  npm run -s dev -- --json      print one JSON line when ready, nothing else on standard output
  npm run dev -- reboot NODE    reboot the instance of a node: its name, id or address, or an instance id
  npm run dev -- package FILE   register a package and put it where hosts can fetch it
  npm run dev -- --help         print this
environment:
  OBFLEET_STACK=1..100          another stack beside the first, on a loopback network of its own
  OBFLEET_HOME=FOLDER           where a stack keeps everything (stack 0: .obfleet)
  OBFLEET_KERNEL_VENV=FOLDER    a python environment that has the kernel
  OBFLEET_DYNAMODB_ENDPOINT=URL another DynamoDB API
`

/** What is done to a stack that runs. */
const ORDERS: ReadonlyMap<
  string,
  {
    readonly takes: string
    readonly act: (settings: StackSettings, of: string) => Promise<string>
  }
> = new Map([
  ['reboot', { takes: 'NODE', act: reboot }],
  ['package', { takes: 'FILE', act: newPackage }],
])

type Options = { readonly reset: boolean; readonly json: boolean }

/** Runs until it is stopped; the exit code. */
export async function main(args: readonly string[]): Promise<number> {
  // A terminal that is gone takes no more lines; what was started must be stopped all the same.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})
  if (args.some(arg => arg === '--help' || arg === '-h')) {
    process.stdout.write(USAGE)
    return 0
  }
  try {
    const settings = stackSettings(process.env)
    const [first = '', of, ...rest] = args
    const order = ORDERS.get(first)
    if (order !== undefined) {
      if (of === undefined || rest.length > 0)
        return complain(`${first} takes one ${order.takes}\n${USAGE}`)
      process.stdout.write(`${await order.act(settings, of)}\n`)
      return 0
    }
    const unknown = args.find(arg => arg !== '--reset' && arg !== '--json')
    if (unknown !== undefined) return complain(`unknown argument ${unknown}\n${USAGE}`)
    return await up(settings, { reset: args.includes('--reset'), json: args.includes('--json') })
  } catch (error) {
    return complain((error as Error).message)
  }
}

async function up(settings: StackSettings, { reset, json }: Options): Promise<number> {
  const { home } = settings
  const other = runningStack(home)
  if (other !== undefined)
    return complain(
      `the stack of ${home} is running already (process ${other}); stop it with Ctrl-C first, or start another one with OBFLEET_STACK=1 (to 100) and an OBFLEET_HOME of its own`,
    )
  const note = (line: string) => {
    if (!json) process.stdout.write(`  ${line}\n`)
  }
  const left = await endLeftovers(home)
  if (left.length > 0) note(`the last stack was killed; ended what it left: ${left.join(', ')}`)
  await requireFreePorts(settings)
  if (reset) {
    await forgetTable(home, process.env['OBFLEET_DYNAMODB_ENDPOINT'])
    resetStack(home)
  }
  const stack = new Stack(settings, note)
  writePrivately(join(home, 'stack.json'), { pid: process.pid, started: startOf(process.pid) })
  const asked = askedToStop()
  try {
    const shown = await Promise.race([stack.start(), asked])
    if (shown === 'asked') return 0
    process.stdout.write(
      json ? `${JSON.stringify(shown.dev)}\n` : readyScreen(shown, home, commandFor(settings)),
    )
    const end = await Promise.race([asked, stack.services.givenUp])
    return end === 'asked' ? 0 : complain(end)
  } finally {
    note('stopping')
    await stack.services.stop()
  }
}

/** A closed terminal (SIGHUP) is as good as Ctrl-C. */
function askedToStop(): Promise<'asked'> {
  return new Promise(done => {
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
      process.on(name, () => done('asked'))
  })
}

/** The process of a stack that lives in `home`, if one does. */
function runningStack(home: string): number | undefined {
  const stored = readJson(join(home, 'stack.json')) as { pid: number; started: string } | undefined
  return stored !== undefined && startOf(stored.pid) === stored.started ? stored.pid : undefined
}

/** As it must be written to reach this stack from another shell. */
function commandFor({ number, home }: StackSettings): string {
  return number === 0 ? 'npm run dev' : `OBFLEET_STACK=${number} OBFLEET_HOME=${home} npm run dev`
}

function complain(line: string): number {
  process.stderr.write(`obfleet: ${line.trimEnd()}\n`)
  return 1
}
