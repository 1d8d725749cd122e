/** Many sequences on many grounds at once, each ground one after the other. */

import { createConnection } from 'mysql2/promise'
import {
  AT_RANDOM,
  directoryOf,
  type ProxyUnderTest,
  type Stack,
  startProxy,
} from '../support/stack.ts'
import { Dice } from './dice.ts'
import { Ground, SECOND_USER } from './ground.ts'
import { type Difference, play, type Stage } from './play.ts'
import { shrink } from './shrink.ts'
import type { Sequence } from './steps.ts'
import { EPILOGUE } from './themes.ts'

/** A busy machine is no reason to try another server. */
const PATIENT = { connectTimeoutMs: 30_000, loginTimeoutMs: 60_000 } as const

export type Tally = {
  sequences: number
  steps: number
  /** Commands that another server than the one before it was asked to run. */
  moves: number
  readonly differences: Difference[]
}

type Limits = {
  readonly lanes: number
  /** No sequence is begun afterwards; `performance.now()`. */
  readonly untilMs: number
  readonly mostDifferences: number
}

/** Plays the sequences in turn until they or the time end. */
export async function campaign(
  stack: Stack,
  sequences: Iterator<Sequence>,
  limits: Limits,
): Promise<Tally> {
  await addSecondUser(stack)
  const tally: Tally = { sequences: 0, steps: 0, moves: 0, differences: [] }
  await Promise.all(
    Array.from({ length: limits.lanes }, (_, number) =>
      new Lane(stack, number, tally).run(sequences, limits),
    ),
  )
  return tally
}

/** What to put into the corpus, and what was answered otherwise in it; texts for a reader. */
export function reported({ differences }: Tally): readonly string[] {
  return differences.map(({ sequence, step, direct, proxied }) => {
    const at = direct.findIndex((packet, index) => packet !== proxied[index])
    return [
      JSON.stringify(sequence),
      `answered otherwise: ${JSON.stringify(step)}`,
      `${direct.length} packets of the kernel: ${JSON.stringify(direct[Math.max(at, 0)])}`,
      `${proxied.length} packets of the proxy: ${JSON.stringify(proxied[Math.max(at, 0)])}`,
    ].join('\n')
  })
}

class Lane {
  private readonly stack: Stack
  private readonly ground: Ground
  private readonly tally: Tally
  private readonly proxies = new Map<boolean, ProxyUnderTest>()
  private dice = new Dice(0)
  private lastServer = -1
  private last: Sequence | undefined

  constructor(stack: Stack, number: number, tally: Tally) {
    this.stack = stack
    this.ground = new Ground(stack.kernel, number)
    this.tally = tally
  }

  async run(sequences: Iterator<Sequence>, limits: Limits): Promise<void> {
    const { tally } = this
    await this.ground.make()
    for (const usesOb20 of [false, true])
      this.proxies.set(
        usesOb20,
        await startProxy(directoryOf(this.stack.clusters), {
          settings: { routing: AT_RANDOM, usesOb20, ...PATIENT },
          random: () => this.random(),
        }),
      )
    while (
      performance.now() < limits.untilMs &&
      tally.differences.length < limits.mostDifferences
    ) {
      const next = sequences.next()
      if (next.done === true) break
      tally.sequences += 1
      tally.steps += next.value.steps.length + EPILOGUE.length
      const found = await this.play(next.value)
      if (found !== undefined)
        tally.differences.push(await shrink(found, sequence => this.play(sequence)))
    }
    for (const proxy of this.proxies.values()) proxy.stop()
    await this.ground.leave()
  }

  private async play(sequence: Sequence): Promise<Difference | undefined> {
    await this.ground.sweep(this.last)
    this.last = sequence
    this.dice = new Dice(sequence.seed)
    this.lastServer = -1
    const found = await play(this.stage(), sequence)
    if (found !== undefined) await this.ground.level()
    return found
  }

  private stage(): Stage {
    const port = (usesOb20: boolean) => this.proxies.get(usesOb20)?.port ?? 0
    return {
      ground: this.ground,
      kernel: { host: '127.0.0.1', port: this.stack.kernel.port },
      proxy: ({ ob20 }) => ({ host: '127.0.0.1', port: port(ob20) }),
    }
  }

  private random(): number {
    const value = this.dice.next()
    const server = Math.floor(value * this.stack.fronts.length)
    if (this.lastServer >= 0 && server !== this.lastServer) this.tally.moves += 1
    this.lastServer = server
    return value
  }
}

async function addSecondUser({ kernel }: Stack): Promise<void> {
  const { root, password } = kernel.accounts
  const admin = await createConnection({
    host: '127.0.0.1',
    port: kernel.port,
    user: 'root',
    password: root,
  })
  await admin.query(`CREATE USER IF NOT EXISTS ${SECOND_USER} IDENTIFIED BY '${password}'`)
  await admin.query(`GRANT ALL PRIVILEGES ON *.* TO ${SECOND_USER}`)
  await admin.end()
}
