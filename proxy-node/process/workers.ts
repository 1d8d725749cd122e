/**
 * The workers of a node: one set that accepts clients, kept at its number, and beside it those that
 * leave and are not replaced. Questions to all of them are answered by who is there.
 */
import type { Clock } from '../base/clock.ts'
import type { Log } from '../observe/log.ts'
import {
  type AnswerOf,
  Channel,
  type IdRange,
  type Message,
  type Question,
  type WorkerSettings,
} from './channel.ts'
import type { ClusterNews } from './cluster-messages.ts'

const RESPAWN_MS = 200
const POLL_MS = 20
/** A replaced worker begins elsewhere in its range: clients of the old one may still be remembered. */
const ID_STRIDE = 1021
const ID_SPAN = 1 << 17

/** A spawned worker as the runtime hands it over. */
export type WorkerProcess = {
  readonly pid: number
  readonly post: (message: Message) => void
  readonly kill: () => void
}

export type WorkersPort = {
  readonly count: number
  readonly spawn: (take: (message: Message) => void, lost: () => void) => WorkerProcess
  readonly ids: () => Pick<IdRange, 'proxyId' | 'parity'>
  readonly settings: () => WorkerSettings
  readonly respond: (question: Question) => Promise<unknown>
  /** What a worker says without being asked. */
  readonly heard: (message: Message) => void
  /** A worker ended, `expected` when it was told to leave. */
  readonly lost: (key: number, expected: boolean) => void
  readonly log: Log
  readonly clock: Clock
}

type Slot = {
  readonly index: number
  /** Of one worker alone: an index is used again. */
  readonly key: number
  readonly process: WorkerProcess
  readonly channel: Channel
  isListening: boolean
  isLeaving: boolean
}

export class Workers {
  /** How many accept clients when all is well. */
  readonly count: number
  private readonly port: WorkersPort
  private slots: readonly Slot[] = []
  private keys = 0
  private idStart = Math.floor(Math.random() * ID_SPAN)
  private isStopped = false

  constructor(port: WorkersPort) {
    this.port = port
    this.count = port.count
  }

  /** A set of workers; beside those that leave when there are any. */
  start(): void {
    this.isStopped = false
    for (let index = 0; index < this.count; index++) this.spawn(index)
  }

  apply(): void {
    this.send({ kind: 'settings', settings: this.port.settings() })
  }

  get listeningCount(): number {
    return this.slots.filter(slot => slot.isListening && !slot.isLeaving).length
  }

  /** Resolves when the whole set accepts clients, or when none is to any more. */
  async whenListening(): Promise<void> {
    while (!this.isStopped && this.listeningCount < this.count) await this.port.clock.sleep(POLL_MS)
  }

  /** What the workers that are there answer, in no order, with the worker's key. */
  async ask<Q extends Question>(
    question: Q,
  ): Promise<readonly { readonly key: number; readonly answer: AnswerOf[Q['ask']] }[]> {
    const asked = this.slots
      .filter(({ isListening }) => isListening)
      .map(async ({ key, channel }) => ({ key, answer: await channel.ask(question) }))
    // One that is gone is told by `lost`; a slow one is left out.
    const settled = await Promise.allSettled(asked)
    return settled.flatMap(result => (result.status === 'fulfilled' ? [result.value] : []))
  }

  /** To all of them. */
  tell(news: ClusterNews): void {
    this.send(news)
  }

  /** Clients go, the workers go on. */
  drain(timeoutMs: number): void {
    this.send({ kind: 'drain', timeoutMs, leaves: false })
  }

  stay(): void {
    this.send({ kind: 'stay' })
  }

  /** No new clients, and an end behind the last one; nobody is replaced. */
  leave(timeoutMs: number): void {
    this.isStopped = true
    for (const slot of this.slots) slot.isLeaving = true
    this.send({ kind: 'drain', timeoutMs, leaves: true })
  }

  get isGone(): boolean {
    return this.slots.length === 0
  }

  kill(): void {
    for (const slot of this.slots) slot.process.kill()
  }

  private send(message: Message): void {
    for (const { channel } of this.slots) channel.send(message)
  }

  private spawn(index: number): void {
    const worker = this.port.spawn(
      message => this.take(slot, message),
      () => this.lost(slot),
    )
    const channel = new Channel(worker.post, this.port.clock)
    const key = this.keys++
    const slot: Slot = {
      index,
      key,
      process: worker,
      channel,
      isListening: false,
      isLeaving: false,
    }
    this.idStart = (this.idStart + ID_STRIDE) % ID_SPAN
    const ids = { ...this.port.ids(), worker: index, workers: this.count, start: this.idStart }
    this.slots = [...this.slots, slot]
    channel.send({ kind: 'start', settings: this.port.settings(), ids })
  }

  private take(slot: Slot, message: Message): void {
    if (slot.channel.take(message, question => this.port.respond(question))) return
    if (message.kind === 'listening') slot.isListening = true
    else this.port.heard(message)
  }

  private lost(slot: Slot): void {
    const { clock, log } = this.port
    slot.channel.close()
    this.slots = this.slots.filter(other => other !== slot)
    this.port.lost(slot.key, slot.isLeaving)
    if (slot.isLeaving) return
    log.error(`worker ${slot.index} (pid ${slot.process.pid}) is gone, starting another`)
    clock.after(RESPAWN_MS, () => {
      if (!this.isStopped) this.spawn(slot.index)
    })
  }
}
