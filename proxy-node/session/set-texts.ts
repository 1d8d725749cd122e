/** Texts SET a = 1, b = 2, each of a bounded size. */

/** A SET above this size is split; a single value never is. */
export const MAX_SET_BYTES = 1 << 20
const SEPARATOR_BYTES = 4

export class SetTexts {
  private readonly done: Uint8Array[] = []
  private parts: Uint8Array[] = []
  private sizeBytes = 0

  add(target: string, literal: Uint8Array): void {
    const head = Buffer.from(`${target} = `)
    const more = SEPARATOR_BYTES + head.length + literal.length
    if (this.parts.length > 0 && this.sizeBytes + more > MAX_SET_BYTES) this.end()
    this.parts.push(Buffer.from(this.parts.length === 0 ? 'SET ' : ', '), head, literal)
    this.sizeBytes += more
  }

  all(): readonly Uint8Array[] {
    this.end()
    return this.done
  }

  private end(): void {
    if (this.parts.length === 0) return
    this.done.push(Buffer.concat(this.parts))
    this.parts = []
    this.sizeBytes = 0
  }
}
