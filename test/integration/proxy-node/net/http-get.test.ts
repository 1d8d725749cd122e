import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../../../../proxy-node/base/clock.ts'
import { httpGetter } from '../../../../proxy-node/net/http-get.ts'

const get = httpGetter(1_000, systemClock)
let server: Server
let url = ''

beforeAll(async () => {
  server = createServer((request, response) => {
    const path = request.url ?? ''
    if (path.startsWith('/large')) response.end('x'.repeat(1_001))
    else if (path.startsWith('/redirect'))
      response.writeHead(302, { location: '/elsewhere?Token=s3cret' }).end()
    else if (path.startsWith('/half')) response.write('half')
    else if (path.startsWith('/cut')) {
      response.writeHead(200, { 'content-length': '10' }).write('12345', () => response.destroy())
    } else if (path.startsWith('/broken')) response.writeHead(503).end('oops')
    else if (!path.startsWith('/silent')) response.end('ok é')
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
})

/** Why there was no answer. */
const failure = (path: string, timeoutMs = 5_000) =>
  get(`${path}?Token=s3cret`, timeoutMs).then(
    () => 'answered',
    (error: Error) => `${error.message} ${String(error.cause ?? '')}`,
  )

describe('a GET', () => {
  test('has status and text, whatever the status', async () => {
    expect(await get(`${url}/good`, 5_000)).toEqual({ status: 200, body: 'ok é' })
    expect(await get(`${url}/broken`, 5_000)).toEqual({ status: 503, body: 'oops' })
  })

  test.each([
    ['too large', '/large', 'more than 1000 bytes'],
    ['a redirect', '/redirect', 'it redirects'],
    ['cut short', '/cut', 'no answer: '],
  ])('fails when the answer is %s', async (_what, path, why) => {
    expect(await failure(`${url}${path}`)).toContain(why)
  })

  test.each(['/silent', '/half'])('of %s is given up in time', async path => {
    expect(await failure(`${url}${path}`, 200)).toContain('no answer within 200 ms')
  })

  test.each([
    ['another scheme', 'file:///etc/passwd'],
    ['credentials', 'http://user:pass@127.0.0.1/'],
    ['no host', 'http:///x'],
    ['nothing', ''],
  ])('is not made with %s', async (_what, bad) => {
    expect(await failure(bad)).toContain('none of http or https')
  })

  test.each(['/large', '/redirect', '/cut'])('that fails tells no URL: %s', async path => {
    expect(await failure(`${url}${path}`)).not.toContain('s3cret')
  })

  test('of a port where nobody listens fails at once, and tells no URL', async () => {
    const closed = createServer()
    await new Promise<void>(resolve => closed.listen(0, '127.0.0.1', resolve))
    const { port } = closed.address() as AddressInfo
    await new Promise(resolve => closed.close(resolve))

    const why = await failure(`http://127.0.0.1:${port}/x`)

    expect(why).toContain('ECONNREFUSED')
    expect(why).not.toContain('s3cret')
  })
})
