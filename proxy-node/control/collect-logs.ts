/**
 * Verb collect-logs: lines of the node's logs, chosen and without their secrets, as one archive that goes
 * straight to object storage. The node asks the plane where to when it has the archive: the URL that lets
 * it in is in no order and no table, and good for minutes. Bounded in bytes, lines and time; what did not
 * fit is said. It changes nothing. Source: management.md §5.5.
 */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { gzipSync } from 'node:zlib'
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
import { journals, type LogFile, logFiles } from './log-files.ts'
import { type Selection, selectionOf } from './log-selection.ts'
import { desiredOf, type NodeMemory } from './node-file.ts'
import { toPlane } from './plane-api.ts'
import type { Facts } from './result.ts'
import { type TarFile, tarOf } from './tar-writer.ts'

/** Of text, before it is packed: a bundle is in memory while it is made. */
const MAX_TEXT_BYTES = 64 * 1024 * 1024
const MAX_LINES = 500_000
const COLLECT_MS = 120_000
const UPLOAD_MS = 120_000
/** A look at the clock costs more than a line. */
const LINES_PER_LOOK = 512

/** @throws order.incomplete, node.no-log-place */
export async function collectLogs(
  memory: NodeMemory,
  { operationId, desired: given, logs: filter }: OrderEntry,
  host: Host,
): Promise<Facts> {
  if (filter === undefined)
    throw new Fault('order.incomplete', { verb: 'collect-logs', part: 'logs' })
  const desired = given ?? desiredOf(memory, 'collect-logs')
  const bundle = await bundleOf(desired, filter, host)
  const bytes = gzipSync(tarOf(bundle.files))
  const { nodeId } = desired
  const { instanceId } = host.settings
  await handOver({ nodeId, instanceId, operationId, bytes: bytes.length }, bytes, host)
  return {
    bytes: bytes.length,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    files: bundle.files.length - 1,
    lines: bundle.lines,
    partial: bundle.why !== '',
    why: bundle.why.slice(0, 300),
  } satisfies LogFacts
}

type Bundle = { readonly files: readonly TarFile[]; readonly lines: number; readonly why: string }

/** What is left of the bounds. */
class Budget {
  bytes = MAX_TEXT_BYTES
  lines = 0
  private seen = 0
  private readonly host: Host
  private readonly deadline: number
  /** Why no more is taken; why something was not. */
  readonly reasons: string[] = []
  readonly notes: string[] = []

  constructor(host: Host) {
    this.host = host
    this.deadline = host.clock.now() + COLLECT_MS
  }

  /** False when no more is taken. */
  look(): boolean {
    if (this.reasons.length > 0) return false
    this.seen += 1
    if (this.seen % LINES_PER_LOOK === 0 && this.host.clock.now() > this.deadline)
      this.reasons.push(`it took longer than ${COLLECT_MS / 1000} s`)
    if (this.bytes <= 0) this.reasons.push(`it is more than ${MAX_TEXT_BYTES >> 20} MB`)
    if (this.lines >= MAX_LINES) this.reasons.push(`it is more than ${MAX_LINES} lines`)
    return this.reasons.length === 0
  }
}

async function bundleOf(desired: DesiredNode, filter: LogFilter, host: Host): Promise<Bundle> {
  const { paths } = host.settings
  const home = proxyHome(desired, await proxyPid(desired, host), paths)
  const proxyLogs = realFolder(join(home, 'log')) ?? join(home, 'log')
  const all = logFiles({ proxyLogs, paths }, filter)
  const budget = new Budget(host)
  const packed = all.filter(({ isPacked }) => isPacked)
  const files: TarFile[] = []
  const keep = (name: string, at: number, lines: readonly string[]) => {
    if (lines.length > 0)
      files.push({ name: name.slice(0, 100), at, bytes: Buffer.from(`${lines.join('\n')}\n`) })
  }
  for (const file of all.filter(({ isPacked }) => !isPacked))
    keep(file.name, file.changedAt, await linesOf(file, selectionOf(filter), budget))
  const now = host.clock.now()
  for (const { name, text } of await journals(paths, filter))
    keep(name, now, chosen(text.split('\n'), selectionOf(filter), budget))
  const why = [
    ...budget.reasons,
    ...budget.notes,
    ...(packed.length > 0 ? [`${packed.length} packed files were left out`] : []),
  ].join('; ')
  const about = { nodeId: desired.nodeId, at: now, filter, lines: budget.lines, partial: why }
  const head = { name: 'about.json', at: now, bytes: Buffer.from(JSON.stringify(about, null, 2)) }
  return { files: [head, ...files], lines: budget.lines, why }
}

async function linesOf(
  { path, name }: LogFile,
  selection: Selection,
  budget: Budget,
): Promise<readonly string[]> {
  const taken: string[] = []
  const input = createReadStream(path, { encoding: 'utf8' })
  try {
    for await (const line of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
      if (!budget.look()) break
      add(taken, selection.take(line), budget)
    }
  } catch (error) {
    budget.notes.push(`${name} cannot be read: ${reasonOf(error)}`)
  } finally {
    input.destroy()
  }
  return taken
}

function chosen(lines: readonly string[], selection: Selection, budget: Budget): readonly string[] {
  const taken: string[] = []
  for (const line of lines) {
    if (!budget.look()) break
    if (line !== '') add(taken, selection.take(line), budget)
  }
  return taken
}

function add(taken: string[], line: string | undefined, budget: Budget): void {
  if (line === undefined) return
  taken.push(line)
  budget.lines += 1
  budget.bytes -= Buffer.byteLength(line) + 1
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
