/**
 * Hosts and nodes as a script: they keep the nodes' rules (ledger, fence, expiry, one verb at a time), and
 * fail as they are told. For suites of operations, with a clock that is moved by hand.
 */
import { createHash } from 'node:crypto'
import { decodeOrder, type OrderEntry, type Verb, type VerbResult } from '#contract/command'
import type { DesiredNode } from '#contract/node-state'
import type { Clock, Queue } from '../../functions/domain/clock.ts'
import type { Plane } from '../../functions/domain/plane.ts'
import type { HostFacts, Hosts, Secrets } from '../../functions/domain/remote.ts'
import { LOOKS, type Shelf } from '../../proxy-node/control/ledger.ts'
import { admit } from '../../proxy-node/control/order.ts'
import { failureOf, lineOf } from '../../proxy-node/control/result.ts'
import { diagnosisOf } from './diagnosis-document.ts'
import {
  change,
  type Facts,
  failureAt,
  newHost,
  pendingOn,
  type ScriptedHost,
} from './scripted-host.ts'
import { type Handed, ScriptedRunCommand } from './scripted-run-command.ts'

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

const MESSAGES: Readonly<Record<string, string>> = {
  'node.no-start': 'it did not come up',
  'node.parameter-refused': 'it takes it not',
}
const REPORT_MS = 60_000
/** After them the host has no node that it could report of. */
const PARTINGS: readonly Verb[] = ['uninstall', 'give-back', 'release']
/** They leave the node as it is, its fence too. */
const HARMLESS: readonly Verb[] = ['status', 'report', 'check']

export class ScriptedFleet {
  readonly hosts = new Map<string, ScriptedHost>()
  /** `host verb operation/step`, once each time a node ran it to its end. */
  readonly ran: string[] = []
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
  /** Reports go in here, as nodes send them. */
  plane: Plane | undefined
  readonly runCommand: ScriptedRunCommand
  private readonly clock: Clock
  /** Who has the lock of a shelf, or waits for it, last. */
  private readonly locks = new Map<string, Promise<unknown>>()

  constructor(clock: Clock, count: number) {
    this.clock = clock
    for (let index = 1; index <= count; index++)
      this.hosts.set(hostId(index), newHost(hostId(index), index))
    this.runCommand = new ScriptedRunCommand(clock, this.hosts, {
      answer: (host, handed) => this.answer(host, handed),
      cutOff: (host, handed, isDone) => this.cutOff(host, handed, isDone),
    })
  }

  get sends(): ScriptedRunCommand['sends'] {
    return this.runCommand.sends
  }

  get sendFaults(): ScriptedRunCommand['sendFaults'] {
    return this.runCommand.sendFaults
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

  private facts(): HostFacts[] {
    return [...this.hosts.values()].map(({ facts, isOnline }) => ({
      ...facts,
      pingStatus: isOnline ? 'Online' : 'ConnectionLost',
    }))
  }

  /** What the host answers to an order that reached it, in one line of JSON. */
  async carryOut(id: string, text: string): Promise<string> {
    const order = decodeOrder(text)
    const host = this.hosts.get(id)
    const entry = order.nodes[id]
    if (host === undefined || entry === undefined) throw new RangeError(`no entry for ${id}`)
    return this.answer(host, { order, entry })
  }

  /** The rules of a node (N7): what was done is not done again, nothing old or expired begins. */
  private answer(host: ScriptedHost, handed: Handed): Promise<string> {
    const { verb } = handed.order
    return this.whileLocked(host, verb, async () => {
      const key = keyOf(handed)
      const known = host.ledger.get(key)
      if (known !== undefined) return lineOf({ ...known, replayed: true })
      try {
        this.admit(host, handed)
      } catch (error) {
        return lineOf(failureOf(verb, error))
      }
      const result = isLook(verb)
        ? await this.look(host, verb, handed.entry)
        : await this.obey(host, verb, handed.entry)
      host.ledger.set(key, result)
      if (!isLook(verb)) await this.reportAfter(host, result, handed.entry)
      return lineOf(result)
    })
  }

  /** It dies under it: of what it has begun nothing is in the ledger, and nobody is told. */
  private cutOff(host: ScriptedHost, handed: Handed, isDone: boolean): Promise<void> {
    const { order, entry } = handed
    return this.whileLocked(host, order.verb, async () => {
      if (isLook(order.verb) || host.ledger.has(keyOf(handed))) return
      try {
        this.admit(host, handed)
      } catch {
        return
      }
      if (!isDone || this.complaint(host, order.verb, entry) !== null) return
      this.act(host, order.verb, entry)
      await this.noteShutOut(order.verb, host)
    })
  }

  /** Verbs that change the node wait for one another, and looks of a kind, as they do on a node. */
  private whileLocked<T>(host: ScriptedHost, verb: Verb, act: () => Promise<T>): Promise<T> {
    const lock = `${host.facts.id} ${shelfOf(verb)}`
    const turn = (this.locks.get(lock) ?? Promise.resolve()).then(act)
    this.locks.set(
      lock,
      turn.catch(() => {}),
    )
    return turn
  }

  /** @throws order.fenced, order.expired */
  private admit(host: ScriptedHost, { order, entry }: Handed): void {
    // Who only looks has no fence, and leaves none.
    admit(order, entry, isLook(order.verb) ? 0 : host.fence, this.clock.now())
    if (!isLook(order.verb) && !HARMLESS.includes(order.verb)) host.fence = entry.fence
  }

  private complaint(host: ScriptedHost, verb: Verb, entry: OrderEntry): string | null {
    return failureAt(host, verb, entry) ?? this.proxyroRefusal(verb, entry)
  }

  private async obey(host: ScriptedHost, verb: Verb, entry: OrderEntry): Promise<VerbResult> {
    const { operationId, step, attempt, desired } = entry
    const key = { verb, operationId, step, attempt }
    this.obeyed(verb, entry)
    if (desired !== undefined) this.told.push(desired.link)
    if (verb === 'restart' || verb === 'upgrade') this.modes.push(entry.mode ?? 'force')
    if (verb !== 'status' && verb !== 'check')
      this.ran.push(`${host.facts.id} ${verb} ${operationId}/${step}`)
    const code = this.complaint(host, verb, entry)
    if (code !== null) return { ...key, ok: false, code, message: MESSAGES[code] ?? 'no' }
    const facts = this.act(host, verb, entry)
    await this.noteShutOut(verb, host)
    return { ...key, ok: true, facts: facts ?? { status: host.status } }
  }

  private async reportAfter(
    host: ScriptedHost,
    { ok, verb }: VerbResult,
    { operationId, desired }: OrderEntry,
  ): Promise<void> {
    if (ok && desired !== undefined && !PARTINGS.includes(verb))
      await this.report(host, desired.nodeId, operationId)
  }

  private async look(
    host: ScriptedHost,
    verb: (typeof LOOKS)[number],
    entry: OrderEntry,
  ): Promise<VerbResult> {
    const { operationId, step, attempt } = entry
    const key = { verb, operationId, step, attempt }
    this.probes.push(entry)
    const isFailing = host.behaviour === 'fails' || host.failing.has(verb)
    if (isFailing) return { ...key, ok: false, message: 'it cannot look' }
    return { ...key, ok: true, facts: await this.seen(host, verb, entry) }
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
    verb: (typeof LOOKS)[number],
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
    change(host, verb, desired)
    // Somebody has registered what is in force.
    for (const [obCluster, [first]] of host.slots?.of ?? [])
      if (obCluster !== '' && first !== undefined && !this.proxyro.has(obCluster))
        this.proxyro.set(obCluster, first)
    if (verb === 'check') return host.checks[host.isReplaced ? 1 : 0]
    const versions = proxyro.flatMap(({ obCluster }) => {
      const version = this.obVersions.get(obCluster)
      return version === undefined ? [] : [`${obCluster}=${version}`]
    })
    return versions.length === 0 ? null : { status: host.status, obVersions: versions.join('\n') }
  }

  /** What nodes say once a minute, whatever else happens; those that are silent say nothing. */
  async reportDue(): Promise<void> {
    await this.runCommand.wake()
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
      ...(host.arch === null ? {} : { arch: host.arch }),
    })
  }
}

function isLook(verb: Verb): verb is (typeof LOOKS)[number] {
  return LOOKS.some(look => look === verb)
}

/** Of the node's ledger, where results of each kind of look are kept apart. */
function shelfOf(verb: Verb): Shelf {
  return LOOKS.find(look => look === verb) ?? 'ledger'
}

function keyOf({ order, entry: { operationId, step, attempt } }: Handed): string {
  return JSON.stringify([shelfOf(order.verb), operationId, step, attempt])
}

export function hostId(index: number): string {
  return `i-${String(index).padStart(17, '0')}`
}
