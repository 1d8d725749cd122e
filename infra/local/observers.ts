/**
 * The OB cluster of the local stack as a process of its own: the kernel and its fronts. Prints one
 * JSON line when ready; SIGTERM ends it with everything it started.
 * Usage: observers.ts FOLDER SUBNET — data and accounts under FOLDER, fronts on SUBNET.1 to .3.
 */
import { resolve } from 'node:path'
import { KernelFront } from './front/kernel-front.ts'
import type { Picture } from './front/picture.ts'
import { installKernel, KernelUnavailable, startKernel } from './kernel.ts'

const SQL_PORT = 2881
const TENANTS = ['sys', 'app']

async function run(folder: string, subnet: string): Promise<void> {
  const python = await installKernel(folder, line => process.stderr.write(`${line}\n`))
  const kernel = await startKernel(python, folder)
  const picture: Picture = {
    cluster: 'obcluster',
    version: '4.3.5.3',
    tenants: TENANTS,
    servers: [1, 2, 3].map(index => ({
      host: `${subnet}.${index}`,
      port: SQL_PORT,
      zone: `z${index}`,
    })),
  }
  const port = { host: '127.0.0.1', port: kernel.port, tableEntry: kernel.tableEntry }
  const fronts = picture.servers.map(server => new KernelFront(server, picture, port))
  const end = async () => {
    await Promise.all(fronts.map(front => front.stop()))
    await kernel.stop()
    process.exit(0)
  }
  process.on('SIGTERM', () => void end())
  process.on('SIGINT', () => {})
  // The stack that started this is gone: nothing may be left running.
  process.stdin.on('end', () => void end()).resume()
  await Promise.all(fronts.map(front => front.start()))
  process.stdout.write(`${JSON.stringify({ servers: picture.servers, pid: kernel.pid })}\n`)
}

const [folder, subnet] = process.argv.slice(2)
run(resolve(folder ?? '.obfleet/kernel'), subnet ?? '127.10.2').catch((error: Error) => {
  const known = error instanceof KernelUnavailable || 'code' in error
  process.stderr.write(`${known ? error.message : error.stack}\n`)
  process.exit(1)
})
