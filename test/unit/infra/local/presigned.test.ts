/** URLs that the plane signs are taken by the local object storage, and nothing else is. */
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { s3Bundles } from '../../../../functions/remote/log-bundles.ts'
import { ObjectStore } from '../../../../infra/local/s3/endpoint.ts'

const KEYS = { accessKeyId: 'AKIAEXAMPLE123', secretAccessKey: 'very secret indeed' }
const ADDRESS = { host: '127.15.22.1', port: 8003 }
const folder = mkdtempSync(join(tmpdir(), 'obfleet-objects-'))
const logged: string[] = []
const store = new ObjectStore({
  folder,
  bucket: 'logs',
  plane: KEYS,
  log: line => logged.push(line),
})
const of = (credentials = KEYS, bucket = 'logs') =>
  s3Bundles({
    region: 'local',
    bucket,
    endpoint: `http://${ADDRESS.host}:${ADDRESS.port}`,
    credentials,
  })
const bundles = of()
const KEY = 'logs/op_1.tar.gz'

beforeAll(() => store.start(ADDRESS))
afterAll(async () => {
  await store.stop()
  rmSync(folder, { recursive: true })
})

const put = async (url: string, body: string, method = 'PUT') =>
  (await fetch(url, { method, body, headers: { 'content-type': 'application/gzip' } })).status

test('what is put under a signed URL is there under another, whole', async () => {
  expect(await put(await bundles.putUrl(KEY, 5), 'hello')).toBe(200)
  const answer = await fetch(await bundles.getUrl(KEY))
  expect([answer.status, await answer.text()]).toEqual([200, 'hello'])
  expect((await fetch(await bundles.getUrl('logs/op_2.tar.gz'))).status).toBe(404)
})

test.each([
  ['of another size', async () => put(await bundles.putUrl(KEY, 5), 'hello!')],
  ['with another method', async () => put(await bundles.putUrl(KEY, 5), 'hello', 'POST')],
  ['to read, and is written', async () => put(await bundles.getUrl(KEY), 'hello')],
  [
    'for another key',
    async () => put((await bundles.putUrl(KEY, 5)).replace('op_1', 'op_9'), 'hello'),
  ],
  [
    'for longer',
    async () => put((await bundles.putUrl(KEY, 5)).replace('Expires=120', 'Expires=900'), 'hello'),
  ],
  [
    'by somebody else',
    async () => put(await of({ ...KEYS, secretAccessKey: 'x' }).putUrl(KEY, 5), 'hello'),
  ],
  ['by nobody', async () => put(`http://${ADDRESS.host}:${ADDRESS.port}/logs/${KEY}`, 'hello')],
])('a URL that was signed %s is refused', async (_how, act) => {
  expect(await act()).toBe(403)
})

test('an object that cannot be read is logged, and the next one is served', async () => {
  // A file that is there and fails when it is read.
  symlinkSync('/proc/self/mem', join(folder, 'logs%2Fop_3.tar.gz'))
  const answer = await fetch(await bundles.getUrl('logs/op_3.tar.gz')).catch(() => undefined)
  await answer?.text().catch(() => '')
  await vi.waitFor(() => expect(logged.join()).toContain('EIO'))
  expect(await put(await bundles.putUrl(KEY, 5), 'hello')).toBe(200)
  expect((await fetch(await bundles.getUrl(KEY))).status).toBe(200)
})

test('another bucket is not there', async () => {
  expect(await put(await of(KEYS, 'others').putUrl(KEY, 5), 'hello')).toBe(404)
})

test('in AWS the bucket is a part of the host', async () => {
  const url = new URL(
    await s3Bundles({ region: 'eu-central-1', bucket: 'b', credentials: KEYS }).putUrl(KEY, 5),
  )
  expect([url.host, url.pathname]).toEqual(['b.s3.eu-central-1.amazonaws.com', `/${KEY}`])
  expect(url.searchParams.get('X-Amz-SignedHeaders')).toBe('content-length;host')
})
