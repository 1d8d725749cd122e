/**
 * Brings a package to a file of this node and proves that it is the registered one: from the spool
 * directory, by https, or from S3. No redirects, no addresses of the network's own machinery, no
 * byte beyond the registered size (PL11).
 */
import { createHash } from 'node:crypto'
import { lookup } from 'node:dns/promises'
import { closeSync, constants, createReadStream, fstatSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { PackageRef } from '#contract/command'
import { Fault } from '#contract/fault'
import { isForbiddenAddress } from '../net/forbidden-address.ts'
import { errorCode, reasonOf } from './durable-file.ts'
import type { Host } from './host.ts'
import { signedHeaders } from './signing.ts'

/** Within the ten minutes that the document gives a verb, with time to unpack. */
const DOWNLOAD_TIMEOUT_MS = 420_000
const PLAIN_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*$/

export type Source =
  | { readonly kind: 'spool'; readonly fileName: string }
  | { readonly kind: 'url'; readonly url: URL; readonly isS3: boolean }

export type Target = {
  /** Where a download goes. */
  readonly file: string
  readonly timeoutMs?: number
}

/**
 * Path of the verified package: the spool's own file, or `target.file` with what was downloaded.
 * @throws package.forbidden-url, package.unavailable, package.mismatch, node.disk-full
 */
export async function fetchPackage(
  wanted: PackageRef,
  { file: target, timeoutMs = DOWNLOAD_TIMEOUT_MS }: Target,
  host: Host,
): Promise<string> {
  const source = parseSource(wanted.url, host.settings)
  if (source.kind === 'url') {
    await download(wanted, source, { file: target, timeoutMs }, host)
    return target
  }
  const file = join(host.settings.paths.spool, source.fileName)
  await verifyFile(wanted, file)
  return file
}

/** Where `text` points. @throws package.forbidden-url */
export function parseSource(
  text: string,
  { region, s3Endpoint }: { readonly region: string; readonly s3Endpoint: string | undefined },
): Source {
  const refuse = (reason: string) =>
    new Fault('package.forbidden-url', { url: shown(text), reason })
  if (text.startsWith('spool:')) {
    const fileName = text.slice('spool:'.length)
    if (!PLAIN_NAME.test(fileName)) throw refuse('it names no file of the spool directory')
    return { kind: 'spool', fileName }
  }
  const s3 = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])\/([^?#]+)$/.exec(text)
  if (s3 !== null)
    return { kind: 'url', url: s3Url(s3[1] ?? '', s3[2] ?? '', region, s3Endpoint), isS3: true }
  if (!URL.canParse(text)) throw refuse('it is no URL')
  const url = new URL(text)
  if (url.protocol !== 'https:') throw refuse(`${url.protocol} is not taken`)
  if (url.username !== '' || url.password !== '') throw refuse('it holds credentials')
  return { kind: 'url', url, isS3: false }
}

function s3Url(bucket: string, key: string, region: string, endpoint: string | undefined): URL {
  const path = key.split('/').map(encodeURIComponent).join('/')
  return endpoint === undefined
    ? new URL(`https://${bucket}.s3.${region}.amazonaws.com/${path}`)
    : new URL(`${endpoint.replace(/\/+$/, '')}/${bucket}/${path}`)
}

/** Without its query, which may carry a signature. */
function shown(text: string): string {
  return text
    .replace(/[?#].*$/s, '')
    .replace(/\/\/[^/@]*@/, '//')
    .slice(0, 200)
}

async function checkAddresses(url: URL): Promise<void> {
  const found = await lookup(url.hostname.replace(/^\[|\]$/g, ''), { all: true })
  const bad = found.find(({ address }) => isForbiddenAddress(address))
  if (bad !== undefined)
    throw new Fault('package.forbidden-url', {
      url: shown(url.href),
      reason: `${bad.address} is an address of the host or its network`,
    })
}

async function download(
  wanted: PackageRef,
  { url, isS3 }: Extract<Source, { kind: 'url' }>,
  { file, timeoutMs = DOWNLOAD_TIMEOUT_MS }: Target,
  host: Host,
): Promise<void> {
  const { region, s3Endpoint } = host.settings
  try {
    // An endpoint of the operator's own is trusted; TLS proves every other server's name.
    if (!isS3 || s3Endpoint === undefined) await checkAddresses(url)
    const headers = isS3
      ? await signedHeaders(
          { service: 's3', region, method: 'GET', url },
          await host.secrets.credentials(),
        )
      : {}
    const signal = AbortSignal.timeout(timeoutMs)
    const response = await fetch(url, { headers, redirect: 'manual', signal })
    if (response.status >= 300 && response.status < 400)
      throw new Fault('package.forbidden-url', { url: shown(url.href), reason: 'it redirects' })
    if (response.status !== 200 || response.body === null)
      throw new Error(`the server answered ${response.status}`)
    await keep(wanted, response.body, file)
  } catch (error) {
    if (error instanceof Fault) throw error
    throw unavailable(wanted, error)
  }
}

async function keep(
  wanted: PackageRef,
  body: AsyncIterable<Uint8Array>,
  target: string,
): Promise<void> {
  const descriptor = openSync(target, 'wx', 0o600)
  try {
    await verify(wanted, body, chunk => {
      for (let at = 0; at < chunk.length; ) at += writeSync(descriptor, chunk, at)
    })
  } catch (error) {
    if (['ENOSPC', 'EDQUOT'].includes(errorCode(error)))
      throw new Fault(
        'node.disk-full',
        { folder: target, detail: `the package has ${wanted.sizeBytes} bytes` },
        { cause: error },
      )
    throw error
  } finally {
    closeSync(descriptor)
  }
}

async function verifyFile(wanted: PackageRef, file: string): Promise<void> {
  let descriptor: number
  try {
    descriptor = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW)
  } catch (error) {
    throw unavailable(wanted, error)
  }
  if (!fstatSync(descriptor).isFile()) {
    closeSync(descriptor)
    throw unavailable(wanted, new Error('it is no plain file'))
  }
  await verify(wanted, createReadStream(file, { fd: descriptor }), () => {})
}

/** Passes every chunk on and compares size and hash at the end. @throws package.mismatch */
async function verify(
  wanted: PackageRef,
  chunks: AsyncIterable<Uint8Array>,
  take: (chunk: Uint8Array) => void,
): Promise<void> {
  const mismatch = (detail: string) =>
    new Fault('package.mismatch', { file: wanted.fileName, detail })
  const hash = createHash('sha256')
  let bytes = 0
  for await (const chunk of chunks) {
    bytes += chunk.length
    if (bytes > wanted.sizeBytes) throw mismatch(`it has more than ${wanted.sizeBytes} bytes`)
    hash.update(chunk)
    take(chunk)
  }
  if (bytes !== wanted.sizeBytes) throw mismatch(`it has ${bytes} bytes, not ${wanted.sizeBytes}`)
  const found = hash.digest('hex')
  if (found !== wanted.sha256)
    throw mismatch(`its sha256 is ${found.slice(0, 12)}…, not ${wanted.sha256.slice(0, 12)}…`)
}

function unavailable({ fileName }: PackageRef, error: unknown): Fault {
  const reason = errorCode(error) || reasonOf(error)
  return new Fault('package.unavailable', { file: fileName, reason }, { cause: error })
}
