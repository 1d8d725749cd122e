import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { apiClient } from '../../../../../infra/local/stack/api-client.ts'

let asked: string[]
let silent: number
const server = createServer((request, response) => {
  asked.push(request.method ?? '')
  if (asked.length <= silent) return void request.socket.destroy()
  response.writeHead(200, { etag: '"1"' }).end('{"ok":true}')
})
const client = () => apiClient(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, 't')

beforeEach(async () => {
  asked = []
  silent = 0
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done))
})

afterEach(async () => {
  server.closeAllConnections()
  await new Promise(done => server.close(done))
})

test('a GET that nobody answers is asked again', async () => {
  silent = 2
  expect(await client().get('/x')).toMatchObject({ status: 200, etag: '"1"', body: { ok: true } })
  expect(asked).toEqual(['GET', 'GET', 'GET'])
})

test('a GET is given up in the end, and says what it was', async () => {
  silent = 100
  await expect(client().get('/x')).rejects.toThrow(/^GET http:.*\/v1\/x: /)
})

test('a POST is sent once: whether it was taken is not known', async () => {
  silent = 1
  await expect(client().post('/x', {})).rejects.toThrow(/^POST http:.*\/v1\/x: /)
  expect(asked).toEqual(['POST'])
})
