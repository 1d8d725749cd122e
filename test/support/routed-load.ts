/** Clients that send one statement after the other, each with a mark of its own, and note what became of it. */
import type { Connection } from 'mysql2/promise'
import { ROUTED_PATIENCE, type Routed } from './routed.ts'
import { until } from './until.ts'

export type Failed = {
  readonly mark: string
  readonly errno: number
  readonly message: string
  readonly atMs: number
  readonly tookMs: number
}

export type LoadPlan = {
  readonly clients: number
  /** Of all of them; `app` when absent. */
  readonly tenant?: string
  /** A statement with its mark in the text, or in a value. */
  readonly send: (connection: Connection, mark: string, turn: number) => Promise<unknown>
}

/** What `send` writes into a statement. */
export const MARK = /mark-\d+-\d+-/
/** Between two statements of a client. */
const PACE_MS = 1

export class Load {
  private readonly routed: Routed
  private readonly plan: LoadPlan
  private isOver = false
  private running: Promise<unknown> = Promise.resolve()
  private turn = 0
  readonly failed: Failed[] = []
  /** Marks of what was answered. */
  readonly done: string[] = []
  /** Of a statement that was answered, the longest. */
  slowestMs = 0

  constructor(routed: Routed, plan: LoadPlan) {
    this.routed = routed
    this.plan = plan
  }

  /** Resolves when every client has been answered once. */
  async start(): Promise<void> {
    const clients = Array.from({ length: this.plan.clients }, (_client, at) => at)
    const loops: Promise<unknown>[] = []
    await Promise.all(
      clients.map(
        at =>
          new Promise<void>((resolve, reject) => {
            const loop = this.loop(at, resolve)
            loop.catch(reject)
            loops.push(loop)
          }),
      ),
    )
    this.running = Promise.all(loops)
  }

  /** Resolves when so many more statements were answered by now, well or badly. */
  async more(count: number): Promise<void> {
    const wanted = this.done.length + this.failed.length + count
    await until(
      `${count} more statements`,
      () => this.done.length + this.failed.length >= wanted,
      ROUTED_PATIENCE,
    )
  }

  async stop(): Promise<void> {
    this.isOver = true
    await this.running
  }

  private async loop(client: number, isUnderWay: () => void): Promise<void> {
    const { tenant = 'app' } = this.plan
    let connection = await this.routed.connect({ tenant })
    while (!this.isOver) {
      if (!(await this.one(connection, client))) connection = await this.routed.connect({ tenant })
      isUnderWay()
      await new Promise(resolve => setTimeout(resolve, PACE_MS))
    }
  }

  /** False when the connection is gone. */
  private async one(connection: Connection, client: number): Promise<boolean> {
    const turn = this.turn++
    const mark = `mark-${client}-${turn}-`
    const atMs = Date.now()
    try {
      await this.plan.send(connection, mark, turn)
      this.done.push(mark)
      this.slowestMs = Math.max(this.slowestMs, Date.now() - atMs)
      return true
    } catch (error) {
      const { errno = 0, message, fatal } = error as Error & { errno?: number; fatal?: boolean }
      this.failed.push({ mark, errno, message, atMs, tookMs: Date.now() - atMs })
      return fatal !== true
    }
  }
}
