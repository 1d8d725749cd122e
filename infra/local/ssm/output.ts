/** What of a step's output Run Command keeps: limits in bytes, cut as the agent cuts (ssm-run-command.md §6, §9). */

export const STDOUT_LIMIT = 24_000
export const STDERR_LIMIT = 8_000
export const COMBINED_LIMIT = 2_500

const CUT = '\n--output truncated--'
const CUT_OUTPUT = '\n---Output truncated---'
const CUT_ERROR = '\n---Error truncated----'
const ERROR_HEAD = '\n----------ERROR-------\n'

/** Bytes of `limit` or more are cut so that they and the mark fit; a cut character becomes U+FFFD. */
export function truncated(bytes: Buffer, limit: number, mark = CUT): string {
  if (bytes.length < limit) return bytes.toString('utf8')
  return bytes.subarray(0, Math.max(0, limit - Buffer.byteLength(mark))).toString('utf8') + mark
}

/** `Output` of a plugin in ListCommandInvocations: both streams, 2 500 bytes at most. */
export function combined(stdout: Buffer, stderr: Buffer): string {
  if (stderr.length === 0) return truncated(stdout, COMBINED_LIMIT, CUT_OUTPUT)
  const half = Math.floor((COMBINED_LIMIT - Buffer.byteLength(ERROR_HEAD)) / 2)
  const whole = Buffer.concat([stdout, Buffer.from(ERROR_HEAD), stderr])
  if (whole.length < COMBINED_LIMIT) return whole.toString('utf8')
  const error = truncated(stderr, Math.max(half, COMBINED_LIMIT - stdout.length - 30), CUT_ERROR)
  const left = COMBINED_LIMIT - Buffer.byteLength(ERROR_HEAD) - Buffer.byteLength(error)
  return truncated(stdout, left, CUT_OUTPUT) + ERROR_HEAD + error
}

/** Collects a stream up to `limit` bytes and forgets the rest, so that no script fills the memory. */
export class BoundedOutput {
  private readonly parts: Buffer[] = []
  private size = 0
  private readonly limit: number

  constructor(limit: number) {
    this.limit = limit
  }

  push(bytes: Buffer): void {
    const room = this.limit - this.size
    if (room <= 0) return
    this.parts.push(bytes.subarray(0, room))
    this.size += Math.min(room, bytes.length)
  }

  bytes(): Buffer {
    return Buffer.concat(this.parts)
  }
}
