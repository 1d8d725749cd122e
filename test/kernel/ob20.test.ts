/** OB 2.0 spoken to the real kernel with the proxy's own codec. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { installKernel, type Kernel, startKernel } from '../../infra/local/kernel.ts'
import { framingOf } from '../../proxy-node/backend/framing.ts'
import {
  buildRequestExtra,
  EXTRA,
  eachEntry,
  lockSessionOf,
  type SessionBlob,
} from '../../proxy-node/wire/extra-info.ts'
import { FRAME_FLAG } from '../../proxy-node/wire/ob20.ts'
import {
  OB20_CAPABILITIES,
  PROXY_CAPABILITIES,
  TRACE_CAPABILITIES,
} from '../../proxy-node/wire/protocol.ts'
import { FrontClient, rowsOf, statusOf } from '../support/front-client.ts'
import { type Ob20Answer, Ob20Client } from '../support/ob20-client.ts'
import { errorOf } from '../support/raw-client.ts'

let kernel: Kernel
let folder: string
let ids = 500
const clients: Ob20Client[] = []

const login = (features: number) => {
  const { user, password, database } = kernel.accounts
  ids += 1
  return { user: `${user}@sys`, password, database, clientSessionId: ids, features }
}

async function logIn(features = OB20_CAPABILITIES): Promise<Ob20Client> {
  const client = await Ob20Client.logIn({ host: '127.0.0.1', port: kernel.port }, login(features))
  clients.push(client)
  return client
}

/** Session state of answers, newest of each type; `types` only, if given. */
function blobsOf(answers: readonly Ob20Answer[]): SessionBlob[] {
  const blobs = new Map<number, Uint8Array>()
  for (const { extra } of answers)
    for (const { type, bytes } of extra)
      if (type === EXTRA.sessionState) eachEntry(bytes, (kind, blob) => blobs.set(kind, blob))
  return [...blobs]
}

async function variablesOf(client: Ob20Client): Promise<(string | null)[][]> {
  return rowsOf(await client.query('SHOW SESSION VARIABLES'))
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'obfleet-ob20-'))
  const python = await installKernel(
    resolve(import.meta.dirname, '../../.obfleet/kernel'),
    () => {},
  )
  kernel = await startKernel(python, folder)
})

afterAll(async () => {
  await kernel?.stop()
  rmSync(folder, { recursive: true, force: true })
})

afterEach(() => {
  for (const client of clients.splice(0)) client.close()
})

describe('the capabilities', () => {
  test('asked for are all agreed to, and mean frames', async () => {
    const client = await logIn(OB20_CAPABILITIES | TRACE_CAPABILITIES)

    expect(client.capabilities).toBe(OB20_CAPABILITIES | TRACE_CAPABILITIES)
    expect(framingOf(client.capabilities)).toBe('ob20')
  })

  test('of plain mode leave packets as they are', async () => {
    const front = new FrontClient({ host: '127.0.0.1', port: kernel.port }, true)
    await front.logIn(login(PROXY_CAPABILITIES))

    expect(rowsOf(await front.query('SELECT 1'))).toEqual([['1']])
    front.raw.socket.destroy()
  })
})

describe('a request', () => {
  test('is answered, and so is the next', async () => {
    const client = await logIn()

    expect(rowsOf(await client.query('SELECT 1'))).toEqual([['1']])
    expect(rowsOf(await client.query('SELECT 2'))).toEqual([['2']])
  })

  test('may tell the flags and extra info that the codec lets through', async () => {
    const client = await logIn(OB20_CAPABILITIES | TRACE_CAPABILITIES)
    const first = await client.query('SELECT 1')
    const trace = first.extra.find(({ type }) => type === EXTRA.fullTrace)
    const extra = buildRequestExtra({
      clientAddress: '10.0.0.1',
      fullTrace: trace?.bytes,
      sessionState: blobsOf([first]),
      sessionCheck: { lastServer: '127.0.0.1:2881', lastThreadId: 7, proxySessionId: 7n },
    })
    const flags = FRAME_FLAG.reroute | FRAME_FLAG.weakRead

    expect(trace).toBeDefined()
    expect(rowsOf(await client.query('SELECT 2', { extra, flags }))).toEqual([['2']])
  })

  test('streams in over more frames than a packet number counts', async () => {
    const client = await logIn()
    const sql = `SELECT LENGTH('${'x'.repeat(1_000_000)}')`

    expect(rowsOf(await client.query(sql, { pieceBytes: 3_333 }))).toEqual([['1000000']])
  })

  test('of 40 MB is refused by the server and its session goes on', async () => {
    const client = await logIn()

    const whole = await client.query(Buffer.alloc(40_000_000, 'x'))
    const pieces = await client.query(Buffer.alloc(40_000_000, 'x'), { pieceBytes: 65_536 })

    for (const { packets } of [whole, pieces]) {
      expect(errorOf(packets[0]).errno).toBe(1153)
      expect(packets).toHaveLength(2)
    }
    expect(rowsOf(await client.query('SELECT 1'))).toEqual([['1']])
  })

  test('that fails is answered with an ERR and an OK', async () => {
    const client = await logIn()

    const { packets, last } = await client.query('SELECT nope')

    expect(errorOf(packets[0]).errno).toBe(1054)
    expect(packets).toHaveLength(2)
    expect(statusOf(last)).toBe(0x22)
  })

  test('that needs no answer may be followed at once', async () => {
    const client = await logIn()
    const id = Buffer.from([99, 0, 0, 0])

    client.command(0x19, id)
    client.command(0x19, id)

    expect(rowsOf(await client.query('SELECT 3'))).toEqual([['3']])
  })

  test('prepares and executes', async () => {
    const client = await logIn()
    client.command(0x16, 'SELECT 5')
    const prepared = await client.answer()
    const id = prepared.first.subarray(1, 5)

    client.command(0x17, Buffer.concat([id, Buffer.from([0, 1, 0, 0, 0])]))
    const { packets } = await client.answer()

    expect(prepared.first[0]).toBe(0)
    expect(packets[3]?.payload).toEqual(Buffer.from([0, 0, 5, 0, 0, 0, 0, 0, 0, 0]))
  })
})

test('a row of 18 MB comes whole, in frames and packets of any size', async () => {
  const client = await logIn()

  const { packets, frames } = await client.query(
    "SELECT REPEAT('a', 9000000) AS a, REPEAT('b', 9000000) AS b",
  )

  const row = Buffer.concat(packets.slice(4, 6).map(({ payload }) => payload))
  expect(packets.map(({ payload }) => payload.length)).toContain(0xffffff)
  expect(row).toHaveLength(18_000_008)
  expect(row.subarray(4, 4 + 9_000_000).equals(Buffer.alloc(9_000_000, 'a'))).toBe(true)
  expect(row.subarray(-9_000_000).equals(Buffer.alloc(9_000_000, 'b'))).toBe(true)
  expect(frames).toBeGreaterThan(1)
  expect(rowsOf(await client.query('SELECT 1'))).toEqual([['1']])
})

describe('session state', () => {
  test('in blobs makes a second session the same as the first', async () => {
    const first = await logIn()
    const answers = [
      await first.query('SELECT 1'),
      await first.query("SET wait_timeout = 444, time_zone = '+03:00', autocommit = 0"),
      await first.query("SET sql_mode = 'STRICT_ALL_TABLES,NO_BACKSLASH_ESCAPES'"),
      await first.query('SET NAMES gbk'),
      await first.query('SELECT LAST_INSERT_ID(77)'),
    ]
    const second = await logIn()
    const before = await variablesOf(second)

    const extra = buildRequestExtra({ sessionState: blobsOf(answers) })
    const told = await second.query('SELECT LAST_INSERT_ID()', { extra })

    const differing = (rows: (string | null)[][], other: (string | null)[][]) =>
      rows.filter((row, at) => row[1] !== other[at]?.[1]).map(([name]) => name)
    const wanted = await variablesOf(first)
    expect(differing(before, wanted)).toEqual(
      expect.arrayContaining(['autocommit', 'sql_mode', 'time_zone', 'wait_timeout']),
    )
    expect(rowsOf(told)).toEqual([['77']])
    expect(differing(await variablesOf(second), wanted)).toEqual([])
  })

  test('is applied even by a request whose statement fails', async () => {
    const first = await logIn()
    const answers = [await first.query('SELECT 1'), await first.query('SET wait_timeout = 445')]
    const second = await logIn()
    await second.query('SELECT 1')

    const extra = buildRequestExtra({ sessionState: blobsOf(answers) })
    expect(errorOf((await second.query('SELEKT', { extra })).packets[0]).errno).toBe(1064)

    expect(rowsOf(await second.query('SELECT @@wait_timeout'))).toEqual([['445']])
  })

  test('comes in any frame of a response, one type of entry in several', async () => {
    const client = await logIn()

    const { extra, frames } = await client.query('SELECT 1')

    expect(frames).toBe(2)
    expect(extra.map(({ type }) => type)).toEqual([EXTRA.sessionState, EXTRA.sessionState])
    expect(extra.map(({ bytes }) => bytes.readUInt16LE(0))).toEqual([3, 4])
  })
})

test('a user lock is told in the response in which it is taken', async () => {
  const client = await logIn()

  const taken = await client.query("SELECT GET_LOCK('l', 1)")
  const later = await client.query('SELECT 1')

  const feedback = ({ extra }: Ob20Answer) =>
    extra.filter(({ type }) => type === EXTRA.feedback).map(({ bytes }) => lockSessionOf(bytes))
  expect(feedback(taken)).toEqual([true])
  expect(feedback(later)).toEqual([])
})
