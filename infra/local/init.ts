/**
 * The init process of one managed instance (L1): the stack and Run Command may die without it.
 * SIGTERM is its power-off. Prints one JSON line when booted.
 * Usage: init.ts ROOT — with `etc/obfleet/node.env` in it; control socket at `run/init.sock`, one
 * JSON line each way: `{"op":"start","unit":"x.service"}` → `{"ok":true,"active":true,"pid":7,"enabled":true}`;
 * ops start, stop, restart, status, enable, disable, daemon-reload, info, reboot, crash, poweroff.
 */
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { join, resolve } from 'node:path'
import { z } from 'zod'
import { askInit } from './instance/init-client.ts'
import { Machine } from './instance/machine.ts'
import { parseEnvironmentFile } from './instance/unit-file.ts'

const MAX_LINE_CHARS = 4096
const IDLE_MS = 900_000

const askedSchema = z.object({ op: z.string().max(40), unit: z.string().max(200).optional() })

async function run(root: string): Promise<void> {
  const file = join(root, 'etc/obfleet/node.env')
  if (!existsSync(file)) throw new Error(`${file} is missing`)
  const socket = join(root, 'run/init.sock')
  await claim(socket)
  const note = (line: string) => void process.stderr.write(`${new Date().toISOString()} ${line}\n`)
  const { PATH = '/usr/sbin:/usr/bin:/sbin:/bin' } = process.env
  const machine = new Machine({
    root,
    env: { PATH, ...parseEnvironmentFile(readFileSync(file, 'utf8')) },
    note,
  })
  let isEnding = false
  const end = () => {
    if (isEnding) return
    isEnding = true
    void machine.powerOff().then(() => {
      rmSync(socket, { force: true })
      process.exit(0)
    })
  }
  await listen(socket, { machine, end })
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.on(name, end)
  process.on('SIGHUP', () => {})
  process.stdout.on('error', () => {})
  process.stderr.on('error', () => {})
  await machine.boot()
  process.stdout.write(`${JSON.stringify({ socket, bootId: machine.bootId })}\n`)
}

/** One init a root. @throws Error when another one answers. */
async function claim(socket: string): Promise<void> {
  mkdirSync(resolve(socket, '..'), { recursive: true, mode: 0o700 })
  const answer = await askInit(socket, { op: 'info' }, 2_000).catch(() => undefined)
  if (answer !== undefined) throw new Error(`${socket}: another init runs this instance`)
  rmSync(socket, { force: true })
}

type Power = { readonly machine: Machine; readonly end: () => void }

function listen(path: string, power: Power): Promise<Server> {
  const server = createServer(client => serve(client, power))
  return new Promise((done, reject) => {
    server.once('error', reject)
    server.listen(path, () => {
      chmodSync(path, 0o600)
      done(server)
    })
  })
}

function serve(client: Socket, power: Power): void {
  let text = ''
  client.setTimeout(IDLE_MS, () => client.destroy())
  client.on('error', () => client.destroy())
  client.on('data', (bytes: Buffer) => {
    text += bytes.toString()
    if (text.length > MAX_LINE_CHARS) return void client.destroy()
    const lines = text.split('\n')
    text = lines.pop() ?? ''
    for (const line of lines)
      void answer(line, power)
        .catch((error: Error) => ({ ok: false, error: error.message }))
        .then(said => client.write(`${JSON.stringify(said)}\n`))
  })
}

async function answer(line: string, { machine, end }: Power): Promise<object> {
  const asked = askedSchema.safeParse(JSON.parse(line))
  if (!asked.success) throw new Error('not understood')
  const { op, unit } = asked.data
  if (op === 'info') return { ok: true, bootId: machine.bootId ?? null }
  // Unit files are read at each start.
  if (op === 'daemon-reload') return { ok: true }
  if (op === 'reboot' || op === 'crash') {
    await machine[op]()
    return { ok: true, bootId: machine.bootId ?? null }
  }
  if (op === 'poweroff') {
    end()
    return { ok: true }
  }
  if (unit === undefined) throw new Error(`${op} needs a unit`)
  return { ok: true, ...(await machine.unit(op, unit)) }
}

run(resolve(process.argv[2] ?? '.')).catch((error: Error) => {
  process.stderr.write(`init: ${error.message}\n`)
  process.exit(1)
})
