import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Command } from '../../../../../infra/local/ssm/model.ts'
import { State } from '../../../../../infra/local/ssm/state.ts'
import type { Detail } from '../../../../../infra/local/ssm/status.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'obfleet-state-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const command = (id: string, requestedAt: number, ...details: Detail[]): Command => ({
  id,
  documentName: 'd',
  documentVersion: '1',
  comment: '',
  parameters: {},
  instanceIds: [],
  targets: [],
  requestedAt,
  deliveryTimeoutSec: 60,
  expiresAt: 0,
  maxConcurrency: '50',
  maxErrors: '0',
  isCancelled: false,
  invocations: details.map(detail => ({
    instanceId: 'i-1',
    detail,
    deliveredAt: null,
    isAcknowledged: false,
    cancelDeliveredAt: null,
    steps: [],
    replyIds: [],
  })),
})

test('of too many commands the oldest finished go, those under way stay', () => {
  const state = new State(folder, 3)
  state.saveCommand(command('running', 1, 'Success', 'In Progress'))
  state.saveCommand(command('first', 2, 'Success'))
  state.saveCommand(command('second', 3, 'Failed', 'Undeliverable'))
  state.saveCommand(command('third', 4, 'Pending'))
  state.saveCommand(command('fourth', 5, 'Pending'))

  const kept = ['running', 'third', 'fourth']
  expect([...state.commands.keys()]).toEqual(kept)
  expect(readdirSync(join(folder, 'commands')).sort()).toEqual(kept.map(id => `${id}.json`).sort())
  expect([...new State(folder, 3).commands.keys()]).toEqual(kept)
})
