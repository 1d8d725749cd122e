/**
 * Object storage of the stack, as much of S3 as signed URLs need: PUT, GET and HEAD of one bucket by path,
 * each with a URL that the plane has signed. Objects are files; one is there as a whole or not at all.
 * Source: AWS, "Amazon S3 API Reference", PutObject and GetObject.
 */
import { randomUUID } from 'node:crypto'
import { createReadStream, mkdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { endAtOnce, type ListenAddress, listenAt } from '../listening.ts'
import { verifyPresigned } from '../sigv4.ts'

const MAX_OBJECT_BYTES = 64 * 1024 * 1024
/** Keys are used as names of files. */
const KEY = /^(?:[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}\/){0,3}[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}$/

export type ObjectStoreSettings = {
  readonly folder: string
  readonly bucket: string
  readonly plane: { readonly accessKeyId: string; readonly secretAccessKey: string }
  /** Told of what went wrong here, and was no caller's doing. */
  readonly log: (line: string) => void
}

class Refusal extends Error {
  readonly status: number
  readonly code: string

  constructor(status: number, code: string) {
    super(code)
    this.status = status
    this.code = code
  }
}

export class ObjectStore {
  private readonly server: Server
  private readonly settings: ObjectStoreSettings

  constructor(settings: ObjectStoreSettings) {
    this.settings = settings
    mkdirSync(settings.folder, { recursive: true, mode: 0o700 })
    this.server = createServer((request, response) => {
      this.answer(request, response).catch(error => this.refuse(response, error))
    })
  }

  /** Resolves with the port. */
  start(address: ListenAddress): Promise<number> {
    return listenAt(this.server, address)
  }

  stop(): Promise<void> {
    return endAtOnce(this.server)
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '/', headers } = request
    const { accessKeyId, secretAccessKey } = this.settings.plane
    const verified = verifyPresigned(
      { method, url, headers },
      {
        lookup: id => (id === accessKeyId ? { secretAccessKey, who: null } : undefined),
        now: Date.now(),
      },
    )
    if (!verified.ok) throw new Refusal(403, 'AccessDenied')
    const file = this.fileOf(url)
    if (method === 'PUT') return this.put(file, request, response)
    if (method === 'GET' || method === 'HEAD') return get(file, method, response)
    throw new Refusal(405, 'MethodNotAllowed')
  }

  /** @throws Refusal */
  private fileOf(url: string): string {
    const { pathname } = new URL(url, 'http://object.invalid')
    const [, bucket, ...parts] = pathname.split('/')
    const key = parts.join('/')
    if (bucket !== this.settings.bucket) throw new Refusal(404, 'NoSuchBucket')
    if (!KEY.test(key)) throw new Refusal(400, 'InvalidURI')
    // One folder: a key cannot be a part of another one's path.
    return join(this.settings.folder, key.replaceAll('/', '%2F'))
  }

  private async put(file: string, request: IncomingMessage, response: ServerResponse) {
    const length = Number(request.headers['content-length'])
    if (!Number.isInteger(length)) throw new Refusal(411, 'MissingContentLength')
    if (length > MAX_OBJECT_BYTES) throw new Refusal(400, 'EntityTooLarge')
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part as Buffer)
    const beside = `${file}.${randomUUID()}.new`
    try {
      writeFileSync(beside, Buffer.concat(parts), { mode: 0o600 })
      renameSync(beside, file)
    } finally {
      rmSync(beside, { force: true })
    }
    response.writeHead(200).end()
  }

  private refuse(response: ServerResponse, error: unknown): void {
    if (!(error instanceof Refusal) && !isGone(error))
      this.settings.log(`an object was not served: ${String(error)}`)
    const { status, code } = error instanceof Refusal ? error : new Refusal(500, 'InternalError')
    if (response.headersSent) return void response.destroy()
    const text = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code></Error>`
    response.writeHead(status, { 'content-type': 'application/xml', connection: 'close' }).end(text)
  }
}

async function get(file: string, method: string, response: ServerResponse): Promise<void> {
  const seen = statSync(file, { throwIfNoEntry: false })
  if (seen?.isFile() !== true) throw new Refusal(404, 'NoSuchKey')
  response.writeHead(200, {
    'content-type': 'application/octet-stream',
    'content-length': seen.size,
  })
  if (method === 'HEAD') response.end()
  else await pipeline(createReadStream(file), response)
}

/** Callers may leave before they have it all. */
function isGone(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_STREAM_PREMATURE_CLOSE'
}
