/**
 * What the environment tells a verb about its host: its own variables over those of
 * `/etc/obfleet/node.env`, which is all there is when the service manager or the agent starts it.
 */
import { readFileSync } from 'node:fs'
import { Fault } from '#contract/fault'
import { type Paths, pathsUnder, rooted } from './paths.ts'

export type Environment = Readonly<Record<string, string | undefined>>

export type Credentials = {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
}

export type Settings = {
  readonly paths: Paths
  readonly instanceId: string
  readonly bootId: string
  /** Address that the proxy binds; undefined for all of the host's. */
  readonly address: string | undefined
  readonly region: string
  /** Base of the plane's API; undefined: nothing is reported. */
  readonly apiUrl: string | undefined
  readonly ssmEndpoint: string | undefined
  readonly s3Endpoint: string | undefined
  /** Absent: the instance's role. */
  readonly credentials: Credentials | undefined
  readonly reportPeriodSec: number
}

const REPORT_PERIOD_SEC = 60
const KERNEL_BOOT_ID = '/proc/sys/kernel/random/boot_id'

/** @throws node.no-identity */
export function settingsFrom(own: Environment): Settings {
  const paths = pathsUnder((own['OBFLEET_ROOT'] ?? '').replace(/\/+$/, ''))
  const environment = { ...hostEnvironment(paths), ...defined(own) }
  const of = (name: string) => environment[name] || undefined
  const instanceId = of('OBFLEET_INSTANCE_ID') ?? of('AWS_SSM_INSTANCE_ID')
  if (instanceId === undefined) throw new Fault('node.no-identity')
  return {
    paths,
    instanceId,
    bootId: of('OBFLEET_BOOT_ID') ?? readOr(KERNEL_BOOT_ID, '').trim(),
    address: of('OBFLEET_ADDRESS'),
    region: of('AWS_REGION') ?? of('AWS_SSM_REGION_NAME') ?? 'us-east-1',
    apiUrl: of('OBFLEET_API_URL')?.replace(/\/+$/, ''),
    ssmEndpoint: of('AWS_ENDPOINT_URL_SSM'),
    s3Endpoint: of('AWS_ENDPOINT_URL_S3'),
    credentials: credentialsFrom(of),
    reportPeriodSec: periodFrom(of('OBFLEET_REPORT_SECONDS')),
  }
}

/** Lines `NAME=value`, as systemd reads an EnvironmentFile; quotes around a value are dropped. */
export function parseEnvironmentFile(text: string): Record<string, string> {
  const found: Record<string, string> = {}
  for (const line of text.split('\n')) {
    const [, name, value = ''] = /^\s*([A-Za-z_]\w*)\s*=\s*(.*?)\s*$/.exec(line) ?? []
    if (name !== undefined) found[name] = value.replace(/^(["'])(.*)\1$/, '$2')
  }
  return found
}

function hostEnvironment(paths: Paths): Record<string, string> {
  return parseEnvironmentFile(readOr(rooted(paths, paths.hostEnvironment), ''))
}

function defined(environment: Environment): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).flatMap(([name, value]) => (value ? [[name, value]] : [])),
  )
}

function credentialsFrom(of: (name: string) => string | undefined): Credentials | undefined {
  const accessKeyId = of('AWS_ACCESS_KEY_ID')
  const secretAccessKey = of('AWS_SECRET_ACCESS_KEY')
  if (accessKeyId === undefined || secretAccessKey === undefined) return undefined
  const sessionToken = of('AWS_SESSION_TOKEN')
  return { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) }
}

function periodFrom(text: string | undefined): number {
  const seconds = Number(text)
  return Number.isInteger(seconds) && seconds >= 1 && seconds <= 3600 ? seconds : REPORT_PERIOD_SEC
}

function readOr(file: string, otherwise: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return otherwise
  }
}
