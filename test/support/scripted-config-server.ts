/** A config server as a function: documents by URL, a ledger, and ways to be away. */
import type { HttpGet } from '../../proxy-node/topology/config-server-reader.ts'

export class ScriptedConfigServer {
  readonly documents = new Map<string, string>()
  /** In order; cleared by tests. */
  readonly asked: string[] = []
  isAway = false
  /** Answers wait for `release` while it is true. */
  isSlow = false
  private readonly waiting: (() => void)[] = []

  readonly get: HttpGet = async url => {
    this.asked.push(url)
    if (this.isSlow) await new Promise<void>(resolve => this.waiting.push(resolve))
    if (this.isAway) throw new Error('no answer: ECONNREFUSED')
    const body = this.documents.get(url)
    return body === undefined ? { status: 404, body: '' } : { status: 200, body }
  }

  release(): void {
    this.isSlow = false
    for (const go of this.waiting.splice(0)) go()
  }
}
