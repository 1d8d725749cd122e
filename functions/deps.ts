/** The one place that puts the parts together; everything else gets what it needs as a parameter. */
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { ElasticLoadBalancingV2Client } from '@aws-sdk/client-elastic-load-balancing-v2'
import { SSMClient } from '@aws-sdk/client-ssm'
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import type { ConfigServiceDeps } from './config-service/app.ts'
import type { Clock, Queue } from './domain/clock.ts'
import type { Plane } from './domain/plane.ts'
import type { Store } from './domain/store.ts'
import { Engine } from './operations/engine.ts'
import type { Log } from './operations/ports.ts'
import { makePlane } from './plane/plane.ts'
import { ssmHosts } from './remote/hosts.ts'
import { s3Bundles } from './remote/log-bundles.ts'
import { ssmRunCommand } from './remote/run-command.ts'
import { parameterStoreSecrets } from './remote/secrets.ts'
import { targetGroupMembers } from './remote/target-group.ts'
import { DynamoStore } from './store/dynamodb.ts'

export type DepsSettings = {
  readonly region: string
  readonly table: string
  /** Document of Run Command that carries orders. */
  readonly document: string
  /** Signs cursors; the same in every executor. */
  readonly cursorKey: string
  readonly queue: Queue
  readonly log: Log
  /** Where nodes reach the config service; without it there is none. */
  readonly configServiceUrl?: string
  /** Name in this executor's leases, for the only one there is; else one that nobody else has. */
  readonly owner?: string
  /** Elsewhere than AWS, with keys of one's own. */
  readonly dynamodbEndpoint?: string
  readonly ssmEndpoint?: string
  readonly elbEndpoint?: string
  readonly s3Endpoint?: string
  /** For bundles of logs; without it there are none. */
  readonly logBucket?: string
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string }
  /** How long one request may stay without an answer. */
  readonly requestMs?: number
}

export type ClientSettings = Pick<
  DepsSettings,
  'region' | 'dynamodbEndpoint' | 'ssmEndpoint' | 'elbEndpoint' | 'credentials' | 'requestMs'
> & { readonly attempts?: number }

/** Three attempts of it stay within an operation's lease. */
const REQUEST_MS = 8_000
const CONNECT_MS = 3_000
const CONFIG_SERVICE_REQUEST_MS = 1_000

export type Deps = {
  readonly plane: Plane
  readonly engine: Engine
  readonly store: Store
  readonly clock: Clock
  /** For the table's own making, where nobody else makes it. */
  readonly dynamodb: DynamoDBClient
}

const systemClock: Clock = {
  now: () => Date.now(),
  sleep: async delayMs => {
    await delay(delayMs)
  },
}

export type ConfigServiceSettings = Pick<
  DepsSettings,
  'region' | 'table' | 'log' | 'dynamodbEndpoint' | 'credentials'
> & {
  /** Where proxies reach it. */
  readonly baseUrl: string
}

/** Of the config service in Lambda. @throws Error naming the variable that is not set */
export function configServiceSettings(): Omit<ConfigServiceSettings, 'log'> {
  const of = (name: string) => {
    const value = process.env[name]
    if (value === undefined || value === '') throw new Error(`${name} is not set`)
    return value
  }
  return {
    region: of('AWS_REGION'),
    table: of('OBFLEET_TABLE'),
    baseUrl: of('OBFLEET_CONFIG_SERVICE_URL').replace(/\/+$/, ''),
  }
}

/** Proxies wait five seconds for an answer: the table gets far less before what is cached is served. */
export function makeConfigServiceDeps(settings: ConfigServiceSettings): ConfigServiceDeps {
  const { dynamodb } = makeClients({
    ...settings,
    requestMs: CONFIG_SERVICE_REQUEST_MS,
    attempts: 2,
  })
  const documents = DynamoDBDocumentClient.from(dynamodb, {
    marshallOptions: { removeUndefinedValues: true },
  })
  return {
    store: new DynamoStore(documents, settings.table, systemClock.sleep),
    clock: systemClock,
    baseUrl: settings.baseUrl,
    newTraceId: randomUUID,
    log: settings.log,
  }
}

export function makeDeps(settings: DepsSettings): Deps {
  const { table, document, cursorKey, queue, log } = settings
  const configServiceUrl = settings.configServiceUrl ?? null
  const clock = systemClock
  const { dynamodb, patient, once, elb } = makeClients(settings)
  const documents = DynamoDBDocumentClient.from(dynamodb, {
    marshallOptions: { removeUndefinedValues: true },
  })
  const store = new DynamoStore(documents, table, clock.sleep)
  const runCommand = ssmRunCommand(once, patient, document)
  const secrets = parameterStoreSecrets(patient)
  const loadBalancer = targetGroupMembers(elb)
  const engine = new Engine({
    store,
    runCommand,
    secrets,
    loadBalancer,
    clock,
    queue,
    log,
    configServiceUrl,
    owner: settings.owner ?? randomUUID(),
  })
  const hosts = ssmHosts(patient)
  const plane = makePlane({
    store,
    hosts,
    runCommand,
    secrets,
    loadBalancer,
    logBundles: logBundlesOf(settings, patient),
    clock,
    queue,
    configServiceUrl,
    cursorKey,
  })
  return { plane, engine, store, clock, dynamodb }
}

/** Signed as whoever asks Systems Manager: the plane is one. */
function logBundlesOf({ region, logBucket, s3Endpoint }: DepsSettings, { config }: SSMClient) {
  if (logBucket === undefined) return null
  const { credentials } = config
  return s3Bundles({ region, bucket: logBucket, endpoint: s3Endpoint, credentials })
}

/**
 * Clients that give every request up in time: an operation whose executor waits for ever would be
 * nobody's until the process ends.
 */
export function makeClients(settings: ClientSettings) {
  const { region, credentials, requestMs = REQUEST_MS, attempts } = settings
  const common = {
    region,
    ...(credentials === undefined ? {} : { credentials }),
    requestHandler: {
      connectionTimeout: Math.min(CONNECT_MS, requestMs),
      requestTimeout: requestMs,
      throwOnRequestTimeout: true,
      // An answer that stops in its middle.
      socketTimeout: requestMs,
    },
  }
  const ssm = { ...common, ...endpointOf(settings.ssmEndpoint) }
  return {
    dynamodb: new DynamoDBClient({
      ...common,
      ...endpointOf(settings.dynamodbEndpoint),
      ...(attempts === undefined ? {} : { maxAttempts: attempts }),
    }),
    patient: new SSMClient(ssm),
    elb: new ElasticLoadBalancingV2Client({ ...common, ...endpointOf(settings.elbEndpoint) }),
    // A SendCommand that the SDK repeats by itself would run twice without anybody knowing (PL3).
    once: new SSMClient({ ...ssm, maxAttempts: 1 }),
  }
}

function endpointOf(endpoint: string | undefined) {
  return endpoint === undefined ? {} : { endpoint }
}
