/**
 * The HTTP side of the local Systems Manager: AWS JSON 1.1 with SigV4, one path for the faults of
 * tests. Source: ssm-run-command.md §1.
 */
import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { z } from 'zod'
import { endAtOnce, listenAt } from '../listening.ts'
import { verifySigV4 } from '../sigv4.ts'
import { AGENT_CALLS, type AgentParts, HOLD_MS } from './agent-calls.ts'
import { CALLS, INSTANCE_CALLS, type Parts } from './calls.ts'
import { Commands } from './commands.ts'
import { SsmError } from './errors.ts'
import { Events, type EventTarget } from './events.ts'
import { Faults, faultOrders } from './faults.ts'
import { type InstancePlan, Instances } from './instances.ts'
import { ParameterStore } from './parameters.ts'
import { State } from './state.ts'
import { Throttle } from './throttle.ts'

const MAX_BODY_BYTES = 300_000
const EXPIRE_EVERY_MS = 500
const CONTENT_TYPE = 'application/x-amz-json-1.1'

export type Caller =
  | { readonly kind: 'plane' }
  | { readonly kind: 'instance'; readonly instanceId: string }

export type EndpointSettings = {
  readonly host: string
  readonly port: number
  readonly folder: string
  readonly instances: readonly InstancePlan[]
  /** Secret and owner by access key id. */
  readonly keys: ReadonlyMap<string, { readonly secretAccessKey: string; readonly who: Caller }>
  readonly events?: EventTarget
  /** An instance that said nothing for so long is ConnectionLost. */
  readonly pingLostMs?: number
  /** Calls a second, 0: no bound. */
  readonly sendsPerSec?: number
  readonly readsPerSec?: number
}

export class Endpoint {
  private readonly settings: EndpointSettings
  private readonly server: Server
  private readonly parts: Parts & Omit<AgentParts, 'isGone'>
  private readonly sends: Throttle
  private readonly reads: Throttle
  private readonly waiting = new Map<string, Set<() => void>>()
  private timer: NodeJS.Timeout | undefined

  constructor(settings: EndpointSettings) {
    this.settings = settings
    const now = Date.now
    const faults = new Faults()
    const state = new State(settings.folder)
    const instances = new Instances(settings.instances, settings.pingLostMs ?? 3_000, now)
    const events = new Events(settings.events, faults)
    const commands = new Commands({
      state,
      instances,
      faults,
      now,
      changed: change => events.emit(change, now()),
      wake: id => this.wake(id),
    })
    this.parts = {
      commands,
      instances,
      parameters: new ParameterStore(settings.folder),
      state,
      faults,
      now,
      waitFor: id => this.waitFor(id),
    }
    this.sends = new Throttle(settings.sendsPerSec ?? 0, now)
    this.reads = new Throttle(settings.readsPerSec ?? 0, now)
    this.server = createServer((request, response) => {
      this.answer(request, response).catch(() => response.destroy())
    })
  }

  /** Resolves with the port. */
  start(): Promise<number> {
    this.timer = setInterval(() => this.parts.commands.expire(), EXPIRE_EVERY_MS)
    return listenAt(this.server, this.settings)
  }

  stop(): Promise<void> {
    clearInterval(this.timer)
    return endAtOnce(this.server)
  }

  private wake(instanceId: string): void {
    const waiting = this.waiting.get(instanceId)
    this.waiting.delete(instanceId)
    for (const resolve of waiting ?? []) resolve()
  }

  private waitFor(instanceId: string): Promise<void> {
    return new Promise(resolve => {
      const waiting = this.waiting.get(instanceId) ?? new Set()
      this.waiting.set(instanceId, waiting)
      const done = () => {
        clearTimeout(timer)
        waiting.delete(done)
        resolve()
      }
      const timer = setTimeout(done, HOLD_MS)
      waiting.add(done)
    })
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const send = (status: number, body: unknown) => {
      const text = JSON.stringify(body)
      response.writeHead(status, {
        'content-type': CONTENT_TYPE,
        'content-length': Buffer.byteLength(text),
        'x-amzn-requestid': randomUUID(),
      })
      response.end(text)
    }
    try {
      send(200, await this.call(request))
    } catch (error) {
      const { code, message, status } = asSsmError(error)
      send(status, { __type: code, message })
    }
  }

  private async call(request: IncomingMessage): Promise<unknown> {
    const body = await bodyOf(request)
    const caller = this.callerOf(request, body)
    const target = String(request.headers['x-amz-target'] ?? '')
    const [service, operation = ''] = target.split('.')
    const input = parseBody(body)
    if (service === 'ObfleetFaults' && operation === 'Set') return this.setFaults(caller, input)
    if (caller.kind === 'instance' && AGENT_CALLS[operation] !== undefined)
      return await AGENT_CALLS[operation](input, caller.instanceId, {
        ...this.parts,
        isGone: () => request.socket.destroyed,
      })
    const call = service === 'AmazonSSM' ? CALLS[operation] : undefined
    if (call === undefined)
      throw new SsmError('UnknownOperationException', `no operation "${target}"`)
    if (caller.kind === 'instance' && !INSTANCE_CALLS.has(operation))
      throw new SsmError('AccessDeniedException', `an instance may not call ${operation}`)
    this.throttle(operation)
    const answer = call(input, this.parts)
    if (operation === 'SendCommand' && this.parts.faults.isResponseLost())
      throw new SsmError('InternalServerError', 'the answer was lost', 500)
    return answer
  }

  private throttle(operation: string): void {
    const bucket = operation === 'SendCommand' ? this.sends : this.reads
    if (this.parts.faults.isThrottled(operation) || !bucket.take())
      throw new SsmError('ThrottlingException', 'Rate exceeded')
  }

  private setFaults(caller: Caller, input: unknown): unknown {
    if (caller.kind !== 'plane') throw new SsmError('AccessDeniedException', 'not for instances')
    const orders = faultOrders.safeParse(input)
    if (!orders.success) throw new SsmError('ValidationException', orders.error.message)
    this.parts.faults.set(orders.data)
    return {}
  }

  private callerOf(request: IncomingMessage, body: Buffer): Caller {
    const verified = verifySigV4(
      { method: request.method ?? '', url: request.url ?? '/', headers: request.headers, body },
      {
        services: ['ssm', 'ec2messages'],
        lookup: id => this.settings.keys.get(id),
        now: Date.now(),
      },
    )
    if (!verified.ok) throw new SsmError(verified.code, verified.message)
    return verified.who
  }
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = []
  let size = 0
  for await (const part of request) {
    size += (part as Buffer).length
    if (size > MAX_BODY_BYTES)
      throw new SsmError('RequestEntityTooLarge', 'the body is too large', 413)
    parts.push(part as Buffer)
  }
  return Buffer.concat(parts)
}

function parseBody(body: Buffer): unknown {
  try {
    return body.length === 0 ? {} : JSON.parse(body.toString('utf8'))
  } catch {
    throw new SsmError('SerializationException', 'the body is not JSON')
  }
}

function asSsmError(error: unknown): SsmError {
  if (error instanceof SsmError) return error
  if (error instanceof z.ZodError) return new SsmError('ValidationException', error.message)
  const { message } = error as Error
  return new SsmError('InternalServerError', message, 500)
}
