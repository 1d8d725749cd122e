/** Lambda entry of the config service: builds its deps once, exports the handler. */
import { handle } from 'hono/aws-lambda'
import { configServiceApp } from './config-service/app.ts'
import { configServiceSettings, makeConfigServiceDeps } from './deps.ts'

const log = (line: Readonly<Record<string, unknown>>) => {
  process.stdout.write(`${JSON.stringify(line)}\n`)
}

export const handler = handle(
  configServiceApp(makeConfigServiceDeps({ ...configServiceSettings(), log })),
)
