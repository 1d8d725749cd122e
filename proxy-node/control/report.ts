/**
 * Verb report: tells the plane how the node is, after each verb and once a minute (N8). Reports are
 * numbered by the node, over reboots; one is made at a time, so that a higher number is newer.
 */
import { join } from 'node:path'
import { z } from 'zod'
import { type NodeReport, REPORT_SCHEMA } from '#contract/report'
import { readIfThere, reasonOf, writeDurably } from './durable-file.ts'
import type { Host } from './host.ts'
import { whileLocked } from './lock.ts'
import { type NodeMemory, readMemory } from './node-file.ts'
import { observe } from './observation.ts'
import type { Paths } from './paths.ts'
import { toPlane } from './plane-api.ts'
import type { Facts } from './result.ts'

const LOCK_WAIT_MS = 10_000

const counterSchema = z.object({ schema: z.int().min(0).max(1), sequence: z.int().min(0) })

/** Facts say whether the plane took it; the plane being away is no failure of the node. */
export async function report(host: Host): Promise<Facts> {
  const { paths } = host.settings
  return whileLocked(join(paths.state, 'report.lock'), LOCK_WAIT_MS, host, async () => {
    const memory = readMemory(paths)
    if (memory.desired === null) return { sent: false, reason: 'this host carries no node' }
    const body = await compose(memory, memory.desired.nodeId, host)
    const { status, sequence } = body
    const { refusal } = await toPlane(body.nodeId, 'report', body, host)
    return refusal === undefined
      ? { sent: true, status, sequence }
      : { sent: false, reason: refusal, status, sequence }
  })
}

/** For the end of another verb: a report that cannot be made or sent is a line of the log. */
export async function reportQuietly(host: Host): Promise<void> {
  try {
    const { sent, reason } = await report(host)
    if (sent !== true) host.log(`not reported: ${String(reason)}`)
  } catch (error) {
    host.log(`not reported: ${reasonOf(error)}`)
  }
}

async function compose(memory: NodeMemory, nodeId: string, host: Host): Promise<NodeReport> {
  const { instanceId, bootId, paths } = host.settings
  const seen = await observe(memory.desired, host)
  return {
    schema: REPORT_SCHEMA,
    nodeId,
    instanceId,
    at: host.clock.now(),
    sequence: nextSequence(paths),
    bootId,
    desiredState: memory.desired?.state ?? 'DELETED',
    fence: memory.fence,
    lastOperationId: memory.lastOperationId,
    parameterVersion: memory.parameterVersion,
    arch: process.arch === 'arm64' ? 'aarch64' : 'x86_64',
    ...seen,
  }
}

/** On disk before it is used. Without the file it goes on from the time, beyond every number given before. */
function nextSequence(paths: Paths): number {
  const file = join(paths.state, 'report.json')
  const sequence = lastSequence(file) + 1
  writeDurably(file, `${JSON.stringify({ schema: 1, sequence })}\n`)
  return sequence
}

function lastSequence(file: string): number {
  const text = readIfThere(file)
  try {
    return counterSchema.parse(JSON.parse(text ?? '')).sequence
  } catch {
    return Date.now()
  }
}
