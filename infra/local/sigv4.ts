/**
 * Verification of AWS Signature Version 4 in the Authorization header, for the local Run Command
 * endpoint (service `ssm`, `ec2messages`) and the local API (`execute-api`).
 * Source: AWS General Reference, "Create a signed AWS API request"; ssm-run-command.md §1.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto'

export type SignedRequest = {
  readonly method: string
  /** Path and query as on the request line. */
  readonly url: string
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  readonly body: Uint8Array
}

export type Identity<T> = {
  readonly secretAccessKey: string
  readonly who: T
}

export type SignatureFault =
  | 'MissingAuthenticationToken'
  | 'IncompleteSignature'
  | 'UnrecognizedClientException'
  | 'InvalidSignatureException'
  | 'SignatureExpired'

export type Verified<T> =
  | { readonly ok: true; readonly who: T; readonly region: string }
  | { readonly ok: false; readonly code: SignatureFault; readonly message: string }

const ALGORITHM = 'AWS4-HMAC-SHA256'
/** How far the signer's clock may be off. */
const MAX_SKEW_MS = 300_000

/** Longest life of a signed URL, as in AWS: a week. */
const MAX_EXPIRES_SEC = 604_800

type Parsed = {
  readonly accessKeyId: string
  readonly day: string
  readonly region: string
  readonly service: string
  readonly signedHeaders: readonly string[]
  readonly signature: string
}

/** Checks who signed; `lookup` knows the secrets by access key id. */
export function verifySigV4<T>(
  request: SignedRequest,
  {
    services,
    lookup,
    now,
  }: {
    readonly services: readonly string[]
    readonly lookup: (accessKeyId: string) => Identity<T> | undefined
    readonly now: number
  },
): Verified<T> {
  const authorization = header(request, 'authorization')
  if (authorization === undefined)
    return fault('MissingAuthenticationToken', 'Missing Authentication Token')
  const parsed = parseAuthorization(authorization)
  const date = header(request, 'x-amz-date')
  if (parsed === undefined || date === undefined)
    return fault('IncompleteSignature', 'the Authorization header or x-amz-date is not complete')
  if (!services.includes(parsed.service) || !parsed.signedHeaders.includes('host'))
    return fault('IncompleteSignature', 'the credential scope or the signed headers are wrong')
  const at = parseDate(date)
  if (at === undefined || Math.abs(now - at) > MAX_SKEW_MS || !date.startsWith(parsed.day))
    return fault('SignatureExpired', 'the signature is too old or its date is wrong')
  const identity = lookup(parsed.accessKeyId)
  if (identity === undefined)
    return fault('UnrecognizedClientException', 'the security token is not valid')
  const expected = signature(request, parsed, { date, secret: identity.secretAccessKey })
  if (!isSame(parsed.signature, expected))
    return fault('InvalidSignatureException', 'the signature does not match')
  return { ok: true, who: identity.who, region: parsed.region }
}

/**
 * Checks a URL of S3 that was signed beforehand: by whom, for which method, path and headers, and whether
 * it is still good. Its body is not signed.
 */
export function verifyPresigned<T>(
  request: Omit<SignedRequest, 'body'>,
  {
    lookup,
    now,
  }: {
    readonly lookup: (accessKeyId: string) => Identity<T> | undefined
    readonly now: number
  },
): Verified<T> {
  const { searchParams } = new URL(request.url, 'http://signed.invalid')
  const of = (name: string) => searchParams.get(`X-Amz-${name}`) ?? ''
  const parsed = parseAuthorization(
    `${of('Algorithm')} Credential=${of('Credential')}, SignedHeaders=${of('SignedHeaders')}, Signature=${of('Signature')}`,
  )
  const [date, expires] = [of('Date'), of('Expires')]
  if (parsed === undefined || parsed.service !== 's3' || !parsed.signedHeaders.includes('host'))
    return fault('IncompleteSignature', 'the URL is not signed for S3')
  const at = parseDate(date)
  const livesMs = /^\d{1,6}$/.test(expires) ? Number(expires) * 1000 : 0
  const isGood =
    at !== undefined &&
    date.startsWith(parsed.day) &&
    livesMs > 0 &&
    livesMs <= MAX_EXPIRES_SEC * 1000 &&
    now >= at - MAX_SKEW_MS &&
    now <= at + livesMs
  if (!isGood) return fault('SignatureExpired', 'the URL is not good any more')
  const identity = lookup(parsed.accessKeyId)
  if (identity === undefined)
    return fault('UnrecognizedClientException', 'the security token is not valid')
  const expected = signature(request, parsed, { date, secret: identity.secretAccessKey })
  if (!isSame(parsed.signature, expected))
    return fault('InvalidSignatureException', 'the signature does not match')
  return { ok: true, who: identity.who, region: parsed.region }
}

function isSame(left: string, right: string): boolean {
  const [given, wanted] = [Buffer.from(left, 'latin1'), Buffer.from(right, 'latin1')]
  return given.length === wanted.length && timingSafeEqual(given, wanted)
}

/** Of a URL without a body that is signed where there is none. */
function signature(
  request: Omit<SignedRequest, 'body'> & Partial<Pick<SignedRequest, 'body'>>,
  parsed: Parsed,
  { date, secret }: { readonly date: string; readonly secret: string },
): string {
  const { pathname, searchParams } = new URL(request.url, 'http://signed.invalid')
  searchParams.delete('X-Amz-Signature')
  const isUrl = request.body === undefined
  const headers = parsed.signedHeaders
    .map(name => `${name}:${(header(request, name) ?? '').trim().replace(/\s+/g, ' ')}\n`)
    .join('')
  const bodyHash = request.body === undefined ? 'UNSIGNED-PAYLOAD' : sha256(request.body)
  const canonical = [
    request.method,
    // Every service but S3 signs the path encoded once more.
    isUrl ? pathname : pathname.split('/').map(encode).join('/'),
    canonicalQuery(searchParams),
    headers,
    parsed.signedHeaders.join(';'),
    bodyHash,
  ].join('\n')
  const scope = `${parsed.day}/${parsed.region}/${parsed.service}/aws4_request`
  const text = [ALGORITHM, date, scope, sha256(Buffer.from(canonical))].join('\n')
  const key = [parsed.day, parsed.region, parsed.service, 'aws4_request'].reduce<Buffer>(
    (signing, part) => hmac(signing, part),
    Buffer.from(`AWS4${secret}`),
  )
  return hmac(key, text).toString('hex')
}

function canonicalQuery(params: URLSearchParams): string {
  return [...params]
    .map(([name, value]) => `${encode(name)}=${encode(value)}`)
    .sort()
    .join('&')
}

function parseAuthorization(text: string): Parsed | undefined {
  const match =
    /^AWS4-HMAC-SHA256 Credential=([^/,\s]{4,128})\/(\d{8})\/([a-z0-9-]{1,40})\/([a-z0-9-]{1,40})\/aws4_request,\s*SignedHeaders=([a-z0-9;-]{1,2000}),\s*Signature=([0-9a-f]{64})$/.exec(
      text,
    )
  if (match === null) return undefined
  const [, accessKeyId = '', day = '', region = '', service = '', names = '', given = ''] = match
  return { accessKeyId, day, region, service, signedHeaders: names.split(';'), signature: given }
}

/** `20261124T101500Z` → epoch milliseconds. */
function parseDate(text: string): number | undefined {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text)
  if (match === null) return undefined
  const [year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0] = match
    .slice(1)
    .map(Number)
  return Date.UTC(year, month - 1, day, hour, minute, second)
}

function header(request: Pick<SignedRequest, 'headers'>, name: string): string | undefined {
  const value = request.headers[name]
  return typeof value === 'string' ? value : value?.join(',')
}

function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    char => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}

function fault(
  code: SignatureFault,
  message: string,
): { ok: false } & {
  readonly code: SignatureFault
  readonly message: string
} {
  return { ok: false, code, message }
}
