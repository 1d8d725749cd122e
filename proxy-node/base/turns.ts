/**
 * Work that runs once at a time. Who asks while it runs gets a turn that begins afterwards, because
 * what is running may have looked before there was anything to see; all who ask meanwhile share it.
 */
export class Turns<T> {
  private readonly work: () => Promise<T>
  private running: Promise<T> | undefined
  private waiting: Promise<T> | undefined

  constructor(work: () => Promise<T>) {
    this.work = work
  }

  get isRunning(): boolean {
    return this.running !== undefined
  }

  /** The turn that runs, or a new one. */
  join(): Promise<T> {
    return this.running ?? this.begin()
  }

  /** A turn that begins after this call. */
  ask(): Promise<T> {
    if (this.running === undefined) return this.begin()
    this.waiting ??= this.running.then(
      () => this.begin(),
      () => this.begin(),
    )
    return this.waiting
  }

  private begin(): Promise<T> {
    this.waiting = undefined
    const turn = this.work().finally(() => {
      if (this.running === turn) this.running = undefined
    })
    this.running = turn
    return turn
  }
}
