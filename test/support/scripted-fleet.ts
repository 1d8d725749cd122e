/**
 * Hosts, Run Command and nodes as a script: they keep the nodes' rules (ledger, fence, expiry), and
 * fail as they are told. For suites of operations, with a clock that is moved by hand.
 */
import { createHash, randomUUID } from 'node:crypto'
import {
  decodeOrder,
  expiryOf,
  type OrderEntry,
  type Verb,
  type VerbResult,
} from '#contract/command'
import type { DiagnosisFacts } from '#contract/diagnosis'
import type { DesiredNode } from '#contract/node-state'
import { PARAMETERS } from '#contract/parameters'
import type { Clock, Queue } from '../../functions/domain/clock.ts'
import type { Plane } from '../../functions/domain/plane.ts'
import type {
  HostFacts,
  Hosts,
  Invocation,
  RunCommand,
  Secrets,
} from '../../functions/domain/remote.ts'
import { diagnosisOf } from './diagnosis-document.ts'
import { FOREIGN_PROXY } from './foreign-proxy.ts'

export const START = Date.parse('2026-11-24T10:00:00Z')

export class HandClock implements Clock {
  private at = START
  readonly now = () => this.at
  readonly sleep = async (delayMs: number) => {
    this.at += delayMs
  }

  pass(ms: number): void {
    this.at += ms
  }
}

export const noQueue: Queue = { nudge: async () => {} }

/** What a host does with the next commands. */
export type Behaviour =
  | 'works'
  | 'fails'
  /** Runs, its answer is lost for good. */
  | 'silent'
  /** Its carrier dies before it runs. */
  | 'undelivered'
  /** Reboots under it before it has done anything. */
  | 'reboots'
  | 'slow'

type Facts = NonNullable<VerbResult['facts']>

type ScriptedHost = {
  readonly facts: HostFacts
  isOnline: boolean
  /** It reports no more, whatever else it does. */
  isMute: boolean
  behaviour: Behaviour
  status: 'RUNNING' | 'STOPPED' | 'GONE'
  fence: number
  sequence: number
  /** What it runs, and what an upgrade has replaced. */
  version: string | null
  backup: string | null
  parameterVersion: number | null
  /** Bytes of its proxy and of its host. */
  memory: { readonly used: number; readonly available: number } | null
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
  readonly ledger: Map<string, string>
}

/** Of each OB cluster, `''` where it has none of its own. */
type Slots = {
  readonly clusterId: string
  readonly of: ReadonlyMap<string, readonly string[]>
}

type Command = {
  readonly id: string
  readonly comment: string
  readonly sentAt: number
  readonly invocations: Map<string, Invocation & { readonly doneAt: number }>
}

export type SendFault = 'refuse' | 'refuse-for-good' | 'lose-answer' | 'never-arrives'

const SLOW_MS = 20_000
const MESSAGES: Readonly<Record<string, string>> = {
  'node.no-start': 'it did not come up',
  'node.parameter-refused': 'it takes it not',
}
const REPORT_MS = 60_000
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
/** After them the host has no node that it could report of. */
const PARTINGS: readonly Verb[] = ['uninstall', 'give-back', 'release']

export class ScriptedFleet {
  readonly hosts = new Map<string, ScriptedHost>()
  /** `host verb operation/step`, once each time a node really ran it. */
  readonly ran: string[] = []
  readonly sends: { readonly hosts: number; readonly verb: Verb }[] = []
  /** How proxies were told to be replaced, in order. */
  readonly modes: string[] = []
  /** How nodes were told to find their OB clusters, in order. */
  readonly told: DesiredNode['link'][] = []
  /** Hears of what nodes are told, before they do it. */
  obeyed: (verb: Verb, entry: OrderEntry) => void = () => {}
  /** Which password of proxyro is in force at an OB cluster, by reference. */
  readonly proxyro = new Map<string, string>()
  /** Of OB clusters that tell it to who logs in. */
  readonly obVersions = new Map<string, string>()
  /** Nodes that had none that is in force at an OB cluster they are linked to, once each time it was so. */
  readonly shutOut: string[] = []
  /** Whether a cluster is linked to an OB cluster. */
  isLinked: (clusterId: string, obCluster: string) => Promise<boolean> = async () => true
  /** OB clusters that do not let the password be changed. */
  readonly unalterable = new Set<string>()
  /** Checks of gates, as they were ordered. */
  readonly checks: OrderEntry[] = []
  /** Looks at hosts, as they were ordered. */
  readonly probes: OrderEntry[] = []
  /** Secrets that are there, with how often each was written. */
  readonly passwords = new Map<string, number>()
  readonly sendFaults: SendFault[] = []
  /** Reports go in here, as nodes send them. */
  plane: Plane | undefined
  private readonly clock: Clock
  private readonly commands: Command[] = []

  constructor(clock: Clock, count: number) {
    this.clock = clock
    for (let index = 1; index <= count; index++) {
      const id = hostId(index)
      this.hosts.set(id, {
        facts: {
          id,
          name: `host${index}`,
          address: `127.0.1.${index}`,
          pingStatus: 'Online',
          platform: 'Linux',
          tags: {},
        },
        isOnline: true,
        isMute: false,
        behaviour: 'works',
        status: 'GONE',
        fence: 0,
        sequence: 0,
        version: null,
        backup: null,
        parameterVersion: null,
        clients: null,
        memory: null,
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
      })
    }
  }

  host(index: number): ScriptedHost {
    const host = this.hosts.get(hostId(index))
    if (host === undefined) throw new RangeError(`no host ${index}`)
    return host
  }

  readonly inventory: Hosts = {
    page: async (limit, token) => {
      const from = Number(token ?? 0)
      const items = this.facts().slice(from, from + limit)
      const isMore = from + limit < this.hosts.size
      return { items, nextToken: isMore ? String(from + limit) : null }
    },
    some: async ids => this.facts().filter(({ id }) => ids.includes(id)),
  }

  readonly secrets: Secrets = {
    generatePassword: async name => {
      this.passwords.set(name, (this.passwords.get(name) ?? 0) + 1)
    },
    generateToken: async name => {
      const count = (this.passwords.get(name) ?? 0) + 1
      this.passwords.set(name, count)
      return createHash('sha256').update(`${name}#${count}`).digest('hex')
    },
    remove: async name => {
      this.passwords.delete(name)
    },
  }

  readonly runCommand: RunCommand = {
    online: async ids => new Set(ids.filter(id => this.hosts.get(id)?.isOnline)),
    send: async ({ hostIds, order, comment }) => {
      const missing = hostIds.find(id => this.hosts.get(id)?.isOnline !== true)
      if (missing !== undefined)
        return { kind: 'refused', isRetryable: true, detail: `InvalidInstanceId: ${missing}` }
      const fault = this.sendFaults.shift()
      if (fault === 'refuse') return { kind: 'refused', isRetryable: true, detail: 'throttled' }
      if (fault === 'refuse-for-good')
        return { kind: 'refused', isRetryable: false, detail: 'no such document' }
      if (fault === 'never-arrives') return { kind: 'unknown', detail: 'timeout' }
      const id = await this.accept(hostIds, order, comment)
      if (fault === 'lose-answer') return { kind: 'unknown', detail: '503' }
      return { kind: 'sent', commandId: id }
    },
    find: async (comment, sinceMs) =>
      this.commands.find(each => each.comment === comment && each.sentAt >= sinceMs)?.id ?? null,
    results: async commandId => {
      const command = this.commands.find(({ id }) => id === commandId)
      const now = this.clock.now()
      return [...(command?.invocations.values() ?? [])].map(each =>
        each.doneAt > now ? { ...each, state: 'waiting', details: 'InProgress', output: '' } : each,
      )
    },
    cancel: async () => {},
  }

  private facts(): HostFacts[] {
    return [...this.hosts.values()].map(({ facts, isOnline }) => ({
      ...facts,
      pingStatus: isOnline ? 'Online' : 'ConnectionLost',
    }))
  }

  private async accept(hostIds: readonly string[], text: string, comment: string): Promise<string> {
    const order = decodeOrder(text)
    const id = randomUUID()
    this.sends.push({ hosts: hostIds.length, verb: order.verb })
    const invocations: Command['invocations'] = new Map()
    for (const each of hostIds) {
      const host = this.hosts.get(each)
      const entry = order.nodes[each]
      if (host === undefined || entry === undefined) throw new RangeError(`no entry for ${each}`)
      invocations.set(each, await this.deliver(host, order.verb, entry, expiryOf(order, entry)))
    }
    this.commands.push({ id, comment, sentAt: this.clock.now(), invocations })
    return id
  }

  /** What the host answers to an order that reached it, in one line of JSON. */
  async carryOut(id: string, text: string): Promise<string> {
    const order = decodeOrder(text)
    const host = this.hosts.get(id)
    const entry = order.nodes[id]
    if (host === undefined || entry === undefined) throw new RangeError(`no entry for ${id}`)
    return this.answer(host, order.verb, entry, expiryOf(order, entry))
  }

  private answer(
    host: ScriptedHost,
    verb: Verb,
    entry: OrderEntry,
    expiresAt: number,
  ): Promise<string> {
    return verb === 'probe' || verb === 'diagnose' || verb === 'collect-logs'
      ? this.look(host, verb, entry)
      : this.obey(host, verb, entry, expiresAt)
  }

  private async deliver(host: ScriptedHost, verb: Verb, entry: OrderEntry, expiresAt: number) {
    const { behaviour, facts } = host
    const now = this.clock.now()
    const common = { hostId: facts.id, doneAt: now, output: '' }
    if (behaviour === 'undelivered')
      return { ...common, state: 'lost' as const, details: 'Undeliverable' }
    if (behaviour === 'reboots') {
      const state = 'failed' as const
      return { ...common, state, details: 'Failed', output: 'document process failed unexpectedly' }
    }
    const output = await this.answer(host, verb, entry, expiresAt)
    if (behaviour === 'silent')
      return { ...common, doneAt: Number.POSITIVE_INFINITY, state: 'waiting' as const, details: '' }
    const ok = (JSON.parse(output) as { ok: boolean }).ok
    return {
      ...common,
      doneAt: behaviour === 'slow' ? now + SLOW_MS : now,
      state: ok ? ('succeeded' as const) : ('failed' as const),
      details: ok ? 'Success' : 'Failed',
      output: `${output}\n`,
    }
  }

  /** The rules of a node (N7): what was done is not done again, nothing old or expired begins. */
  private async obey(
    host: ScriptedHost,
    verb: Verb,
    entry: OrderEntry,
    expiresAt: number,
  ): Promise<string> {
    const { operationId, step, attempt, fence, desired } = entry
    const key = `${operationId}/${step}/${attempt}`
    const known = host.ledger.get(key)
    if (known !== undefined) return known
    const line = (more: object) => JSON.stringify({ verb, operationId, step, attempt, ...more })
    if (expiresAt < this.clock.now())
      return line({ ok: false, code: 'order.expired', message: 'late' })
    if (fence < host.fence) return line({ ok: false, code: 'order.fenced', message: 'old' })
    host.fence = fence
    this.obeyed(verb, entry)
    if (desired !== undefined) this.told.push(desired.link)
    if (verb === 'restart' || verb === 'upgrade') this.modes.push(entry.mode ?? 'force')
    if (verb !== 'status' && verb !== 'check')
      this.ran.push(`${host.facts.id} ${verb} ${operationId}/${step}`)
    const complaint = failureAt(host, verb, entry) ?? this.proxyroRefusal(verb, entry)
    if (complaint !== null) {
      const failure = line({ ok: false, code: complaint, message: MESSAGES[complaint] ?? 'no' })
      host.ledger.set(key, failure)
      return failure
    }
    const facts = this.act(host, verb, entry)
    await this.noteShutOut(verb, host)
    const result = line({ ok: true, facts: facts ?? { status: host.status } })
    host.ledger.set(key, result)
    if (desired !== undefined && !PARTINGS.includes(verb))
      await this.report(host, desired.nodeId, operationId)
    return result
  }

  /** Whatever was here before: who looks has no fence, and leaves nothing. */
  private async look(
    host: ScriptedHost,
    verb: 'probe' | 'diagnose' | 'collect-logs',
    entry: OrderEntry,
  ): Promise<string> {
    const { operationId, step, attempt } = entry
    const key = { verb, operationId, step, attempt }
    this.probes.push(entry)
    const isFailing = host.behaviour === 'fails' || host.failing.has(verb)
    if (isFailing) return JSON.stringify({ ...key, ok: false, message: 'it cannot look' })
    const facts = await this.seen(host, verb, entry)
    return JSON.stringify({ ...key, ok: true, facts })
  }

  /** An OB cluster lets nobody in with another password, nor change it. */
  private proxyroRefusal(verb: Verb, { proxyro = [] }: OrderEntry): string | null {
    for (const { obCluster, from, to } of proxyro) {
      const now = this.proxyro.get(obCluster) ?? from ?? to
      if (now === to) continue
      if (verb !== 'alter-proxyro' || now !== from) return 'proxyro.refused'
      if (this.unalterable.has(obCluster)) return 'proxyro.not-changed'
    }
    return null
  }

  /** Only a change at the OB cluster concerns other nodes than the one that has done something. */
  private async noteShutOut(verb: Verb, host: ScriptedHost): Promise<void> {
    const hosts = verb === 'alter-proxyro' ? [...this.hosts.values()] : [host]
    for (const [obCluster, password] of this.proxyro)
      for (const { slots, status, facts } of hosts) {
        if (slots === null || status !== 'RUNNING') continue
        const own = slots.of.get(obCluster) ?? slots.of.get('') ?? []
        if (!own.includes(password) && (await this.isLinked(slots.clusterId, obCluster)))
          this.shutOut.push(`${facts.id} of ${obCluster}`)
      }
  }

  private async seen(
    host: ScriptedHost,
    verb: 'probe' | 'diagnose' | 'collect-logs',
    entry: OrderEntry,
  ): Promise<Facts> {
    if (host.isGarbled) return { garbled: true }
    if (verb === 'probe') return host.probe
    if (verb === 'diagnose') return this.diagnose(host, entry)
    return { bytes: 9, sha256: 'a'.repeat(64), files: 1, lines: 2, partial: false, why: '' }
  }

  private async diagnose(host: ScriptedHost, { operationId, desired }: OrderEntry): Promise<Facts> {
    const nodeId = desired?.nodeId ?? ''
    const instanceId = host.facts.id
    const document = diagnosisOf({ nodeId, instanceId, operationId }, host.unwell ?? {})
    // The second delivery of a command may come when nobody waits any more.
    if (host.unwell !== null)
      await this.plane?.nodes
        .takeDiagnosis({ kind: 'instance', instanceId }, nodeId, document)
        .catch(() => {})
    return { found: 'disk=warn', uploaded: host.unwell !== null }
  }

  private act(host: ScriptedHost, verb: Verb, entry: OrderEntry): Facts | null {
    const { desired, proxyro = [] } = entry
    if (verb === 'check') this.checks.push(entry)
    if (verb === 'alter-proxyro')
      for (const { obCluster, to } of proxyro) this.proxyro.set(obCluster, to)
    host.status = STATUS_AFTER[verb] ?? host.status
    if (verb === 'restart') host.isReplaced = true
    if (verb === 'upgrade') {
      host.backup = host.version
      host.isReplaced = true
    }
    if (verb === 'revert') {
      host.backup = null
      host.isReplaced = false
    }
    if (desired !== undefined) {
      host.version = desired.version
      host.sysPasswordSecret = desired.sysPasswordSecret
    }
    if (WITH_PARAMETERS.includes(verb)) this.take(host, verb, desired)
    if (verb === 'check') return host.checks[host.isReplaced ? 1 : 0]
    const versions = proxyro.flatMap(({ obCluster }) => {
      const version = this.obVersions.get(obCluster)
      return version === undefined ? [] : [`${obCluster}=${version}`]
    })
    return versions.length === 0 ? null : { status: host.status, obVersions: versions.join('\n') }
  }

  private take(host: ScriptedHost, verb: Verb, desired: DesiredNode | undefined): void {
    takeParameters(host, verb, desired)
    if (desired === undefined) return
    host.slots = slotsOf(desired)
    // Somebody has registered what is in force.
    for (const [obCluster, [first]] of host.slots.of)
      if (obCluster !== '' && first !== undefined && !this.proxyro.has(obCluster))
        this.proxyro.set(obCluster, first)
  }

  /** What nodes say once a minute, whatever else happens; those that are silent say nothing. */
  async reportDue(): Promise<void> {
    for (const host of this.hosts.values()) {
      const { reported, status, isOnline, isMute } = host
      if (reported === null || status === 'GONE' || !isOnline || isMute) continue
      if (this.clock.now() - reported.at < REPORT_MS) continue
      await this.report(host, reported.nodeId, reported.operationId).catch(() => {})
    }
  }

  async report(host: ScriptedHost, nodeId: string, lastOperationId: string | null): Promise<void> {
    host.sequence += 1
    host.reported = { nodeId, operationId: lastOperationId, at: this.clock.now() }
    await this.plane?.nodes.report({ kind: 'instance', instanceId: host.facts.id }, nodeId, {
      schema: 1,
      nodeId,
      instanceId: host.facts.id,
      at: this.clock.now(),
      sequence: host.sequence,
      bootId: 'b',
      status: host.status === 'RUNNING' ? 'RUNNING' : 'STOPPED',
      desiredState: 'RUNNING',
      pid: null,
      startedAt: null,
      version: host.version,
      fence: host.fence,
      lastOperationId,
      parameterVersion: host.parameterVersion,
      parameterChecksum: null,
      linkChecksum: null,
      clientConnections: host.clients,
      pendingRestart: pendingOn(host),
      ...(host.memory === null ? {} : { memory: host.memory }),
    })
  }
}

function takeParameters(host: ScriptedHost, verb: Verb, desired: DesiredNode | undefined): void {
  host.parameterVersion = desired?.parameterVersion ?? null
  host.parameters = desired?.parameters ?? {}
  if (verb !== 'refresh') host.inForce = host.parameters
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
function failureAt(host: ScriptedHost, verb: Verb, entry: OrderEntry): string | null {
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

function pendingOn({ parameters, inForce }: ScriptedHost): string[] {
  return [...new Set([...Object.keys(parameters), ...Object.keys(inForce)])]
    .filter(name => parameters[name] !== inForce[name])
    .filter(name => PARAMETERS.get(name)?.needsRestart === true)
    .sort()
}

export function hostId(index: number): string {
  return `i-${String(index).padStart(17, '0')}`
}
