/**
 * Verb take-over: a proxy that another installer started becomes this node's, by admin SQL and files
 * alone. What it was is on record before anything is touched; then what would start it again is
 * stopped, its parameters and passwords become the cluster's, and it is started once under our unit,
 * its home and binaries as found. What fails goes back. Source: management.md §3.3; decisions N5-N8.
 */
import type { OrderEntry } from '#contract/command'
import { Fault } from '#contract/fault'
import type { DesiredNode } from '#contract/node-state'
import { stage1Of } from '../auth/scramble.ts'
import { askProxy, knownPasswords, settlePassword } from './access.ts'
import { activeUnits, nameOf, switchOff } from './auto-start.ts'
import { launch, prepare, synchronise, waitUntilReady } from './bring-up.ts'
import { reasonOf } from './durable-file.ts'
import { type Found, isBetween, keepFound, readFound } from './found.ts'
import { endProcesses, stopWatchdogs } from './found-processes.ts'
import { goBack } from './give-back.ts'
import { homeOf, readMarker, sha256Of, writeMarker } from './home.ts'
import type { Host } from './host.ts'
import { givePasswords, type LinkSecrets } from './links.ts'
import { listenerPid } from './listener.ts'
import { readMemory } from './node-file.ts'
import { PROXY_UNIT } from './paths.ts'
import { changesOf } from './probe-facts.ts'
import type { ProxyAdmin } from './proxy-admin.ts'
import { finishRelease } from './release.ts'
import { type Facts, namesFact } from './result.ts'
import { saveAsFound } from './saving.ts'
import { unitExists } from './unit-files.ts'

type Taking = {
  readonly desired: DesiredNode
  readonly entry: OrderEntry
}

/** @throws node.not-takeable, node.start-by-hand, secret.unreadable: nothing was changed; node.take-over-undone, node.take-over-stuck */
export async function takeOver({ desired, entry }: Taking, host: Host): Promise<Facts> {
  const { paths } = host.settings
  await settleOthers(desired, host)
  const known = readFound(paths)
  if (known?.phase === 'taken') return alreadyOurs(known, desired, host)
  const password = await host.secrets.read(desired.sysPasswordSecret)
  const { sysPasswordSecret } = entry
  const before =
    sysPasswordSecret === undefined ? null : stage1Of(await host.secrets.read(sysPasswordSecret))
  const isBegun = known !== undefined && known.phase !== 'saved'
  const found = isBegun ? known : await saveAsFound(desired, [before, stage1Of(password)], host)
  try {
    return await takeIn({ ...desired, version: found.version }, found, password, host)
  } catch (error) {
    host.log(`the take-over failed: ${reasonOf(error)}`)
    // What a shutdown ends has not failed: the boot goes back.
    if (await host.init.isGoingDown()) throw error
    await goBack(readFound(paths) ?? found, host)
    const facts = { reason: reasonOf(error) }
    throw new Fault('node.take-over-undone', facts, { cause: error })
  }
}

/** Of another node, or on its way out, it first becomes what it was. */
async function settleOthers({ nodeId }: DesiredNode, host: Host): Promise<void> {
  const found = readFound(host.settings.paths)
  if (found === undefined) return
  if (found.phase === 'releasing') await finishRelease(found, host)
  else if (found.phase === 'undoing' || (isBetween(found) && found.nodeId !== nodeId))
    await goBack(found, host)
}

async function alreadyOurs(found: Found, desired: DesiredNode, host: Host): Promise<Facts> {
  const { nodeId } = desired
  if (found.nodeId !== nodeId)
    throw new Fault('node.other-node', { found: found.nodeId, wanted: nodeId })
  const pid = await listenerPid(found, host)
  return { status: pid === null ? 'STOPPED' : 'RUNNING', pid, taken: false }
}

/** Goes on from the phase that is on record. */
async function takeIn(
  desired: DesiredNode,
  found: Found,
  password: string,
  host: Host,
): Promise<Facts> {
  const { paths } = host.settings
  let now = found
  const keep = (more: Partial<Found>) => {
    now = keepFound(paths, now, more)
  }
  const { isStartOther, secrets } = await prepare(desired, host)
  if (found.phase !== 'starting') {
    // The boot unit is in place: from here on a boot finds the way back.
    keep({ phase: 'quieting' })
    await switchOff(found, host)
    await stopWatchdogs(found.home, host)
    keep({ phase: 'changing', isChanged: true })
    // First: killed behind it, the same order could not log in by what is known from before.
    await settlePassword(desired, password, host)
    const { changed: before } = found
    await askProxy(desired, host, admin =>
      change(desired, { admin, secrets, before, keep: changed => keep({ changed }) }),
    )
    keep({ phase: 'starting' })
  }
  const pidBefore = await replaceProcess(desired, found, isStartOther, host)
  const candidates = [stage1Of(password), ...knownPasswords(paths)]
  await waitUntilReady(desired, candidates, host, admin => givePasswords(admin, secrets))
  const { version } = await synchronise(desired, readMemory(paths), host)
  keep({ phase: 'taken' })
  return {
    status: 'RUNNING',
    pid: await listenerPid(desired, host),
    pidBefore,
    version,
    parametersChanged: now.changed.length,
    changed: namesFact(now.changed),
    watchdogs: found.watchdogs.length,
    autoStart: namesFact(found.autoStart.map(nameOf)),
    parameterVersion: desired.parameterVersion,
  }
}

type Changing = {
  readonly admin: ProxyAdmin
  readonly secrets: LinkSecrets
  /** Names that were changed before a verb that was killed. */
  readonly before: readonly string[]
  /** Keeps the names of those that are changed now: carried on from later, the answer has them all. */
  readonly keep: (names: string[]) => void
}

/** The proxy's parameters and proxyro's passwords become the cluster's. @throws node.parameter-refused */
async function change(
  { parameters }: DesiredNode,
  { admin, secrets, before, keep }: Changing,
): Promise<void> {
  const [running, beyond] = [await admin.parameters(), await admin.changedParameters()]
  const changes = changesOf(running, beyond, parameters)
  keep([...new Set([...before, ...changes.map(({ name }) => name)])].sort())
  for (const { name, value } of changes) await admin.alter(name, value)
  await givePasswords(admin, secrets)
}

/** The process that was found ends, and ours begins; the pid of the one that was found. */
async function replaceProcess(
  desired: DesiredNode,
  found: Found,
  isStartOther: boolean,
  host: Host,
): Promise<number | null> {
  const { settings, init } = host
  const home = homeOf(settings.paths, desired)
  const isOurs = unitExists(settings.paths, PROXY_UNIT) && (await init.status(PROXY_UNIT)).active
  if (!isOurs) {
    for (const unit of activeUnits(found.autoStart)) await init.act('stop', unit)
    await endProcesses(found.home, host)
  }
  if (readMarker(home)?.installed === undefined) {
    const executableSha256 = await sha256Of(home.executable)
    const installed = { version: found.version, packageSha256: '', executableSha256 }
    writeMarker(home, { schema: 1, nodeId: desired.nodeId, installed })
  }
  await launch(desired, isStartOther, host)
  return isOurs ? null : found.pid
}
