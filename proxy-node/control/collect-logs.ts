/**
 * Verb collect-logs: lines of the node's logs, chosen and without their secrets, as one archive that goes
 * straight to object storage. The node asks the plane where to when it has the archive: the URL that lets
 * it in is in no order and no table, and good for minutes. Bounded in bytes, lines and time, the newest
 * files first; what did not fit is said. It changes nothing. Source: management.md §5.5.
 */
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import type { OrderEntry } from '#contract/command'
import { Fault } from '#contract/fault'
import {
  LOG_BUNDLE_MAX_BYTES,
  type LogFacts,
  type LogFilter,
  type LogUpload,
  logPlaceSchema,
} from '#contract/log-filter'
import type { DesiredNode } from '#contract/node-state'
import { proxyHome, proxyPid } from './diagnosis-host.ts'
import { reasonOf } from './durable-file.ts'
import type { Host } from './host.ts'
import { realFolder } from './host-facts.ts'
import { type LineChunks, LogBundle } from './log-bundle.ts'
import { journals, logFiles } from './log-files.ts'
import { lineChunks } from './log-reader.ts'
import { selectionOf } from './log-selection.ts'
import { desiredOf, type NodeMemory } from './node-file.ts'
import { toPlane } from './plane-api.ts'
import type { Facts } from './result.ts'

const COLLECT_MS = 120_000
const UPLOAD_MS = 120_000

/** @throws order.incomplete, node.no-log-place */
export async function collectLogs(
  memory: NodeMemory,
  { operationId, desired: given, logs: filter }: OrderEntry,
  host: Host,
): Promise<Facts> {
  if (filter === undefined)
    throw new Fault('order.incomplete', { verb: 'collect-logs', part: 'logs' })
  const desired = given ?? desiredOf(memory, 'collect-logs')
  const { bytes, files, lines, why } = await bundleOf(desired, filter, host)
  const { nodeId } = desired
  const { instanceId } = host.settings
  await handOver({ nodeId, instanceId, operationId, bytes: bytes.length }, bytes, host)
  return {
    bytes: bytes.length,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    files,
    lines,
    partial: why !== '',
    why: why.slice(0, 300),
  } satisfies LogFacts
}

type Packed = Pick<LogFacts, 'files' | 'lines' | 'why'> & { readonly bytes: Buffer }

async function bundleOf(desired: DesiredNode, filter: LogFilter, host: Host): Promise<Packed> {
  const { paths } = host.settings
  const now = host.clock.now()
  const home = proxyHome(desired, await proxyPid(desired, host), paths)
  const proxyLogs = realFolder(join(home, 'log')) ?? join(home, 'log')
  const bundle = new LogBundle()
  const task: Task = { bundle, filter, host, deadline: now + COLLECT_MS, notes: new Set() }
  for (const { name, text, note } of await journals(paths, filter)) {
    if (note !== '') task.notes.add(`${name}: ${note}`)
    await take({ name, changedAt: now }, [text.split('\n')], task)
  }
  const all = logFiles({ proxyLogs, paths }, filter)
  for (const file of all.filter(({ isPacked }) => !isPacked))
    await take(file, lineChunks(file.path), task)
  const packed = all.filter(({ isPacked }) => isPacked).length
  if (packed > 0) task.notes.add(`${packed} packed files were left out`)
  const why = [...(bundle.full === undefined ? [] : [bundle.full]), ...task.notes].join('; ')
  const { files, lines } = bundle
  const about = { nodeId: desired.nodeId, at: now, filter, lines, partial: why }
  return { bytes: await bundle.archive(JSON.stringify(about, null, 2), now), files, lines, why }
}

type Task = {
  readonly bundle: LogBundle
  readonly filter: LogFilter
  readonly host: Host
  readonly deadline: number
  /** Why something was not taken. */
  readonly notes: Set<string>
}

/** Puts what is asked for of a file into the bundle, as long as there is room and time. */
async function take(
  { name, changedAt }: { readonly name: string; readonly changedAt: number },
  chunks: LineChunks,
  task: Task,
): Promise<void> {
  if (task.bundle.full !== undefined) return
  try {
    await task.bundle.file({ name, at: changedAt }, selected(chunks, task))
  } catch (error) {
    task.notes.add(`${name} cannot be read: ${reasonOf(error)}`)
  }
}

async function* selected(
  chunks: LineChunks,
  { filter, host, deadline, notes }: Task,
): AsyncGenerator<readonly string[]> {
  const selection = selectionOf(filter)
  for await (const lines of chunks) {
    if (host.clock.now() > deadline) {
      notes.add(`it took longer than ${COLLECT_MS / 1000} s`)
      return
    }
    yield lines.flatMap(line => (line === '' ? [] : (selection.take(line) ?? [])))
  }
}

/** @throws node.no-log-place */
async function handOver(upload: LogUpload, bytes: Uint8Array, host: Host): Promise<void> {
  const refuse = (reason: string, cause?: unknown) =>
    new Fault('node.no-log-place', { reason }, { cause })
  if (bytes.length > LOG_BUNDLE_MAX_BYTES)
    throw refuse(
      `they are ${bytes.length} bytes packed, ${LOG_BUNDLE_MAX_BYTES} may be; ask for less`,
    )
  const { refusal, text } = await toPlane(upload.nodeId, 'log-upload', upload, host)
  if (refusal !== undefined) throw refuse(refusal)
  const place = logPlaceSchema.safeParse(parsed(text))
  if (!place.success) throw refuse('the plane told no place')
  const response = await fetch(place.data.url, {
    method: 'PUT',
    headers: { 'content-type': 'application/gzip' },
    body: Buffer.from(bytes),
    redirect: 'manual',
    signal: AbortSignal.timeout(UPLOAD_MS),
  }).catch((error: unknown) => {
    // The URL is as good as a password, and messages may name it.
    throw refuse(error instanceof Error ? error.name : 'no answer')
  })
  if (!response.ok) throw refuse(`the object storage answered ${response.status}`)
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
