/**
 * The only place of the node that knows AWS: secrets by reference and the instance's own identity.
 * The SDK is loaded when it is needed, not at the start of every verb.
 */
import { Fault } from '#contract/fault'
import { errorCode } from './durable-file.ts'
import type { Credentials, Settings } from './settings.ts'

const REQUEST_TIMEOUT_MS = 10_000

export type Secrets = {
  /** Value of a Parameter Store SecureString by name or ARN. @throws secret.unreadable */
  readonly read: (reference: string) => Promise<string>
  /** Of this instance: from the environment, else what the SDK finds (its role). */
  readonly credentials: () => Promise<Credentials>
}

export function parameterStore(settings: Settings): Secrets {
  return {
    read: reference => readParameter(settings, reference),
    credentials: async () => settings.credentials ?? (await (await client(settings)).credentials()),
  }
}

async function client({ region, ssmEndpoint, credentials }: Settings) {
  const { GetParameterCommand, SSMClient } = await import('@aws-sdk/client-ssm')
  const ssm = new SSMClient({
    region,
    maxAttempts: 3,
    ...(ssmEndpoint === undefined ? {} : { endpoint: ssmEndpoint }),
    ...(credentials === undefined ? {} : { credentials }),
  })
  return {
    get: (name: string) =>
      ssm.send(new GetParameterCommand({ Name: name, WithDecryption: true }), {
        abortSignal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
      }),
    credentials: () => ssm.config.credentials(),
  }
}

async function readParameter(settings: Settings, reference: string): Promise<string> {
  try {
    const { Parameter } = await (await client(settings)).get(reference)
    if (Parameter?.Value === undefined) throw new Error('it has no value')
    return Parameter.Value
  } catch (error) {
    throw new Fault('secret.unreadable', { reference, reason: nameOf(error) }, { cause: error })
  }
}

/** The service's error name: its messages may repeat what was asked and by whom. */
function nameOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown error'
  return errorCode(error) || (error.name === 'Error' ? error.message : error.name)
}
