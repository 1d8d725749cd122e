/**
 * An engine that speaks the server side of the protocol itself and knows a little SQL: it serves the
 * unit and fault tests, and the stack where no kernel can be had. Its sessions are in this process.
 */
import { Duplex } from 'node:stream'
import { type Packet, PacketStream } from '../codec.ts'
import type { Engine } from '../engine.ts'
import type { TableEntry } from '../picture.ts'
import { Conversation } from './conversation.ts'
import { Database } from './database.ts'
import { type ScriptedAccounts, World } from './world.ts'

export type ScriptedSettings = {
  readonly cluster: string
  readonly accounts: ScriptedAccounts
  readonly databases: readonly string[]
  /** Where committed rows are kept over restarts; in memory only when undefined. */
  readonly file?: string | undefined
}

/** Bytes of answers that wait for their reader before a session stops making more. */
const WAITING_BYTES = 64 << 10
/** OceanBase's number of a user table. */
const USER_TABLE = 3

/** @throws Error when the file is there and cannot be read */
export function scriptedEngine(settings: ScriptedSettings): Engine {
  const database = new Database(settings.file, settings.databases)
  const world = new World(settings.cluster, settings.accounts, database)
  return {
    kind: 'scripted',
    connect: () => connectTo(world),
    tableEntry: (name, table) => Promise.resolve(entryOf(database, name, table)),
  }
}

function entryOf(database: Database, name: string, table: string): TableEntry | undefined {
  const found = database.find(name, table)
  if (found === undefined) return undefined
  return { tableId: found.id, tableType: USER_TABLE, partNum: 1, schemaVersion: found.id }
}

function connectTo(world: World): Duplex {
  const packets = new PacketStream()
  let isClosed = false
  let wake: (() => void) | undefined
  const reading = () => {
    const waiter = wake
    wake = undefined
    waiter?.()
  }
  const outlet = {
    send: (bytes: Buffer) => {
      if (isClosed || stream.destroyed || stream.push(bytes)) return Promise.resolve()
      return new Promise<void>(resolve => {
        wake = resolve
      })
    },
    close: () => {
      if (!isClosed) stream.push(null)
      isClosed = true
    },
  }
  const conversation = new Conversation(world, outlet)
  const stream = new Duplex({
    readableHighWaterMark: WAITING_BYTES,
    writableHighWaterMark: WAITING_BYTES,
    read: reading,
    write: (chunk: Buffer, _encoding, done) => {
      inTurn(conversation, packets.push(chunk)).then(() => done(), done)
    },
    destroy: (error, done) => {
      conversation.end()
      reading()
      done(error)
    },
  })
  conversation.greet().catch(error => stream.destroy(error as Error))
  return stream
}

async function inTurn(conversation: Conversation, packets: readonly Packet[]): Promise<void> {
  for (const packet of packets) await conversation.packet(packet)
}
