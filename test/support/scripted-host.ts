/** A host of the scripted fleet: what it is told to do wrong, what is on it, and what a verb changes there. */
import type { OrderEntry, Verb, VerbResult } from '#contract/command'
import type { DiagnosisFacts } from '#contract/diagnosis'
import type { DesiredNode } from '#contract/node-state'
import { PARAMETERS } from '#contract/parameters'
import type { HostFacts } from '../../functions/domain/remote.ts'
import { FOREIGN_PROXY } from './foreign-proxy.ts'
import type { Queued } from './scripted-run-command.ts'

/** What a host does with a command. */
export type Behaviour =
  | 'works'
  | 'fails'
  /** Runs, its answer is lost for good. */
  | 'silent'
  /** Its carrier dies before it runs. */
  | 'undelivered'
  /** Reboots under it before it has done anything. */
  | 'reboots'
  /** Dies under it and is away for a while: the fence is written, nothing else is done. */
  | 'dies before'
  /** The same, with all done and no line of it in the ledger. */
  | 'dies after'
  /** Is handed it twice, and both run at once. */
  | 'twice'
  | 'slow'

export type Facts = NonNullable<VerbResult['facts']>

export type ScriptedHost = {
  readonly facts: HostFacts
  isOnline: boolean
  /** When a host that has died is back; null: it is not known, or it has not. */
  downUntil: number | null
  /** Until then its agent begins nothing: what it takes is queued. */
  busyUntil: number
  /** What its agent has taken and not begun. */
  readonly queue: Queued[]
  /** It reports no more, whatever else it does. */
  isMute: boolean
  /** What it does with its next commands, one each; with all after them as `behaviour` says. */
  readonly faults: Behaviour[]
  behaviour: Behaviour
  status: 'RUNNING' | 'STOPPED' | 'GONE'
  fence: number
  sequence: number
  /** What it runs. */
  version: string | null
  parameterVersion: number | null
  /** Bytes of its proxy and of its host. */
  memory: { readonly used: number; readonly available: number } | null
  /** Of its processor, as it says; null: it says nothing of it. */
  arch: string | null
  /** Clients that it reports. */
  clients: number | null
  /** What it has stored, and what its process has started with. */
  parameters: Readonly<Record<string, string>>
  inForce: Readonly<Record<string, string>>
  /** `name=value` that its proxy does not take, or `link=name`. */
  readonly refuses: Set<string>
  /** Name of the password that it was told last. */
  sysPasswordSecret: string | null
  /** What it has of proxyro's passwords, by reference, and of which cluster it is; null before the first. */
  slots: Slots | null
  /** Verbs that fail, whatever else works, or those of one step: `refresh/settle`. */
  readonly failing: Set<string>
  /** What it answers to a check; the first as long as nothing was replaced, the second then. */
  checks: readonly [Facts, Facts]
  isReplaced: boolean
  /** What a look at its proxy shows. */
  probe: Facts
  /** What is not well with it; null: its document never arrives. */
  unwell: Partial<DiagnosisFacts> | null
  /** Its answers to a look are others than they should be. */
  isGarbled: boolean
  /** What it has reported last, and when. */
  reported: {
    readonly nodeId: string
    readonly operationId: string | null
    readonly at: number
  } | null
  /** Results by shelf and step, as a node keeps them. */
  readonly ledger: Map<string, VerbResult>
}

/** Of each OB cluster, `''` where it has none of its own. */
type Slots = {
  readonly clusterId: string
  readonly of: ReadonlyMap<string, readonly string[]>
}

const WITH_PARAMETERS: readonly Verb[] = [
  'start',
  'restart',
  'refresh',
  'upgrade',
  'revert',
  'take-over',
]
const STATUS_AFTER: Readonly<Partial<Record<Verb, ScriptedHost['status']>>> = {
  start: 'RUNNING',
  restart: 'RUNNING',
  'take-over': 'RUNNING',
  stop: 'STOPPED',
  install: 'STOPPED',
  uninstall: 'GONE',
  // The proxy serves on; it is no node any more.
  'give-back': 'GONE',
  release: 'GONE',
}

export function newHost(id: string, index: number): ScriptedHost {
  return {
    facts: {
      id,
      name: `host${index}`,
      address: `127.0.1.${index}`,
      pingStatus: 'Online',
      platform: 'Linux',
      tags: {},
    },
    isOnline: true,
    downUntil: null,
    busyUntil: 0,
    queue: [],
    isMute: false,
    faults: [],
    behaviour: 'works',
    status: 'GONE',
    fence: 0,
    sequence: 0,
    version: null,
    parameterVersion: null,
    clients: null,
    memory: null,
    arch: null,
    parameters: {},
    inForce: {},
    refuses: new Set(),
    sysPasswordSecret: null,
    slots: null,
    failing: new Set(),
    checks: [{ ready: true }, { ready: true }],
    isReplaced: false,
    probe: { ...FOREIGN_PROXY },
    unwell: {},
    isGarbled: false,
    reported: null,
    ledger: new Map(),
  }
}

/** What a verb leaves on its host. Carried out again it leaves the same. */
export function change(host: ScriptedHost, verb: Verb, desired: DesiredNode | undefined): void {
  host.status = STATUS_AFTER[verb] ?? host.status
  if (verb === 'restart' || verb === 'upgrade') host.isReplaced = true
  if (verb === 'revert') host.isReplaced = false
  if (desired === undefined) return
  host.version = desired.version
  host.sysPasswordSecret = desired.sysPasswordSecret
  if (!WITH_PARAMETERS.includes(verb)) return
  host.parameterVersion = desired.parameterVersion
  host.parameters = desired.parameters
  if (verb !== 'refresh') host.inForce = host.parameters
  host.slots = slotsOf(desired)
}

function slotsOf({ clusterId, link, proxyroRows = [] }: DesiredNode): Slots {
  const all =
    'configUrl' in link
      ? link.proxyroSecrets
      : [link.proxyroSecret, link.proxyroSecret1].filter(each => each !== undefined)
  return {
    clusterId,
    of: new Map([
      ['', all],
      ...proxyroRows.map(({ obCluster, secrets }) => [obCluster, secrets] as const),
    ]),
  }
}

/** Code of what fails there, whatever is asked. */
export function failureAt(host: ScriptedHost, verb: Verb, entry: OrderEntry): string | null {
  const { behaviour, failing } = host
  const isFailing = failing.has(verb) || failing.has(`${verb}/${entry.step}`)
  if (behaviour === 'fails' || isFailing) return 'node.no-start'
  return refusesAny(host, verb, entry) ? 'node.parameter-refused' : null
}

function refusesAny({ refuses }: ScriptedHost, verb: Verb, { desired }: OrderEntry): boolean {
  if (!WITH_PARAMETERS.includes(verb)) return false
  const { parameters = {}, proxyroRows = [] } = desired ?? {}
  return (
    Object.entries(parameters).some(([name, value]) => refuses.has(`${name}=${value}`)) ||
    proxyroRows.some(({ obCluster }) => refuses.has(`link=${obCluster}`))
  )
}

export function pendingOn({ parameters, inForce }: ScriptedHost): string[] {
  return [...new Set([...Object.keys(parameters), ...Object.keys(inForce)])]
    .filter(name => parameters[name] !== inForce[name])
    .filter(name => PARAMETERS.get(name)?.needsRestart === true)
    .sort()
}
