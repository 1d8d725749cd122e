/**
 * Where one stack lives on this machine: its number picks the loopback network (L2), its home the
 * folder. Number 0 is `npm run dev`; suites take others, so that they never meet it.
 */
import { join, resolve } from 'node:path'

export const ROOT = resolve(import.meta.dirname, '../../..')

const MAX_NUMBER = 100
const DEV_API_PORT = 8787

export type Address = { readonly host: string; readonly port: number }

export type StackSettings = {
  readonly number: number
  readonly home: string
  /** `127.10.1`: instances are its .1 to .5. */
  readonly nodeNetwork: string
  readonly observerNetwork: string
  readonly api: Address
  /** Status events of Run Command come in here. */
  readonly events: Address
  readonly dynamodb: Address
  readonly runCommand: Address
  readonly configService: Address
  /** Where members of the target group are changed, as in Elastic Load Balancing. */
  readonly elb: Address
  /** Where bundles of logs go, as in S3. */
  readonly objects: Address
  /** Where clients reach the members of the target group. */
  readonly balancer: Address
}

/**
 * Settings by `OBFLEET_STACK` (0..100) and `OBFLEET_HOME` (default `.obfleet` of the project, for
 * stack 0 alone).
 * @throws Error with one line for the user.
 */
export function stackSettings(env: Readonly<Record<string, string | undefined>>): StackSettings {
  const number = Number(env['OBFLEET_STACK'] ?? '0')
  if (!Number.isInteger(number) || number < 0 || number > MAX_NUMBER)
    throw new Error(
      `OBFLEET_STACK is "${env['OBFLEET_STACK']}"; it must be 1 to ${MAX_NUMBER}, or 0 for the first stack`,
    )
  const home = env['OBFLEET_HOME']
  if (number !== 0 && home === undefined)
    throw new Error(
      `OBFLEET_STACK=${number} needs a home of its own, beside that of stack 0: set OBFLEET_HOME to a folder`,
    )
  const network = `127.${10 + number}`
  return {
    number,
    home: resolve(home ?? join(ROOT, '.obfleet')),
    nodeNetwork: `${network}.1`,
    observerNetwork: `${network}.2`,
    api: { host: number === 0 ? '127.0.0.1' : `${network}.3.1`, port: DEV_API_PORT },
    events: { host: `${network}.3.1`, port: 8788 },
    dynamodb: { host: `${network}.3.2`, port: 8000 },
    runCommand: { host: `${network}.3.3`, port: 8001 },
    configService: { host: `${network}.3.4`, port: 8789 },
    elb: { host: `${network}.3.5`, port: 8002 },
    objects: { host: `${network}.3.6`, port: 8003 },
    balancer: { host: `${network}.1.100`, port: 2883 },
  }
}

export function urlOf({ host, port }: Address): string {
  return `http://${host}:${port}`
}
