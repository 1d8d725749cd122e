/** Asks an instance's init over its socket. */
import { connect } from 'node:net'
import { z } from 'zod'

const answerSchema = z.looseObject({
  ok: z.boolean(),
  error: z.string().optional(),
  active: z.boolean().optional(),
  pid: z.int().nullable().optional(),
  enabled: z.boolean().optional(),
  bootId: z.string().nullable().optional(),
})

export type InitAnswer = z.infer<typeof answerSchema>

/** One question, one answer. @throws Error when nobody answers in `deadlineMs` or it was refused. */
export function askInit(
  socket: string,
  question: { readonly op: string; readonly unit?: string },
  deadlineMs: number,
): Promise<InitAnswer> {
  return new Promise((resolve, reject) => {
    const client = connect(socket)
    const timer = setTimeout(() => client.destroy(new Error('init does not answer')), deadlineMs)
    let text = ''
    client.on('connect', () => client.write(`${JSON.stringify(question)}\n`))
    client.on('data', (bytes: Buffer) => {
      text += bytes.toString()
      const at = text.indexOf('\n')
      if (at < 0) return
      client.end()
      const answer = answerSchema.parse(JSON.parse(text.slice(0, at)))
      if (answer.ok) resolve(answer)
      else reject(new Error(answer.error ?? 'refused'))
    })
    client.on('error', reject)
    client.on('close', () => {
      clearTimeout(timer)
      reject(new Error('init hung up'))
    })
  })
}
