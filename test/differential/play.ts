/** One sequence on both sides, and where the second is told from the first. */
import { ERROR, excused } from './excused.ts'
import type { Ground, Side } from './ground.ts'
import { sideless } from './ground.ts'
import { Speaker } from './speaker.ts'
import type { Sequence, Step } from './steps.ts'
import { EPILOGUE } from './themes.ts'

export type Difference = {
  readonly sequence: Sequence
  /** Position among the steps and the epilogue. */
  readonly at: number
  readonly step: Step
  readonly direct: readonly string[]
  readonly proxied: readonly string[]
}

type Port = { readonly host: string; readonly port: number }

export type Stage = {
  readonly ground: Ground
  /** Of the kernel itself. */
  readonly kernel: Port
  readonly proxy: (sequence: Sequence) => Port
}

/** Undefined: nobody can tell the proxy from the kernel. */
export async function play(stage: Stage, sequence: Sequence): Promise<Difference | undefined> {
  const steps = [...sequence.steps, ...EPILOGUE]
  const [direct, proxied] = await Promise.all([
    perform(stage, { side: 'direct', port: stage.kernel, steps, sequence }),
    perform(stage, { side: 'proxied', port: stage.proxy(sequence), steps, sequence }),
  ])
  for (const [at, step] of steps.entries()) {
    const left = direct[at] ?? []
    const right = proxied[at] ?? []
    if (left.length !== right.length || left.some((packet, index) => packet !== right[index]))
      return { sequence, at, step, direct: left, proxied: right }
  }
  return undefined
}

type Part = {
  readonly side: Side
  readonly port: Port
  readonly steps: readonly Step[]
  readonly sequence: Sequence
}

/** Packets of each step, as comparable texts. */
async function perform(stage: Stage, part: Part): Promise<readonly (readonly string[])[]> {
  const names = stage.ground.names(part.side)
  const speaker = new Speaker(part.port, names)
  const rival = new Speaker(stage.kernel, stage.ground.rivalNames(part.side))
  const heard: (readonly string[])[] = []
  try {
    await speaker.logIn(part.sequence.capabilities)
    if (part.steps.some(step => step.kind === 'rival')) await rival.logIn(0)
    let before: Step | undefined
    let isAfterError = false
    for (const step of part.steps) {
      const answer = await (step.kind === 'rival' ? rival : speaker).says(step)
      if (typeof answer === 'string') {
        heard.push([answer])
        return heard
      }
      const packets = answer.map(({ sequence, payload }) => ({
        sequence,
        payload: sideless(payload),
      }))
      const scene = { sequence: part.sequence, before, isAfterError }
      heard.push(
        excused(step, packets, scene).map(({ sequence, payload }) => `${sequence} ${payload}`),
      )
      before = step
      isAfterError = packets.at(-1)?.payload.startsWith(ERROR) === true
    }
    return heard
  } finally {
    speaker.leave()
    rival.leave()
  }
}
