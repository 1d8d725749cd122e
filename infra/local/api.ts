/**
 * The management API and its jobs as one process: the app, the engine, the status events of Run
 * Command and the sweeper, as Lambda runs them. Prints one JSON line when ready; ends with SIGTERM or
 * with the stack that started it.
 * Usage: api.ts SETTINGS — a JSON file of mode 0600 with `Settings`.
 */
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { createApp } from '../../functions/app.ts'
import { makeDeps } from '../../functions/deps.ts'
import type { Principal } from '../../functions/domain/model.ts'
import { onCommandStatus } from '../../functions/jobs/command-status.ts'
import { sweep } from '../../functions/jobs/sweep.ts'
import { ensureTable } from '../../functions/store/table.ts'
import { LocalQueue } from './api/queue.ts'
import { eventsFetch, listen, signedFetch } from './api/server.ts'
import type { Identity } from './sigv4.ts'

const keyPair = z.object({ accessKeyId: z.string(), secretAccessKey: z.string() })
const address = z.object({ host: z.string(), port: z.int() })

const settingsSchema = z.strictObject({
  api: address,
  events: address,
  eventsToken: z.string(),
  tokenSha256: z.string(),
  region: z.string(),
  table: z.string(),
  dynamodb: z.string(),
  ssm: z.string(),
  elb: z.string(),
  objects: z.string(),
  logBucket: z.string(),
  document: z.string(),
  configServiceUrl: z.string(),
  plane: keyPair,
  instances: z.record(z.string(), keyPair),
})

type Settings = z.infer<typeof settingsSchema>

/** A minute in the cloud; here a user may sit and wait for what a kill left. */
const SWEEP_MS = 5_000

/** Operations that a start takes up at once; the sweeper comes to the others. */
const MAX_RESUMED = 200

/** As a queue delivers again what was not taken. */
const AFTER_FAILURE_MS = 2_000

const log = (line: Readonly<Record<string, unknown>>) => {
  process.stderr.write(`${JSON.stringify({ at: new Date().toISOString(), ...line })}\n`)
}

async function run(file: string): Promise<void> {
  const settings = settingsSchema.parse(JSON.parse(readFileSync(file, 'utf8')))
  const queue = new LocalQueue()
  const { plane, engine, store, dynamodb } = depsOf(settings, queue)
  await ensureTable(dynamodb, settings.table)
  queue.start(id =>
    engine.advance(id).catch((error: Error) => {
      failed('advance')(error)
      return queue.nudge(id, AFTER_FAILURE_MS)
    }),
  )
  const app = createApp({
    plane,
    tokenSha256: settings.tokenSha256,
    newRequestId: randomUUID,
    log,
  })
  const who = instancesByKey(settings.instances)
  const servers = [
    await listen(
      eventsFetch(settings.eventsToken, event =>
        onCommandStatus({ store, engine }, event).catch(failed('command-status')),
      ),
      settings.events,
    ),
    await listen(
      signedFetch(app, key => who.get(key)),
      settings.api,
    ),
  ]
  const sweeping = setInterval(() => void sweep(engine).catch(failed('sweep')), SWEEP_MS)
  const end = () => {
    clearInterval(sweeping)
    queue.stop()
    for (const server of servers) server.close()
    process.exit(0)
  }
  process.on('SIGTERM', end)
  process.stdin.on('end', end).resume()
  process.stdout.write(
    `${JSON.stringify({ url: `http://${settings.api.host}:${settings.api.port}` })}\n`,
  )
  await engine.resume(MAX_RESUMED).catch(failed('resume'))
}

function depsOf(settings: Settings, queue: LocalQueue) {
  return makeDeps({
    region: settings.region,
    table: settings.table,
    document: settings.document,
    configServiceUrl: settings.configServiceUrl,
    cursorKey: settings.plane.secretAccessKey,
    // Kept under the home, and no other API has it: this one's leases outlive its process.
    owner: settings.plane.accessKeyId,
    queue,
    log,
    dynamodbEndpoint: settings.dynamodb,
    ssmEndpoint: settings.ssm,
    elbEndpoint: settings.elb,
    s3Endpoint: settings.objects,
    logBucket: settings.logBucket,
    credentials: settings.plane,
  })
}

function instancesByKey(
  instances: Readonly<Record<string, z.infer<typeof keyPair>>>,
): ReadonlyMap<string, Identity<Principal>> {
  return new Map(
    Object.entries(instances).map(([instanceId, { accessKeyId, secretAccessKey }]) => [
      accessKeyId,
      { secretAccessKey, who: { kind: 'instance', instanceId } },
    ]),
  )
}

function failed(job: string) {
  return (error: Error) => log({ event: 'job-failed', job, reason: error.message })
}

run(process.argv[2] ?? '').catch((error: Error) => {
  process.stderr.write(`api: ${error.message}\n`)
  process.exit(1)
})
