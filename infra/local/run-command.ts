/**
 * The local Systems Manager as a process of its own: Run Command and Parameter Store. Prints one
 * JSON line when ready; ends with SIGTERM or with the stack that started it.
 * Usage: run-command.ts SETTINGS — a JSON file of mode 0600 with `Settings`.
 */
import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { type Caller, Endpoint } from './ssm/endpoint.ts'

const keyPair = z.object({ accessKeyId: z.string(), secretAccessKey: z.string() })

const settingsSchema = z.strictObject({
  host: z.string(),
  port: z.int(),
  folder: z.string(),
  plane: keyPair,
  instances: z.array(
    z.strictObject({
      id: z.string(),
      name: z.string(),
      address: z.string(),
      tags: z.record(z.string(), z.string()),
      keys: keyPair,
    }),
  ),
  events: z.strictObject({ url: z.string(), token: z.string() }).optional(),
  pingLostMs: z.int().optional(),
  sendsPerSec: z.number().optional(),
  readsPerSec: z.number().optional(),
})

export type RunCommandSettings = z.infer<typeof settingsSchema>

async function run(file: string): Promise<void> {
  const { plane, instances, events, ...rest } = settingsSchema.parse(
    JSON.parse(readFileSync(file, 'utf8')),
  )
  const keys = new Map<string, { secretAccessKey: string; who: Caller }>()
  keys.set(plane.accessKeyId, { secretAccessKey: plane.secretAccessKey, who: { kind: 'plane' } })
  for (const { id, keys: own } of instances)
    keys.set(own.accessKeyId, {
      secretAccessKey: own.secretAccessKey,
      who: { kind: 'instance', instanceId: id },
    })
  const { pingLostMs, sendsPerSec, readsPerSec, ...place } = rest
  const endpoint = new Endpoint({
    ...place,
    instances: instances.map(({ keys: _keys, ...plan }) => plan),
    keys,
    ...(events === undefined ? {} : { events }),
    ...(pingLostMs === undefined ? {} : { pingLostMs }),
    ...(sendsPerSec === undefined ? {} : { sendsPerSec }),
    ...(readsPerSec === undefined ? {} : { readsPerSec }),
  })
  const port = await endpoint.start()
  const end = () => void endpoint.stop().then(() => process.exit(0))
  process.on('SIGTERM', end)
  process.stdin.on('end', end).resume()
  process.stdout.write(`${JSON.stringify({ url: `http://${rest.host}:${port}` })}\n`)
}

run(process.argv[2] ?? '').catch((error: Error) => {
  process.stderr.write(`run-command: ${error.message}\n`)
  process.exit(1)
})
