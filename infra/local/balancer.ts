/**
 * A load balancer of the stack as one process: a target group that is changed as in the cloud, by signed
 * calls of Elastic Load Balancing, and the TCP balancer over its members. Prints one JSON line when
 * ready; ends with SIGTERM or with the stack that started it.
 * Usage: balancer.ts SETTINGS — a JSON file of mode 0600 with `Settings`.
 */
import { mkdirSync, readFileSync } from 'node:fs'
import { z } from 'zod'
import { ElbEndpoint } from './elb/endpoint.ts'
import { Forwarder } from './elb/forwarder.ts'
import { Registry } from './elb/registry.ts'

const address = z.strictObject({ host: z.string(), port: z.int() })

const settingsSchema = z.strictObject({
  /** Where clients connect. */
  service: address,
  /** Where members are changed. */
  api: address,
  folder: z.string(),
  plane: z.strictObject({ accessKeyId: z.string(), secretAccessKey: z.string() }),
  group: z.strictObject({
    arn: z.string(),
    targetBy: z.enum(['instance', 'ip']),
    port: z.int(),
    deregistrationDelayMs: z.int().min(0).max(3_600_000),
  }),
  instances: z.array(z.strictObject({ id: z.string(), address: z.string() })),
  checkEveryMs: z.int().min(10).default(1_000),
  connectMs: z.int().min(10).default(2_000),
})

export type BalancerSettings = z.input<typeof settingsSchema>

async function run(file: string): Promise<void> {
  const settings = settingsSchema.parse(JSON.parse(readFileSync(file, 'utf8')))
  const { service, api, folder, plane, group, instances, checkEveryMs, connectMs } = settings
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const addresses = new Map(instances.map(each => [each.id, each.address]))
  const registry = new Registry(folder, group, addresses, Date.now)
  const endpoint = new ElbEndpoint(registry, plane)
  const forwarder = new Forwarder(registry, { ...service, checkEveryMs, connectMs })
  await endpoint.start(api)
  await forwarder.start()
  const end = () => {
    void endpoint.stop()
    forwarder.stop()
    process.exit(0)
  }
  process.on('SIGTERM', end)
  process.stdin.on('end', end).resume()
  process.stdout.write(`${JSON.stringify({ url: `http://${api.host}:${api.port}` })}\n`)
}

run(process.argv[2] ?? '').catch((error: Error) => {
  process.stderr.write(`balancer: ${error.message}\n`)
  process.exit(1)
})
