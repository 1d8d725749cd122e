import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { pendingByMemory } from '../../../../proxy-node/control/in-force.ts'
import { pathsUnder } from '../../../../proxy-node/control/paths.ts'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'obfleet-in-force-'))
})
afterEach(() => rmSync(root, { recursive: true }))

const URL = 'http://config/services?a=1&Token=t0ken'
const set = (more: Record<string, string> = {}) =>
  new Map(
    Object.entries({
      work_thread_num: '4',
      frequent_accept: 'True',
      obproxy_config_server_url: URL,
      ...more,
    }),
  )
const pending = (pid: number, more?: Record<string, string>) =>
  pendingByMemory(pid, set(more), pathsUnder(root))

describe('parameters of a proxy that shows only what is set', () => {
  test('are in force as they were at the first look at the process', () => {
    expect(pending(process.pid)).toEqual([])
    expect(pending(process.pid, { work_thread_num: '8' })).toEqual(['work_thread_num'])
    expect(pending(process.pid, { frequent_accept: 'true' })).toEqual([])
  })

  test('wait no more when another process works with them', () => {
    pending(process.pid)
    expect(pending(process.pid, { work_thread_num: '8' })).toEqual(['work_thread_num'])

    expect(pending(process.ppid, { work_thread_num: '8' })).toEqual([])
    expect(pending(process.ppid)).toEqual(['work_thread_num'])
  })

  test('are remembered without their values: one carries a token', () => {
    pending(process.pid, { observer_sys_password: 'hash' })

    const kept = readFileSync(join(root, 'var/lib/obfleet/in-force.json'), 'utf8')
    expect(kept).toContain('obproxy_config_server_url')
    expect(kept).not.toContain('t0ken')
    expect(kept).not.toContain('password')
  })
})
