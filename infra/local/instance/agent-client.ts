/** The agent's calls to Systems Manager: AWS JSON 1.1, signed with the instance's own keys. */
import { Sha256 } from '@aws-crypto/sha256-js'
import { SignatureV4 } from '@smithy/signature-v4'

export type AgentIdentity = {
  readonly endpoint: string
  readonly region: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

const CONTENT_TYPE = 'application/x-amz-json-1.1'

export class AgentClient {
  private readonly identity: AgentIdentity
  private readonly url: URL

  constructor(identity: AgentIdentity) {
    this.identity = identity
    this.url = new URL(identity.endpoint)
  }

  /** @throws Error when there is no answer in `deadlineMs` or it is an error. */
  async call(
    target: string,
    body: unknown,
    deadlineMs: number,
    ended?: AbortSignal,
  ): Promise<unknown> {
    const { region, accessKeyId, secretAccessKey } = this.identity
    const service = target.startsWith('AmazonSSM') ? 'ssm' : 'ec2messages'
    const signer = new SignatureV4({
      service,
      region,
      credentials: { accessKeyId, secretAccessKey },
      sha256: Sha256,
    })
    const text = JSON.stringify(body)
    const signed = await signer.sign({
      method: 'POST',
      protocol: this.url.protocol,
      hostname: this.url.hostname,
      path: '/',
      headers: { host: this.url.host, 'content-type': CONTENT_TYPE, 'x-amz-target': target },
      body: text,
    })
    const { host: _host, ...headers } = signed.headers
    const deadline = AbortSignal.timeout(deadlineMs)
    const answer = await fetch(this.url, {
      method: 'POST',
      headers,
      body: text,
      signal: ended === undefined ? deadline : AbortSignal.any([deadline, ended]),
    })
    const parsed: unknown = JSON.parse(await answer.text())
    if (answer.ok) return parsed
    throw new Error(`${target}: ${(parsed as { message?: string }).message ?? answer.status}`)
  }
}
