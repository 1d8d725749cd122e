/**
 * Clients that stop in the middle, measured in seconds of the worker's one-second beat rather than by
 * a timer each. Bounds: the session's `net_read_timeout` and `net_write_timeout` (proxy-protocol.md §9);
 * these where no server has told them.
 */
export const READ_STALL_SECONDS = 30
export const WRITE_STALL_SECONDS = 60

export class Stall {
  private seconds = 0
  private lastPending = 0
  private hasMoved = false

  /** Bytes came from the client. */
  moved(): void {
    this.hasMoved = true
  }

  /** One beat of a client that owes the rest of a command, or does not. */
  reading(isHalfRead: boolean, limitSeconds: number): 'reading' | undefined {
    this.seconds = isHalfRead && !this.hasMoved ? this.seconds + 1 : 0
    this.hasMoved = false
    this.lastPending = 0
    return isHalfRead && this.seconds >= limitSeconds ? 'reading' : undefined
  }

  /** One beat of a client that has not taken `pendingBytes` of its answers. */
  writing(pendingBytes: number, limitSeconds: number): 'writing' | undefined {
    this.seconds = pendingBytes === this.lastPending ? this.seconds + 1 : 0
    this.lastPending = pendingBytes
    this.hasMoved = false
    return this.seconds >= limitSeconds ? 'writing' : undefined
  }
}
