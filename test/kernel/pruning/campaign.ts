/** Many generated tables on one kernel, some side by side: its DDL is what takes the time. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createConnection } from 'mysql2/promise'
import { installKernel, type Kernel, startKernel } from '../../../infra/local/kernel.ts'
import { Dice } from '../../differential/dice.ts'
import { type Connections, Judge, newTally, type Tally, ZONE } from './judge.ts'
import { OTHER_DDL } from './predicates.ts'
import { generatedTable } from './tables.ts'

const ROWS_A_TABLE = 160
const PREDICATES_A_TABLE = 60
const LANES = 3

export type PruningGround = {
  readonly kernel: Kernel
  readonly connect: () => Promise<Connections>
  readonly stop: () => Promise<void>
}

export async function startGround(): Promise<PruningGround> {
  const python = await installKernel(resolve('.obfleet/kernel'), () => {})
  const folder = mkdtempSync(join(tmpdir(), 'obfleet-pruning-'))
  const kernel = await startKernel(python, folder)
  const { accounts, port } = kernel
  const { database } = accounts
  const opened: Connections[] = []
  const as = (user: string, password: string, schema: string) =>
    createConnection({
      host: '127.0.0.1',
      port,
      user,
      password,
      database: schema,
      charset: 'utf8mb4',
      supportBigNumbers: true,
      bigNumberStrings: true,
      dateStrings: true,
    })
  const connect = async (): Promise<Connections> => {
    const user = await as(accounts.user, accounts.password, database)
    await user.query(`SET time_zone = '${ZONE}'`)
    const metadata = await as('proxyro', accounts.proxyro, 'oceanbase')
    const connections = { user, metadata, database }
    opened.push(connections)
    return connections
  }
  const stop = async () => {
    for (const { user, metadata } of opened) {
      user.destroy()
      metadata.destroy()
    }
    await kernel.stop()
    rmSync(folder, { recursive: true, force: true })
  }
  return { kernel, connect, stop }
}

/** Tables of seeds from `firstSeed` on until there are `pairs` of a table and a value, or time is over. */
export async function campaign(
  ground: PruningGround,
  { firstSeed, pairs, budgetMs }: { firstSeed: number; pairs: number; budgetMs: number },
): Promise<Tally> {
  const tally = newTally()
  await (await ground.connect()).user.query(OTHER_DDL)
  const untilMs = performance.now() + budgetMs
  let seed = firstSeed
  const lane = async () => {
    const judge = new Judge(await ground.connect(), tally)
    while (tally.rows + tally.predicates < pairs && performance.now() < untilMs) {
      const own = seed++
      const dice = new Dice(own)
      await judge.judge(dice, generatedTable(dice, `g${own}`), {
        rows: ROWS_A_TABLE,
        predicates: PREDICATES_A_TABLE,
      })
    }
  }
  await Promise.all(Array.from({ length: LANES }, lane))
  return tally
}

/** What a run has shown, in one line. */
export function summary(tally: Tally, tookMs: number): string {
  const { tables, rows, predicates, kept, prunable, narrower, refused } = tally
  const rate = Math.round((rows + predicates) / (tookMs / 1000))
  return (
    `pruning: ${rows + predicates} pairs (${rows} rows, ${predicates} predicates of which the kernel prunes ` +
    `${prunable} to one partition; ${kept} computed by kept texts too; ${narrower} narrower than it, ${refused} refused by it) in ${tables} tables, ` +
    `${tally.disagreements.length} disagreements, ${tally.unknown.length} unknown, ` +
    `${(tookMs / 1000).toFixed(1)} s, ${rate}/s`
  )
}

/** How often each shape was judged, a line each. */
export function shapesTable({ shapes }: Tally): string {
  return [...shapes]
    .sort(([one], [other]) => one.localeCompare(other))
    .map(
      ([shape, { statements, prunable }]) =>
        `  ${shape}: ${prunable} of ${statements} pruned to one`,
    )
    .join('\n')
}
