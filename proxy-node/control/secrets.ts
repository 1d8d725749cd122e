/**
 * Secrets by reference and the instance's own identity: with `signing.ts`, which signs reports, all
 * that the node knows of AWS. The SDK is loaded when it is needed, not at the start of every verb.
 */
import { Fault } from '#contract/fault'
import type { Clock } from '../base/clock.ts'
import { errorCode } from './durable-file.ts'
import type { Credentials, Settings } from './settings.ts'

const REQUEST_TIMEOUT_MS = 10_000
/** How long a service that is away is waited for, well within a verb's ten minutes. */
const AWAY_MS = 45_000
const RETRY_MS = 500
/** Errors of the runtime and the SDK without a code of their own. */
const NO_ANSWER = ['TimeoutError', 'AbortError', 'FailedToOpenSocket', 'ConnectionRefused']

export type Secrets = {
  /** Value of a Parameter Store SecureString by name or ARN. @throws secret.unreadable */
  readonly read: (reference: string) => Promise<string>
  /** Of this instance: from the environment, else what the SDK finds (its role). */
  readonly credentials: () => Promise<Credentials>
}

export function parameterStore(settings: Settings, clock: Clock): Secrets {
  return {
    read: reference => readParameter(settings, reference, clock),
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

/** A service that is away for a moment must not fail a whole operation; one that says no has said it. */
async function readParameter(settings: Settings, reference: string, clock: Clock): Promise<string> {
  const until = clock.now() + AWAY_MS
  for (;;)
    try {
      const { Parameter } = await (await client(settings)).get(reference)
      if (Parameter?.Value === undefined) throw new Error('it has no value')
      return Parameter.Value
    } catch (error) {
      if (!isAway(error) || clock.now() >= until)
        throw new Fault('secret.unreadable', { reference, reason: nameOf(error) }, { cause: error })
      await clock.sleep(RETRY_MS)
    }
}

/** Nobody answered, or the answer was that it is overloaded or broken. */
function isAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const { $metadata, $fault } = error as Error & {
    readonly $fault?: string
    readonly $metadata?: { readonly httpStatusCode?: number }
  }
  const status = $metadata?.httpStatusCode
  if (status !== undefined) return status >= 500 || error.name.startsWith('Throttling')
  return $fault === undefined && (errorCode(error) !== '' || NO_ANSWER.includes(error.name))
}

/** The service's error name: its messages may repeat what was asked and by whom. */
function nameOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown error'
  return errorCode(error) || (error.name === 'Error' ? error.message : error.name)
}
