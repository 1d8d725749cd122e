/**
 * Verb diagnose: everything about one node that explains why it is as it is, by files, the kernel and
 * admin SQL, so that OceanBase's obproxy is served too. It changes nothing and fails for nothing that it
 * finds. The document goes to the plane by itself; the answer line has the names of what is not well,
 * which is all there is when the plane did not take the document. Source: management.md §2.6.
 */
import type { OrderEntry } from '#contract/command'
import {
  DIAGNOSIS_MAX_BYTES,
  DIAGNOSIS_SCHEMA,
  type Diagnosis,
  type DiagnosisFacts,
  levelsText,
} from '#contract/diagnosis'
import type { DesiredNode } from '#contract/node-state'
import { diagnosisFindings } from './diagnosis-findings.ts'
import { hostFacts, proxyPid } from './diagnosis-host.ts'
import { proxyFacts } from './diagnosis-proxy.ts'
import type { Host } from './host.ts'
import { desiredOf, type NodeMemory } from './node-file.ts'
import { clockAgainstPlane, toPlane } from './plane-api.ts'
import { type Facts, namesFact } from './result.ts'

/** Lists that give way when the document is too long, the most dispensable first. */
const ELASTIC = [
  'errors',
  'clients',
  'avoided',
  'upgrade',
  'ledger',
  'differing',
  'pendingRestart',
  'obClusters',
] as const satisfies readonly (keyof DiagnosisFacts)[]

/** @throws order.incomplete when neither the order nor the node says what it should be */
export async function diagnose(memory: NodeMemory, entry: OrderEntry, host: Host): Promise<Facts> {
  const desired = entry.desired ?? desiredOf(memory, 'diagnose')
  const document = fitted(await documentOf(desired, memory, entry, host))
  const { refusal } = await toPlane(desired.nodeId, 'diagnosis', document, host)
  const of = (level: string) => document.findings.filter(each => each.level === level).length
  return {
    ok: of('ok'),
    warn: of('warn'),
    fail: of('fail'),
    found: levelsText(document.findings),
    uploaded: refusal === undefined,
    ...(refusal === undefined ? {} : { reason: namesFact([refusal]) }),
  }
}

async function documentOf(
  desired: DesiredNode,
  memory: NodeMemory,
  { operationId }: OrderEntry,
  host: Host,
): Promise<Diagnosis> {
  const pid = await proxyPid(desired, host)
  const [proxy, here, clock] = await Promise.all([
    proxyFacts(desired, { memory, pid }, host),
    hostFacts(desired, pid, host),
    clockAgainstPlane(host),
  ])
  const plane =
    'refusal' in clock
      ? { plane: clock.refusal, clockMs: null }
      : { plane: '', clockMs: clock.aheadMs }
  const facts: DiagnosisFacts = { ...here, ...proxy, ...plane }
  const now = host.clock.now()
  return {
    schema: DIAGNOSIS_SCHEMA,
    nodeId: desired.nodeId,
    instanceId: host.settings.instanceId,
    operationId,
    at: now,
    findings: [...diagnosisFindings(facts, { desired, now })],
    facts,
  }
}

/** Within the bound of what the plane takes: lists lose their ends, one after the other. */
export function fitted(document: Diagnosis): Diagnosis {
  let kept = document
  for (const name of ELASTIC)
    while (bytesOf(kept) > DIAGNOSIS_MAX_BYTES && kept.facts[name].length > 0)
      kept = {
        ...kept,
        facts: { ...kept.facts, [name]: kept.facts[name].slice(0, kept.facts[name].length >> 1) },
      }
  return kept
}

function bytesOf(document: Diagnosis): number {
  return Buffer.byteLength(JSON.stringify(document))
}
