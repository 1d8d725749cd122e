/** Signature version 4 with the instance's own credentials, for the plane's API and for S3. */
import type { Credentials } from './settings.ts'

export type ToSign = {
  readonly service: 'execute-api' | 's3'
  readonly region: string
  readonly method: 'GET' | 'POST'
  readonly url: URL
  readonly body?: string
}

/** Headers to send with the request. */
export async function signedHeaders(
  { service, region, method, url, body }: ToSign,
  credentials: Credentials,
): Promise<Record<string, string>> {
  const { SignatureV4 } = await import('@smithy/signature-v4')
  const { Sha256 } = await import('@aws-crypto/sha256-js')
  // S3 signs the path as it is sent, the others encode it once more.
  const isS3 = service === 's3'
  const signer = new SignatureV4({
    service,
    region,
    credentials,
    sha256: Sha256,
    uriEscapePath: !isS3,
    applyChecksum: isS3,
  })
  const { headers } = await signer.sign({
    method,
    protocol: url.protocol,
    hostname: url.hostname,
    ...(url.port === '' ? {} : { port: Number(url.port) }),
    path: url.pathname,
    query: Object.fromEntries(url.searchParams),
    headers: {
      host: url.host,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body }),
  })
  const { host: _implied, ...rest } = headers
  return rest
}
