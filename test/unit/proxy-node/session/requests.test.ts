import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Requests } from '../../../../proxy-node/session/requests.ts'
import { packet } from '../../../../proxy-node/wire/writer.ts'

/** Feeds the chunks and takes commands as a session does; what came out, command by command. */
function cut(chunks: readonly Uint8Array[]): number[][] {
  const requests = new Requests()
  const commands: number[][] = []
  for (const chunk of chunks) {
    requests.push(chunk)
    for (;;) {
      if (requests.isIncomplete) {
        const part = requests.body()
        if (part === undefined) break
        commands.at(-1)?.push(...part)
        continue
      }
      const head = requests.head(PREFIX)
      if (head === undefined) break
      commands.push([...head])
    }
    requests.retain()
    chunk.fill(0xee)
  }
  return commands
}

const PREFIX_BYTES = 8192
const PREFIX = { wanted: () => PREFIX_BYTES }

describe('requests', () => {
  test('are cut the same wherever the chunks end', () => {
    const payload = fc.uint8Array({ minLength: 1, maxLength: 40 })
    fc.assert(
      fc.property(fc.array(payload, { minLength: 1, maxLength: 4 }), payloads => {
        const framed = payloads.map(bytes => packet(0, bytes))
        const whole = Buffer.concat(framed)
        for (let at = 0; at <= whole.length; at++) {
          const chunks = [whole.subarray(0, at), whole.subarray(at)].map(part =>
            Uint8Array.from(part),
          )
          expect(cut(chunks)).toEqual(framed.map(bytes => [...bytes]))
        }
      }),
      { numRuns: 30 },
    )
  })

  test('stream a command above 16 MiB with its continuation packets', () => {
    const framed = packet(0, new Uint8Array(0xffffff + 100).fill(7))
    const requests = new Requests()
    let seen = 0
    for (let at = 0; at < framed.length; at += 1_000_003) {
      requests.push(framed.slice(at, at + 1_000_003))
      if (seen === 0) seen += requests.head(PREFIX)?.length ?? 0
      for (let part = requests.body(); part !== undefined; part = requests.body())
        seen += part.length
      requests.retain()
    }

    expect(seen).toBe(framed.length)
    expect(requests.isIncomplete).toBe(false)
  })

  test.each([
    ['a command without a command byte', [0, 0, 0, 0]],
    ['a command that does not begin at number 0', [1, 0, 0, 5, 3]],
  ])('%s is malformed', (_name, bytes) => {
    const requests = new Requests()
    requests.push(Uint8Array.from(bytes))

    expect(() => requests.head(PREFIX)).toThrow(/Malformed/)
  })
})
