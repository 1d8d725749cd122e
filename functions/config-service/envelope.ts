/** The envelope of every answer, good or bad; its Code is the HTTP status too. Source: management.md §1.8. */

export type Envelope = {
  readonly Code: number
  readonly Message: string
  readonly Success: boolean
  readonly Data: unknown
  readonly Trace: string
  readonly Server: string
  /** Milliseconds. */
  readonly Cost: number
}

/** An answer that is no success; its message says nothing that needs a token. */
export class Refusal extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.name = 'Refusal'
    this.status = status
  }
}

export function refused(status: number, message: string): Refusal {
  return new Refusal(status, message)
}

/** The same for a wrong token, a wrong name and none: whether a cluster exists is not said. */
export function unauthorised(): Refusal {
  return new Refusal(401, 'unauthorised: no valid Token of this cluster')
}

export type Answered = Pick<Envelope, 'Code' | 'Message' | 'Success' | 'Data'>

export function successful(data: unknown): Answered {
  return { Code: 200, Message: 'successful', Success: true, Data: data }
}

export function failed({ status, message }: Refusal): Answered {
  return { Code: status, Message: message, Success: false, Data: null }
}
