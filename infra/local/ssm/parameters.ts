/** Parameter Store as far as this system uses it (PL7); SecureString values are encrypted at rest. */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { z } from 'zod'
import { readJson, writePrivately } from '../files.ts'
import { SsmError } from './errors.ts'

const MAX_VALUE_BYTES = 4096

const storedSchema = z.record(
  z.string(),
  z.object({
    type: z.enum(['String', 'StringList', 'SecureString']),
    version: z.int(),
    modifiedAt: z.number(),
    /** Plain text, or base64 of nonce, tag and cipher text. */
    value: z.string(),
  }),
)

type Stored = z.infer<typeof storedSchema>[string]

export type ParameterType = Stored['type']

export class ParameterStore {
  private readonly file: string
  private readonly key: Buffer
  private readonly stored: Record<string, Stored>

  constructor(folder: string) {
    this.file = join(folder, 'parameters.json')
    this.stored = storedSchema.parse(readJson(this.file) ?? {})
    const keyFile = join(folder, 'parameters.key.json')
    const key = readJson(keyFile) as { key: string } | undefined
    this.key = key === undefined ? randomBytes(32) : Buffer.from(key.key, 'base64')
    if (key === undefined) writePrivately(keyFile, { key: this.key.toString('base64') })
  }

  /** The version written. @throws SsmError ParameterAlreadyExists, ValidationException */
  put(
    name: string,
    value: string,
    {
      type,
      overwrite,
      now,
    }: { readonly type: ParameterType; readonly overwrite: boolean; readonly now: number },
  ): number {
    const before = this.stored[name]
    if (before !== undefined && !overwrite)
      throw new SsmError('ParameterAlreadyExists', 'The parameter already exists.')
    if (value === '' || Buffer.byteLength(value) > MAX_VALUE_BYTES)
      throw new SsmError('ValidationException', 'the value must have 1 to 4096 bytes')
    const version = (before?.version ?? 0) + 1
    const kept = type === 'SecureString' ? this.encrypt(name, value) : value
    this.stored[name] = { type, version, modifiedAt: now, value: kept }
    writePrivately(this.file, this.stored)
    return version
  }

  /** As GetParameter answers. @throws SsmError ParameterNotFound */
  get(reference: string, withDecryption: boolean) {
    // An ARN names the same parameter: arn:aws:ssm:REGION:ACCOUNT:parameter/NAME.
    const name = /^arn:[^:]*:ssm:[^:]*:[^:]*:parameter(\/.*)$/.exec(reference)?.[1] ?? reference
    const found = this.stored[name]
    if (found === undefined) throw new SsmError('ParameterNotFound', `${name} does not exist`)
    const { type, version, modifiedAt, value } = found
    const shown = type === 'SecureString' && withDecryption ? this.decrypt(name, value) : value
    return {
      Name: name,
      Type: type,
      Value: shown,
      Version: version,
      LastModifiedDate: modifiedAt / 1000,
      ARN: `arn:aws:ssm:local:000000000000:parameter${name.startsWith('/') ? '' : '/'}${name}`,
      DataType: 'text',
    }
  }

  delete(name: string): void {
    if (this.stored[name] === undefined)
      throw new SsmError('ParameterNotFound', `${name} does not exist`)
    delete this.stored[name]
    writePrivately(this.file, this.stored)
  }

  /** The name goes in as associated data, so that no value can be moved to another name. */
  private encrypt(name: string, value: string): string {
    const nonce = randomBytes(12)
    const cipher = createCipheriv('aes-256-gcm', this.key, nonce).setAAD(Buffer.from(name))
    const text = Buffer.concat([cipher.update(value, 'utf8'), cipher.final()])
    return Buffer.concat([nonce, cipher.getAuthTag(), text]).toString('base64')
  }

  private decrypt(name: string, kept: string): string {
    const bytes = Buffer.from(kept, 'base64')
    const cipher = createDecipheriv('aes-256-gcm', this.key, bytes.subarray(0, 12))
      .setAAD(Buffer.from(name))
      .setAuthTag(bytes.subarray(12, 28))
    return Buffer.concat([cipher.update(bytes.subarray(28)), cipher.final()]).toString('utf8')
  }
}
