/** Processes of the stack: started, waited for, replaced, given up, and found again by the next stack. */
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { endLeftovers, Services, startOf } from '../../../../../infra/local/stack/services.ts'

let folder: string
let notes: string[]
let services: Services

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'obfleet-services-'))
  notes = []
  services = new Services(folder, line => notes.push(line))
})

afterEach(async () => {
  await services.stop()
  rmSync(folder, { recursive: true, force: true })
})

const node = (name: string, script: string) => ({
  name,
  command: process.execPath,
  args: ['-e', script],
})
const LIVES =
  'process.stdout.write(JSON.stringify({pid:process.pid})+"\\n");setInterval(()=>{},1e6)'

async function until(holds: () => boolean): Promise<void> {
  const deadline = Date.now() + 10_000
  while (!holds()) {
    if (Date.now() > deadline) throw new Error('did not come true in 10 s')
    await new Promise(resolve => setTimeout(resolve, 10))
  }
}

describe('a service', () => {
  test('is ready with its first line, and ends with the stack', async () => {
    const { pid } = JSON.parse(await services.start(node('one', LIVES))) as { pid: number }
    expect(pid).toBe(services.pidOf('one'))
    await services.stop()
    expect(startOf(pid)).toBeUndefined()
  })

  test('that dies before it is ready says why in one line', async () => {
    const start = services.start(node('two', 'console.error("no disk\\n");process.exit(3)'))
    await expect(start).rejects.toThrow('two: no disk')
  })

  test('that cannot be started at all says why', async () => {
    await expect(
      services.start({ name: 'none', command: '/no/such/program', args: [] }),
    ).rejects.toThrow('ENOENT')
  })

  test('killed is started again', async () => {
    await services.start(node('three', LIVES))
    const first = services.pidOf('three') ?? 0
    process.kill(first, 'SIGKILL')
    await until(() => {
      const now = services.pidOf('three')
      return now !== undefined && now !== first && startOf(now) !== undefined
    })
    expect(notes).toContain('three ended; starting it again')
  })

  test('that dies again and again is given up with its last line', async () => {
    await services.start(
      node('four', `${LIVES};setTimeout(()=>{console.error("worn out");process.exit(1)},50)`),
    )
    expect(await services.givenUp).toBe('four: worn out')
  })

  test('has a private log', async () => {
    await services.start(node('five', `console.error("hello");${LIVES}`))
    const log = join(folder, 'log/five.log')
    await until(() => readFileSync(log, 'utf8') === 'hello\n')
    expect(statSync(log).mode & 0o777).toBe(0o600)
  })
})

test('the next stack ends what a killed one left, and can say what it was', async () => {
  await services.start(node('six', LIVES))
  const pid = services.pidOf('six') ?? 0
  expect(await endLeftovers(folder)).toEqual(['six'])
  expect(startOf(pid)).toBeUndefined()
  expect(await endLeftovers(folder)).toEqual([])
})

test('a stack that stops starts nothing more', async () => {
  await services.stop()
  await expect(services.start(node('seven', LIVES))).rejects.toThrow('the stack stops')
})
