/**
 * The object storage of a stack as one process. Prints one JSON line when ready; ends with SIGTERM or with
 * the stack that started it.
 * Usage: objects.ts SETTINGS — a JSON file of mode 0600 with `Settings`.
 */
import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { ObjectStore } from './s3/endpoint.ts'

const settingsSchema = z.strictObject({
  service: z.strictObject({ host: z.string(), port: z.int() }),
  folder: z.string(),
  bucket: z.string(),
  plane: z.object({ accessKeyId: z.string(), secretAccessKey: z.string() }),
})

async function run(file: string): Promise<void> {
  const { service, ...settings } = settingsSchema.parse(JSON.parse(readFileSync(file, 'utf8')))
  const store = new ObjectStore({
    ...settings,
    log: line => void process.stderr.write(`${line}\n`),
  })
  await store.start(service)
  const end = () => {
    void store.stop()
    process.exit(0)
  }
  process.on('SIGTERM', end)
  process.stdin.on('end', end).resume()
  process.stdout.write(`${JSON.stringify({ url: `http://${service.host}:${service.port}` })}\n`)
}

run(process.argv[2] ?? '').catch((error: Error) => {
  process.stderr.write(`objects: ${error.message}\n`)
  process.exit(1)
})
