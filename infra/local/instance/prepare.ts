/** Makes the root of a managed instance: what an image and its user data are on a real host. */
import {
  chmodSync,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { basename, join } from 'node:path'

export type InstanceSettings = {
  readonly root: string
  readonly instanceId: string
  readonly address: string
  readonly region: string
  readonly ssmUrl: string
  readonly apiUrl: string
  readonly keys: { readonly accessKeyId: string; readonly secretAccessKey: string }
  /** Version of the verbs, `4.3.2.0-1`, and their executable. */
  readonly version: string
  readonly executable: string
  /** Files for the spool directory. */
  readonly packages: readonly string[]
  readonly reportSeconds?: number
}

const FOLDERS = [
  'run',
  'etc/obfleet',
  'etc/systemd/system',
  'home/admin',
  'opt/obfleet',
  'var/lib/obfleet',
  'var/log',
  'var/spool/obfleet',
]

/** May be called again for the same root: only what the plane owns is replaced. */
export function prepareInstance(settings: InstanceSettings): void {
  const { root, version } = settings
  for (const folder of FOLDERS) mkdirSync(join(root, folder), { recursive: true, mode: 0o700 })
  const verbs = join(root, 'opt/obfleet', version)
  mkdirSync(verbs, { recursive: true, mode: 0o700 })
  place(settings.executable, join(verbs, 'obproxy'))
  chmodSync(join(verbs, 'obproxy'), 0o755)
  const link = join(root, 'opt/obfleet/current')
  rmSync(`${link}.new`, { force: true })
  symlinkSync(version, `${link}.new`)
  renameSync(`${link}.new`, link)
  for (const file of settings.packages) place(file, join(root, 'var/spool/obfleet', basename(file)))
  writeEnvironment(settings)
}

/** A file is too large to be copied three times: a hard link where the file system can. */
function place(from: string, to: string): void {
  if (existsSync(to) && statSync(to).ino === statSync(from).ino) return
  rmSync(`${to}.new`, { force: true })
  try {
    linkSync(from, `${to}.new`)
  } catch {
    copyFileSync(from, `${to}.new`)
  }
  renameSync(`${to}.new`, to)
}

function writeEnvironment(settings: InstanceSettings): void {
  const lines = Object.entries({
    OBFLEET_ROOT: settings.root,
    OBFLEET_ADDRESS: settings.address,
    OBFLEET_INSTANCE_ID: settings.instanceId,
    OBFLEET_API_URL: settings.apiUrl,
    OBFLEET_REPORT_SECONDS: String(settings.reportSeconds ?? 60),
    AWS_REGION: settings.region,
    AWS_ENDPOINT_URL_SSM: settings.ssmUrl,
    AWS_ACCESS_KEY_ID: settings.keys.accessKeyId,
    AWS_SECRET_ACCESS_KEY: settings.keys.secretAccessKey,
    AWS_EC2_METADATA_DISABLED: 'true',
  }).map(([name, value]) => `${name}=${value}`)
  const file = join(settings.root, 'etc/obfleet/node.env')
  writeFileSync(`${file}.new`, `${lines.join('\n')}\n`, { mode: 0o600 })
  renameSync(`${file}.new`, file)
}
