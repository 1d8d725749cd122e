/** Secrets in Parameter Store, as SecureString (PL7). */
import { createHash, randomBytes } from 'node:crypto'
import {
  DeleteParameterCommand,
  ParameterNotFound,
  PutParameterCommand,
  type SSMClient,
} from '@aws-sdk/client-ssm'
import type { Secrets } from '../domain/remote.ts'
import { reading } from './reading.ts'

/** 192 bits. */
const PASSWORD_BYTES = 24

async function remove(client: SSMClient, Name: string): Promise<void> {
  try {
    await client.send(new DeleteParameterCommand({ Name }))
  } catch (error) {
    if (!(error instanceof ParameterNotFound)) throw error
  }
}

async function keepNew(client: SSMClient, Name: string): Promise<string> {
  const Value = randomBytes(PASSWORD_BYTES).toString('base64url')
  await reading(() =>
    client.send(new PutParameterCommand({ Name, Value, Type: 'SecureString', Overwrite: true })),
  )
  return Value
}

export function parameterStoreSecrets(client: SSMClient): Secrets {
  return {
    generatePassword: async name => {
      await keepNew(client, name)
    },
    generateToken: async name =>
      createHash('sha256')
        .update(await keepNew(client, name))
        .digest('hex'),
    remove: name => reading(() => remove(client, name)),
  }
}
