/** Secrets in Parameter Store, as SecureString (PL7). */
import { randomBytes } from 'node:crypto'
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

export function parameterStoreSecrets(client: SSMClient): Secrets {
  return {
    generatePassword: async name => {
      const Value = randomBytes(PASSWORD_BYTES).toString('base64url')
      await reading(() =>
        client.send(
          new PutParameterCommand({ Name: name, Value, Type: 'SecureString', Overwrite: true }),
        ),
      )
    },
    remove: name => reading(() => remove(client, name)),
  }
}
