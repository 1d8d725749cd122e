/** The signer of the SDK is the judge: what it signs is accepted, every change of it is not. */
import { Sha256 } from '@aws-crypto/sha256-js'
import { SignatureV4 } from '@smithy/signature-v4'
import { describe, expect, test } from 'vitest'
import { type SignedRequest, verifySigV4 } from '../../../../infra/local/sigv4.ts'

const NOW = Date.UTC(2026, 10, 24, 10, 15, 0)
const KEYS = { accessKeyId: 'AKIAEXAMPLE123', secretAccessKey: 'very secret indeed' }

async function signed(
  path: string,
  query: Record<string, string> = {},
  body = '{"a":1}',
): Promise<SignedRequest> {
  const signer = new SignatureV4({
    service: 'execute-api',
    region: 'eu-central-1',
    credentials: KEYS,
    sha256: Sha256,
  })
  const request = await signer.sign(
    {
      method: 'POST',
      protocol: 'http:',
      hostname: '127.0.0.1',
      port: 8787,
      path,
      query,
      headers: { host: '127.0.0.1:8787', 'content-type': 'application/json' },
      body,
    },
    { signingDate: new Date(NOW) },
  )
  const search = new URLSearchParams(query).toString()
  return {
    method: 'POST',
    url: search === '' ? path : `${path}?${search}`,
    headers: request.headers,
    body: Buffer.from(body),
  }
}

function verify(request: SignedRequest, now = NOW) {
  return verifySigV4(request, {
    services: ['execute-api'],
    now,
    lookup: id =>
      id === KEYS.accessKeyId
        ? { secretAccessKey: KEYS.secretAccessKey, who: 'node one' }
        : undefined,
  })
}

describe('a signed request', () => {
  test.each([
    ['/v1/nodes/nod_1/report', {}],
    ['/', {}],
    ['/v1/a', { b: '2', a: 'x y/ü', 'c!': "(*')" }],
  ])('%s %j is accepted', async (path, query) => {
    expect(verify(await signed(path, query))).toEqual({
      ok: true,
      who: 'node one',
      region: 'eu-central-1',
    })
  })

  test('is refused when anything of it was changed', async () => {
    const good = await signed('/v1/nodes/nod_1/report')
    const wrong: SignedRequest[] = [
      { ...good, method: 'PUT' },
      { ...good, url: '/v1/nodes/nod_2/report' },
      { ...good, url: `${good.url}?x=1` },
      { ...good, body: Buffer.from('{"a":2}') },
      { ...good, headers: { ...good.headers, host: 'elsewhere' } },
    ]
    for (const request of wrong)
      expect(verify(request)).toMatchObject({ ok: false, code: 'InvalidSignatureException' })
  })

  test('holds five minutes, either way', async () => {
    const good = await signed('/v1/a')
    expect(verify(good, NOW + 299_000).ok).toBe(true)
    for (const now of [NOW + 301_000, NOW - 301_000])
      expect(verify(good, now)).toMatchObject({ ok: false, code: 'SignatureExpired' })
  })

  test.each([
    [undefined, 'MissingAuthenticationToken'],
    ['Bearer x', 'IncompleteSignature'],
    ['AWS4-HMAC-SHA256 Credential=A/b', 'IncompleteSignature'],
  ])('%s → %s', async (authorization, code) => {
    const good = await signed('/v1/a')
    expect(verify({ ...good, headers: { ...good.headers, authorization } })).toMatchObject({ code })
  })

  test('of a stranger or for another service is refused', async () => {
    const good = await signed('/v1/a')
    const { authorization } = good.headers as { authorization: string }
    const as = (text: string) =>
      verify({ ...good, headers: { ...good.headers, authorization: text } })
    expect(as(authorization.replace(KEYS.accessKeyId, 'AKIASTRANGER'))).toMatchObject({
      code: 'UnrecognizedClientException',
    })
    expect(as(authorization.replace('execute-api', 's3'))).toMatchObject({
      code: 'IncompleteSignature',
    })
  })
})
