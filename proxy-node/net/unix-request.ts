/** One line to a socket of the file system, one line back; for the service manager of local instances. */
import { createConnection } from 'node:net'

const MAX_ANSWER_BYTES = 64 * 1024

/** @throws Error when nothing listens, the answer is too long or `timeoutMs` passes. */
export function askUnixSocket(path: string, line: string, timeoutMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(path)
    let answer = ''
    const fail = (error: Error) => {
      socket.destroy()
      reject(error)
    }
    socket.setTimeout(timeoutMs, () => fail(new Error(`no answer within ${timeoutMs} ms`)))
    socket.on('error', fail)
    socket.on('connect', () => socket.write(`${line}\n`))
    socket.on('data', bytes => {
      answer += bytes.toString('utf8')
      if (answer.length > MAX_ANSWER_BYTES) fail(new Error('the answer is too long'))
      const end = answer.indexOf('\n')
      if (end < 0) return
      socket.end()
      resolve(answer.slice(0, end))
    })
    socket.on('end', () => fail(new Error('the connection was closed without an answer')))
  })
}
