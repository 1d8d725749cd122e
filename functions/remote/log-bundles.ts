/**
 * Bundles of logs in a bucket of S3: URLs that are signed here and used by others. Nothing of a bundle
 * passes the plane. Source: AWS, "Authenticating Requests: Using Query Parameters".
 */
import { Sha256 } from '@aws-crypto/sha256-js'
import { SignatureV4 } from '@smithy/signature-v4'
import type { LogBundles } from '../domain/remote.ts'

/** A node sends at once what it has asked a place for. */
const PUT_SEC = 120
/** Whoever has looked at a result downloads it now, or asks again. */
const GET_SEC = 900

export type BucketSettings = {
  readonly region: string
  readonly bucket: string
  /** Elsewhere than AWS: then the bucket is the first part of the path. */
  readonly endpoint?: string | undefined
  readonly credentials: ConstructorParameters<typeof SignatureV4>[0]['credentials']
}

export function s3Bundles({ region, bucket, endpoint, credentials }: BucketSettings): LogBundles {
  const signer = new SignatureV4({
    service: 's3',
    region,
    credentials,
    sha256: Sha256,
    uriEscapePath: false,
    applyChecksum: false,
  })
  const base = new URL(
    endpoint === undefined
      ? `https://${bucket}.s3.${region}.amazonaws.com/`
      : `${endpoint.replace(/\/+$/, '')}/${bucket}/`,
  )
  const sign = async (
    method: 'GET' | 'PUT',
    key: string,
    {
      expiresIn,
      headers,
    }: { readonly expiresIn: number; readonly headers: Record<string, string> },
  ) => {
    const url = new URL(key, base)
    const request = {
      method,
      protocol: url.protocol,
      hostname: url.hostname,
      ...(url.port === '' ? {} : { port: Number(url.port) }),
      path: url.pathname,
      query: {},
      headers: { host: url.host, 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD', ...headers },
    }
    const { query } = await signer.presign(request, {
      expiresIn,
      unhoistableHeaders: new Set(Object.keys(headers)),
      // Browsers and curl send nothing else than what the URL has.
      hoistableHeaders: new Set(['x-amz-content-sha256']),
    })
    for (const [name, value] of Object.entries(query ?? {}))
      url.searchParams.set(name, String(value))
    return url.href
  }
  return {
    // The length is signed: no other size is taken.
    putUrl: (key, bytes) =>
      sign('PUT', key, { expiresIn: PUT_SEC, headers: { 'content-length': String(bytes) } }),
    getUrl: key => sign('GET', key, { expiresIn: GET_SEC, headers: {} }),
  }
}
