/** `kill -9` in the middle of writes: the store opens with what was last acknowledged, or later. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { ConfigStore } from '../../../../proxy-node/config/store.ts'

const WRITER = resolve(import.meta.dirname, '../../../support/config-writer.ts')
const ROUNDS = 6

const folder = mkdtempSync(join(tmpdir(), 'obfleet-config-kill-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Resolves with the last complete line once the killed process is gone. */
function killedAfter(child: ChildProcess, lines: number): Promise<number> {
  let text = ''
  child.stdout?.on('data', (bytes: Buffer) => {
    text += bytes.toString()
    if (text.split('\n').length > lines) child.kill('SIGKILL')
  })
  return new Promise(done =>
    child.once('close', () => done(Number(text.trimEnd().split('\n').at(-1)))),
  )
}

describe('the store', () => {
  test('survives kill -9 of a process that writes without pause', async () => {
    ConfigStore.open(folder, new Map([['client_max_connections', '0']]))

    for (let round = 0; round < ROUNDS; round++) {
      const child = spawn(process.execPath, ['--import', 'tsx', WRITER, folder], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })

      const acknowledged = await killedAfter(child, 5 + round * 7)

      const store = ConfigStore.open(folder, new Map())
      expect(store.number('client_max_connections')).toBeGreaterThanOrEqual(acknowledged)
      expect(store.number('client_max_connections')).toBeLessThanOrEqual(acknowledged + 1)
      expect(store.number('sock_packet_mark_out')).toBe(store.number('client_max_connections'))
      const east = store.at('ob_max_read_stale_time', 'east')
      expect(east).toBe(store.get('client_max_connections'))
    }
  })
})
