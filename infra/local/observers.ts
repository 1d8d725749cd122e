/**
 * The OB cluster of the local stack as a process of its own: an engine and its fronts.
 * Usage: observers.ts FOLDER SUBNET [--engine kernel|scripted|auto] [--control HOST:PORT] [--servers N]
 * Data and accounts lie under FOLDER, the fronts on SUBNET.1 and on, 3 unless told otherwise, in turns
 * over three zones. `auto`, the default, is the
 * kernel, or the scripted engine where python or the package cannot be had; with `CI=true` that is an
 * error instead. When ready it prints one JSON line, `{servers, engine, reason?, pid, control}`;
 * `control` is the URL of orders and counters (front/control.ts). SIGTERM, or the end of standard
 * input, ends it with everything it started.
 */
import { mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { startControl } from './front/control.ts'
import type { Engine } from './front/engine.ts'
import { Front } from './front/front.ts'
import { kernelEngine } from './front/kernel-engine.ts'
import { Picture } from './front/picture.ts'
import { scriptedEngine } from './front/scripted/engine.ts'
import { installKernel, KernelUnavailable, readAccounts, startKernel } from './kernel.ts'

const CLUSTER = 'obcluster'
const SQL_PORT = 2881
const TENANTS = ['sys', 'app']
const ENGINES = ['kernel', 'scripted', 'auto'] as const
const ZONES = 3
const MAX_SERVERS = 99
const OPTIONS = ['--engine', '--control', '--servers']
const USAGE =
  'observers.ts FOLDER SUBNET [--engine kernel|scripted|auto] [--control HOST:PORT] [--servers N]'

type EngineChoice = (typeof ENGINES)[number]

type Arguments = {
  readonly folder: string
  readonly subnet: string
  readonly engine: EngineChoice
  readonly servers: number
  readonly control: { readonly host: string; readonly port: number }
}

type Running = {
  readonly engine: Engine
  readonly pid: number
  /** Why it is not the kernel. */
  readonly reason: string | undefined
  readonly stop: () => Promise<void>
}

/** What the command line is wrong in. */
class WrongUsage extends Error {}

/** @throws WrongUsage */
function readArguments(args: readonly string[]): Arguments {
  const places: string[] = []
  const options = new Map<string, string>()
  for (let at = 0; at < args.length; at += 1) {
    const arg = args[at] ?? ''
    if (!arg.startsWith('--')) places.push(arg)
    else options.set(arg, args[++at] ?? '')
  }
  const unknown = [...options.keys()].find(name => !OPTIONS.includes(name))
  const servers = Number(options.get('--servers') ?? ZONES)
  const isCount = Number.isInteger(servers) && servers >= 1 && servers <= MAX_SERVERS
  const engine = ENGINES.find(name => name === (options.get('--engine') ?? 'auto'))
  const control = /^([\d.]+):(\d{1,5})$/.exec(options.get('--control') ?? '127.0.0.1:0')
  if (
    unknown !== undefined ||
    !isCount ||
    engine === undefined ||
    control === null ||
    places.length > 2
  )
    throw new WrongUsage(`usage: ${USAGE}`)
  return {
    folder: resolve(places[0] ?? '.obfleet/kernel'),
    subnet: places[1] ?? '127.10.2',
    engine,
    servers,
    control: { host: control[1] ?? '', port: Number(control[2]) },
  }
}

async function startEngine({ folder, engine }: Arguments): Promise<Running> {
  if (engine === 'scripted') return startScripted(folder, 'asked for by --engine')
  try {
    const python = await installKernel(folder, line => process.stderr.write(`${line}\n`))
    const kernel = await startKernel(python, folder)
    return { engine: kernelEngine(kernel), pid: kernel.pid, reason: undefined, stop: kernel.stop }
  } catch (error) {
    const mayFallBack = engine === 'auto' && process.env['CI'] !== 'true'
    if (!mayFallBack || !(error instanceof KernelUnavailable)) throw error
    return startScripted(folder, error.message)
  }
}

function startScripted(folder: string, reason: string): Running {
  mkdirSync(join(folder, 'scripted'), { recursive: true, mode: 0o700 })
  const accounts = readAccounts(folder)
  const engine = scriptedEngine({
    cluster: CLUSTER,
    accounts,
    databases: [accounts.database],
    file: join(folder, 'scripted/data.json'),
  })
  return { engine, pid: process.pid, reason, stop: () => Promise.resolve() }
}

function pictureOf({ subnet, servers }: Arguments): Picture {
  return new Picture({
    cluster: CLUSTER,
    version: '4.3.5.3',
    tenants: TENANTS,
    servers: Array.from({ length: servers }, (_server, at) => ({
      host: `${subnet}.${at + 1}`,
      port: SQL_PORT,
      zone: `z${(at % ZONES) + 1}`,
    })),
  })
}

async function run(args: Arguments): Promise<void> {
  const running = await startEngine(args)
  const picture = pictureOf(args)
  const fronts = picture.servers.map(server => new Front(server, picture, running.engine))
  const end = async (code: number) => {
    await Promise.all(fronts.map(front => front.stop()))
    await running.stop()
    process.exit(code)
  }
  process.on('SIGTERM', () => void end(0))
  process.on('SIGINT', () => {})
  // The stack that started this is gone: nothing may be left running.
  process.stdin.on('end', () => void end(0)).resume()
  try {
    await Promise.all(fronts.map(front => front.start()))
    const control = await startControl(fronts, args.control)
    const { reason, pid } = running
    const ready = {
      servers: picture.servers.map(({ host, port, zone }) => ({ host, port, zone })),
      engine: running.engine.kind,
      reason,
      pid,
    }
    process.stdout.write(`${JSON.stringify({ ...ready, control: control.url })}\n`)
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`)
    await end(1)
  }
}

function complain(error: Error): void {
  const isKnown =
    error instanceof KernelUnavailable || error instanceof WrongUsage || 'code' in error
  process.stderr.write(`${isKnown ? error.message : error.stack}\n`)
  process.exit(error instanceof WrongUsage ? 2 : 1)
}

try {
  run(readArguments(process.argv.slice(2))).catch(complain)
} catch (error) {
  complain(error as Error)
}
