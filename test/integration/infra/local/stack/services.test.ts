/** Processes of the stack: started, waited for, replaced, given up, and found again by the next stack. */
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { endLeftovers, Services, startOf } from '../../../../../infra/local/stack/services.ts'
import { until } from '../../../../support/until.ts'

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

const PATIENCE = { deadlineMs: 10_000, everyMs: 10 }

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

  test('that dies is not asked any more whether it is ready', async () => {
    let questions = 0
    let answer: (isReady: boolean) => void = () => {}
    const isReady = () => {
      questions += 1
      return new Promise<boolean>(resolve => {
        answer = resolve
      })
    }

    await expect(services.start({ ...node('gone', 'process.exit(3)'), isReady })).rejects.toThrow(
      'gone: ended with exit code 3',
    )
    answer(false)
    await new Promise(resolve => setTimeout(resolve, 100))

    expect(questions).toBe(1)
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
    await until(
      'another one runs',
      () => {
        const now = services.pidOf('three')
        return now !== undefined && now !== first && startOf(now) !== undefined
      },
      PATIENCE,
    )
    expect(notes).toContain('three ended; starting it again')
  })

  test.each([
    ['process.exit(1)', 'exit code 1'],
    ['process.kill(process.pid,"SIGSEGV")', 'signal SIGSEGV'],
  ])('that dies again and again by %s is given up, with how it ended', async (end, how) => {
    await services.start(
      node('four', `${LIVES};setTimeout(()=>{console.error('{"at":1}');${end}},50)`),
    )
    expect(await services.givenUp).toBe(
      `four ended 5 times within a minute (${how}); see log/four.log`,
    )
  })

  test.each([
    ['writes records only', `console.error('{"at":1}');process.exit(3)`, 'exit code 3'],
    ['is killed', 'process.kill(process.pid,"SIGKILL")', 'signal SIGKILL'],
  ])('that %s and dies before it is ready says how it ended', async (_name, script, how) => {
    await expect(services.start(node('five', script))).rejects.toThrow(`five: ended with ${how}`)
  })

  test('has a private log', async () => {
    await services.start(node('five', `console.error("hello");${LIVES}`))
    const log = join(folder, 'log/five.log')
    await until('it has said hello', () => readFileSync(log, 'utf8') === 'hello\n', PATIENCE)
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

test('what had ended before its beginning was noted is no leftover', async () => {
  const child = spawn(process.execPath, ['-e', ''])
  await new Promise(done => child.once('exit', done))
  const file = join(folder, 'run/short.json')
  writeFileSync(file, JSON.stringify({ pid: child.pid }))

  await endLeftovers(folder)

  expect(existsSync(file)).toBe(false)
})
