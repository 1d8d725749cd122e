/**
 * Many managed instances that speak to the local Systems Manager as its agent does, signed and over HTTP, and carry
 * out what it hands them as the hosts of a scripted fleet do.
 */
import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import { AgentClient } from '../../infra/local/instance/agent-client.ts'
import { idOf, keysOf } from './instances.ts'
import type { ScriptedFleet } from './scripted-fleet.ts'

const SERVICE = 'EC2WindowsMessageDeliveryService'
/** Longer than the endpoint holds a question that it has nothing for. */
const DEADLINE_MS = 30_000
const RETRY_MS = 200

const messagesSchema = z.object({
  Messages: z.array(z.object({ MessageId: z.string(), Topic: z.string(), Payload: z.string() })),
})
const payloadSchema = z.object({ Parameters: z.object({ order: z.string() }) })

type Message = z.infer<typeof messagesSchema>['Messages'][number]

export class ScriptedAgents {
  private readonly url: string
  private readonly fleet: ScriptedFleet
  private readonly ended = new AbortController()
  private readonly loops: Promise<void>[] = []

  constructor(url: string, fleet: ScriptedFleet) {
    this.url = url
    this.fleet = fleet
  }

  /** Resolves when all of them are online. */
  async start(numbers: readonly number[]): Promise<void> {
    for (const number of numbers) {
      const client = this.clientOf(number)
      const said = { InstanceId: idOf(number), AgentStatus: 'Active' }
      await client.call('AmazonSSM.UpdateInstanceInformation', said, DEADLINE_MS)
      this.loops.push(this.poll(number, client))
    }
  }

  async stop(): Promise<void> {
    this.ended.abort()
    await Promise.all(this.loops)
  }

  private clientOf(number: number): AgentClient {
    return new AgentClient({ endpoint: this.url, region: 'local', ...keysOf(number) })
  }

  private async poll(number: number, client: AgentClient): Promise<void> {
    const question = { Destination: idOf(number), VisibilityTimeoutInSeconds: 10 }
    const { signal } = this.ended
    while (!signal.aborted)
      try {
        const asked = { ...question, MessagesRequestId: randomUUID() }
        const answer = await client.call(`${SERVICE}.GetMessages`, asked, DEADLINE_MS, signal)
        for (const message of messagesSchema.parse(answer).Messages)
          if (message.Topic.startsWith('aws.ssm.sendCommand'))
            await this.carryOut(number, client, message)
      } catch {
        if (!signal.aborted) await new Promise(done => setTimeout(done, RETRY_MS))
      }
  }

  private async carryOut(number: number, client: AgentClient, message: Message): Promise<void> {
    const { MessageId } = message
    await client.call(`${SERVICE}.AcknowledgeMessage`, { MessageId }, DEADLINE_MS)
    const { order } = payloadSchema.parse(JSON.parse(message.Payload)).Parameters
    const output = await this.fleet.carryOut(idOf(number), order)
    const { ok } = z.object({ ok: z.boolean() }).parse(JSON.parse(output))
    const status = ok ? 'Success' : 'Failed'
    const step = { status, code: ok ? 0 : 1, output: `${output}\n`, standardOutput: `${output}\n` }
    const Payload = JSON.stringify({ documentStatus: status, runtimeStatus: { run: step } })
    const reply = { MessageId, ReplyId: randomUUID(), Payload }
    await client.call(`${SERVICE}.SendReply`, reply, DEADLINE_MS)
  }
}
