/** The stack's own keys (L3): made at the first start, random, kept in a file of mode 0600. */
import { createHash, randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { z } from 'zod'
import { readJson, writePrivately } from '../files.ts'

const keyPair = z.object({ accessKeyId: z.string(), secretAccessKey: z.string() })

const keysSchema = z.object({
  /** Bearer token of the API. */
  token: z.string(),
  /** What Run Command shows when it delivers an event. */
  eventsToken: z.string(),
  /** The plane's own AWS keys. */
  plane: keyPair,
  /** One pair an instance, by instance id. */
  instances: z.record(z.string(), keyPair),
})

export type KeyPair = z.infer<typeof keyPair>
export type StackKeys = z.infer<typeof keysSchema>

/** The keys under `home`, made when they are not there. */
export function stackKeys(home: string, instanceIds: readonly string[]): StackKeys {
  const file = join(home, 'keys.json')
  const stored = readJson(file)
  if (stored !== undefined) return completed(file, keysSchema.parse(stored), instanceIds)
  const keys: StackKeys = {
    token: randomBytes(24).toString('base64url'),
    eventsToken: randomBytes(24).toString('base64url'),
    plane: newPair(),
    instances: Object.fromEntries(instanceIds.map(id => [id, newPair()])),
  }
  writePrivately(file, keys)
  return keys
}

/** A home that is older than some of the instances gets keys for them. */
function completed(file: string, keys: StackKeys, instanceIds: readonly string[]): StackKeys {
  const missing = instanceIds.filter(id => keys.instances[id] === undefined)
  if (missing.length === 0) return keys
  const added = Object.fromEntries(missing.map(id => [id, newPair()]))
  const all = { ...keys, instances: { ...keys.instances, ...added } }
  writePrivately(file, all)
  return all
}

export function sha256Hex(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

function newPair(): z.infer<typeof keyPair> {
  // The form of real ones, so that nothing that checks it is surprised.
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
  const id = [...randomBytes(16)].map(byte => letters[byte % letters.length]).join('')
  return { accessKeyId: `AKIA${id}`, secretAccessKey: randomBytes(30).toString('base64') }
}
