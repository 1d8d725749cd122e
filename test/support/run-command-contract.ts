/** What every Run Command port promises the engine, whatever carries the commands. */
import { expect, test } from 'vitest'
import { encodeOrder, type Order } from '#contract/command'
import type { Invocation, RunCommand } from '../../functions/domain/remote.ts'

export type RunCommandUnderTest = {
  readonly runCommand: RunCommand
  readonly online: string
  readonly offline: string
  readonly now: () => number
}

let number = 0

/** An order whose verb answers with a result that names this step. */
export function orderFor(hostIds: readonly string[], now: number): { order: string; step: string } {
  number += 1
  const step = `verify.${number}`
  const entry = { operationId: 'op_x', step, attempt: 1, fence: 1 }
  const order: Order = {
    schema: 1,
    verb: 'status',
    expiresAt: now + 600_000,
    nodes: Object.fromEntries(hostIds.map(id => [id, entry])),
  }
  return { order: encodeOrder(order), step }
}

export function runCommandContract(make: () => Promise<RunCommandUnderTest>): void {
  async function results(runCommand: RunCommand, id: string): Promise<readonly Invocation[]> {
    for (let tried = 0; tried < 400; tried++) {
      const found = await runCommand.results(id)
      if (found.length > 0 && found.every(({ state }) => state !== 'waiting')) return found
      await new Promise(done => setTimeout(done, 25))
    }
    throw new Error('the command does not end')
  }

  test('knows which hosts can be sent to', async () => {
    const { runCommand, online, offline } = await make()
    expect(await runCommand.online([online, offline, 'i-00000000000000099'])).toEqual(
      new Set([online]),
    )
    expect(await runCommand.online([])).toEqual(new Set())
  })

  test('a command reaches its host, and its answer comes back whole', async () => {
    const { runCommand, online, now } = await make()
    const { order, step } = orderFor([online], now())
    const sent = await runCommand.send({ hostIds: [online], order, comment: `op/${step}` })
    if (sent.kind !== 'sent') throw new Error(sent.detail)
    const [invocation, ...rest] = await results(runCommand, sent.commandId)
    expect(rest).toEqual([])
    expect(invocation).toMatchObject({ hostId: online, state: 'succeeded' })
    expect(invocation?.output).toContain(`"step":"${step}"`)
  })

  test('one host that cannot be sent to: nothing is accepted, and it may be tried again', async () => {
    const { runCommand, online, offline, now } = await make()
    const hostIds = [online, offline]
    const { order, step } = orderFor(hostIds, now())
    const outcome = await runCommand.send({ hostIds, order, comment: `op/${step}` })
    expect(outcome).toMatchObject({ kind: 'refused', isRetryable: true })
    expect(await runCommand.find(`op/${step}`, now() - 60_000)).toBeNull()
  })

  test('a command is found by its comment, and by no other', async () => {
    const { runCommand, online, now } = await make()
    const { order, step } = orderFor([online], now())
    const sent = await runCommand.send({ hostIds: [online], order, comment: `op/${step}` })
    if (sent.kind !== 'sent') throw new Error(sent.detail)
    expect(await runCommand.find(`op/${step}`, now() - 60_000)).toBe(sent.commandId)
    expect(await runCommand.find(`op/${step}`, now() + 60_000)).toBeNull()
    expect(await runCommand.find(`op/${step}x`, now() - 60_000)).toBeNull()
    expect(await runCommand.find(`op/${step.slice(0, -1)}`, now() - 60_000)).toBeNull()
  })

  test('a command that nobody sent has no results, and can be cancelled in vain', async () => {
    const { runCommand, online } = await make()
    const id = '00000000-0000-4000-8000-000000000000'
    expect(await runCommand.results(id)).toEqual([])
    await expect(runCommand.cancel(id, [online])).resolves.toBeUndefined()
  })
}
