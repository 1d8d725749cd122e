/**
 * Logins of the node at its own proxy as root@proxysys. The password's SHA1, which the proxy itself
 * keeps on the same disk, is kept here too (0600): a report a minute then needs no secret from
 * elsewhere, and a node whose plane is gone still knows its proxy.
 */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { Fault } from '#contract/fault'
import type { DesiredNode } from '#contract/node-state'
import { STORED_FORM } from '../auth/passwords.ts'
import { stage1Of } from '../auth/scramble.ts'
import type { Address } from '../net/transport.ts'
import { readIfThere, reasonOf, writeDurably } from './durable-file.ts'
import type { Host } from './host.ts'
import type { Paths } from './paths.ts'
import { listeningAddress } from './processes.ts'
import { isDenied, ProxyAdmin, withAdmin } from './proxy-admin.ts'

const LOOPBACK = '127.0.0.1'

/** SHA1 of a password; null for none, as a proxy has at its first start. */
export type Stage1 = Uint8Array | null

export function sqlAddress({ ports }: Pick<DesiredNode, 'ports'>, host: Host): Address {
  const { address } = host.settings
  // One that was found may listen at an address of its own.
  const found = address ?? listeningAddress(undefined, ports.sql)
  return { host: found ?? LOOPBACK, port: ports.sql }
}

/** The first of `candidates` that the proxy takes. @throws node.admin-refused when none is, QueryError when it is not there */
export async function logIn(
  desired: Pick<DesiredNode, 'ports'>,
  candidates: readonly Stage1[],
  host: Host,
): Promise<{ readonly admin: ProxyAdmin; readonly stage1: Stage1 }> {
  const address = sqlAddress(desired, host)
  let refusal: unknown
  for (const stage1 of candidates) {
    try {
      return { admin: await ProxyAdmin.open(address, stage1, host), stage1 }
    } catch (error) {
      if (!isDenied(error)) throw error
      refusal = error
    }
  }
  const at = `${address.host}:${address.port}`
  throw new Fault('node.admin-refused', { address: at, reason: reasonOf(refusal) })
}

/** Asks the proxy as its operator, by the password that it was given last. @throws node.admin-refused, QueryError */
export async function askProxy<T>(
  desired: DesiredNode,
  host: Host,
  act: (admin: ProxyAdmin) => Promise<T>,
): Promise<T> {
  const { admin } = await logIn(desired, knownPasswords(host.settings.paths), host)
  return withAdmin(admin, act)
}

/** What the proxy may have: the password it was given last, or none yet. */
export function knownPasswords(paths: Paths): readonly Stage1[] {
  const hex = readIfThere(fileOf(paths))?.trim() ?? ''
  return STORED_FORM.test(hex) ? [Buffer.from(hex, 'hex'), null] : [null]
}

/** Gives the proxy `password` unless it has it, and keeps its hash. */
export async function settlePassword(
  desired: DesiredNode,
  password: string,
  host: Host,
): Promise<void> {
  const { paths } = host.settings
  const wanted = stage1Of(password)
  const { admin, stage1 } = await logIn(desired, [wanted, ...knownPasswords(paths)], host)
  try {
    if (stage1 !== wanted) await admin.alter('obproxy_sys_password', password)
  } finally {
    admin.close()
  }
  if (stage1 !== wanted) (await logIn(desired, [wanted], host)).admin.close()
  keepPassword(paths, wanted)
}

/** What the proxy has now, for the next login. @throws node.not-written */
export function keepPassword(paths: Paths, stage1: Stage1): void {
  if (stage1 === null) {
    forgetPassword(paths)
    return
  }
  const text = `${Buffer.from(stage1).toString('hex')}\n`
  if (readIfThere(fileOf(paths)) !== text) writeDurably(fileOf(paths), text)
}

export function forgetPassword(paths: Paths): void {
  rmSync(fileOf(paths), { force: true })
}

function fileOf(paths: Paths): string {
  return join(paths.state, 'proxysys.sha1')
}
