/** TLS handshakes of the node, as its workers tell of them: with clients, and with servers. */

export const HANDSHAKE_SIDES = ['client', 'server'] as const
export type HandshakeSide = (typeof HANDSHAKE_SIDES)[number]

export type HandshakeCounts = Readonly<
  Record<HandshakeSide, { readonly done: number; readonly failed: number }>
>

export class Handshakes {
  private readonly sides = { client: { done: 0, failed: 0 }, server: { done: 0, failed: 0 } }

  ended(side: HandshakeSide, isDone: boolean): void {
    this.sides[side][isDone ? 'done' : 'failed'] += 1
  }

  get counts(): HandshakeCounts {
    return this.sides
  }
}
