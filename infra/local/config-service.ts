/**
 * The config service as one process, as Lambda runs it: its own table client, its own address, alive
 * whatever the API does. Prints one JSON line when ready; ends with SIGTERM or with the stack.
 * Usage: config-service.ts SETTINGS — a JSON file of mode 0600 with `Settings`.
 */
import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { configServiceApp } from '../../functions/config-service/app.ts'
import { makeConfigServiceDeps } from '../../functions/deps.ts'
import { listen } from './api/server.ts'

const settingsSchema = z.strictObject({
  service: z.object({ host: z.string(), port: z.int() }),
  region: z.string(),
  table: z.string(),
  dynamodb: z.string(),
  plane: z.object({ accessKeyId: z.string(), secretAccessKey: z.string() }),
})

const log = (line: Readonly<Record<string, unknown>>) => {
  process.stderr.write(`${JSON.stringify({ at: new Date().toISOString(), ...line })}\n`)
}

async function run(file: string): Promise<void> {
  const settings = settingsSchema.parse(JSON.parse(readFileSync(file, 'utf8')))
  const { host, port } = settings.service
  const baseUrl = `http://${host}:${port}`
  const app = configServiceApp(
    makeConfigServiceDeps({
      region: settings.region,
      table: settings.table,
      baseUrl,
      log,
      dynamodbEndpoint: settings.dynamodb,
      credentials: settings.plane,
    }),
  )
  const server = await listen(app.fetch, settings.service)
  const end = () => {
    server.close()
    process.exit(0)
  }
  process.on('SIGTERM', end)
  process.stdin.on('end', end).resume()
  process.stdout.write(`${JSON.stringify({ url: baseUrl })}\n`)
}

run(process.argv[2] ?? '').catch((error: Error) => {
  process.stderr.write(`config-service: ${error.message}\n`)
  process.exit(1)
})
