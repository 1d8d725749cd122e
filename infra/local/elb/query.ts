/** The Query protocol of Elastic Load Balancing, as far as its clients need it here: forms in, XML out. */
import { randomUUID } from 'node:crypto'

const NAMESPACE = 'http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/'
export const VERSION = '2015-12-01'

export class ElbError extends Error {
  readonly code: string
  readonly status: number

  constructor(code: string, message: string, status = 400) {
    super(message)
    this.name = 'ElbError'
    this.code = code
    this.status = status
  }
}

export type GivenTarget = { readonly id: string; readonly port: number | undefined }

/** `Targets.member.1.Id`, `Targets.member.1.Port`, and so on. @throws ElbError ValidationError */
export function targetsIn(form: URLSearchParams): readonly GivenTarget[] {
  const found: GivenTarget[] = []
  for (let at = 1; form.has(`Targets.member.${at}.Id`); at++) {
    const port = form.get(`Targets.member.${at}.Port`)
    if (port !== null && !/^[1-9]\d{0,4}$/.test(port))
      throw new ElbError('ValidationError', `Port '${port}' must be between 1 and 65535`)
    found.push({
      id: form.get(`Targets.member.${at}.Id`) ?? '',
      port: port === null ? undefined : Number(port),
    })
  }
  return found
}

/** Texts, and lists and structures of them; a list's items are `member`s. */
export type Xml = string | number | readonly Xml[] | { readonly [name: string]: Xml | undefined }

export function answerXml(action: string, result: Xml): string {
  return document(`${action}Response`, {
    [`${action}Result`]: result,
    ResponseMetadata: { RequestId: randomUUID() },
  })
}

export function errorXml({ code, message, status }: ElbError): string {
  const Type = status < 500 ? 'Sender' : 'Receiver'
  return document('ErrorResponse', {
    Error: { Type, Code: code, Message: message },
    RequestId: randomUUID(),
  })
}

function document(root: string, value: Xml): string {
  return `<${root} xmlns="${NAMESPACE}">${xmlOf(value)}</${root}>`
}

function xmlOf(value: Xml): string {
  if (typeof value === 'string') return escaped(value)
  if (typeof value === 'number') return String(value)
  if (isList(value)) return value.map(each => `<member>${xmlOf(each)}</member>`).join('')
  return Object.entries(value)
    .map(([name, each]) => (each === undefined ? '' : `<${name}>${xmlOf(each)}</${name}>`))
    .join('')
}

function isList(value: Exclude<Xml, string | number>): value is readonly Xml[] {
  return Array.isArray(value)
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, char => `&#${char.charCodeAt(0)};`)
}
