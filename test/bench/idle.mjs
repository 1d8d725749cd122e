/**
 * What a logged-in idle connection costs: many clients in OceanBase mode, one server session each, and
 * the resident memory of all processes of the node before and after.
 */
import { createHash } from 'node:crypto'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { childrenOf, residentBytes } from './tools.mjs'

const COUNT = 5000
/** Logins under way at a time. */
const AT_ONCE = 50
const SETTLE_MS = 3000

/** Bytes a connection, and how many there were. */
export async function measureIdle({ proxy, to, accounts }) {
  const pids = () => [proxy.pid, ...childrenOf(proxy.pid)]
  const resident = () => pids().reduce((sum, pid) => sum + residentBytes(pid), 0)
  // The code of a login is warm and its garbage collected before the first measure.
  const warm = await open(to, accounts, 200)
  for (const socket of warm) socket.destroy()
  await sleep(SETTLE_MS)
  const before = resident()
  const sockets = await open(to, accounts, COUNT)
  await sleep(SETTLE_MS)
  const after = resident()
  for (const socket of sockets) socket.destroy()
  return { connections: COUNT, bytesEach: (after - before) / COUNT, before, after }
}

async function open(to, accounts, count) {
  const sockets = []
  for (let at = 0; at < count; at += AT_ONCE) {
    const wave = Array.from({ length: Math.min(AT_ONCE, count - at) }, () => logIn(to, accounts))
    sockets.push(...(await Promise.all(wave)))
  }
  return sockets
}

/** A login by hand: a driver would keep more than the proxy does. */
function logIn({ host, port, user }, { password }) {
  return new Promise((done, failed) => {
    const socket = connect(port, host)
    let seen = Buffer.alloc(0)
    let greeted = false
    socket.on('error', failed)
    socket.on('data', bytes => {
      seen = Buffer.concat([seen, bytes])
      if (seen.length < 4 || seen.length < 4 + seen.readUIntLE(0, 3)) return
      const payload = seen.subarray(4, 4 + seen.readUIntLE(0, 3))
      seen = Buffer.alloc(0)
      if (!greeted) {
        greeted = true
        socket.write(response(payload, user, password))
      } else if (payload[0] === 0) done(socket)
      else failed(new Error(`login: ${payload.subarray(3).toString()}`))
    })
  })
}

function response(greeting, user, password) {
  const at = greeting.indexOf(0) + 5
  const scramble = Buffer.concat([
    greeting.subarray(at, at + 8),
    greeting.subarray(at + 27, at + 39),
  ])
  const sha = (...parts) => createHash('sha1').update(Buffer.concat(parts)).digest()
  const stage1 = sha(Buffer.from(password))
  const mask = sha(scramble, sha(stage1))
  const token = stage1.map((byte, index) => byte ^ mask[index])
  const head = Buffer.alloc(32)
  head.writeUInt32LE(0x000a_a205)
  head.writeUInt32LE(1 << 24, 4)
  head[8] = 45
  const payload = Buffer.concat([
    head,
    Buffer.from(`${user}\0`),
    Buffer.from([20]),
    token,
    Buffer.from('mysql_native_password\0'),
  ])
  const header = Buffer.alloc(4)
  header.writeUIntLE(payload.length, 0, 3)
  header[3] = 1
  return Buffer.concat([header, payload])
}
