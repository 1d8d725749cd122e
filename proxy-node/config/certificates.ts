/**
 * Certificate files as they are on disk: read, understood and judged before anything uses them. What
 * is wrong is a fault that names parameter and file, never their content.
 */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { Fault } from '#contract/fault'

export type CertificateUse = 'client' | 'ca'

/** What operators ask of a certificate; times in milliseconds since the epoch. */
export type CertificateFacts = {
  readonly use: CertificateUse
  readonly subject: string
  readonly issuer: string
  readonly serial: string
  readonly names: string
  readonly notBefore: number
  readonly notAfter: number
}

/** PEM texts; what no parameter names is empty. */
export type Certificates = {
  readonly cert: string
  readonly key: string
  readonly ca: string
  readonly facts: readonly CertificateFacts[]
}

export type CertificateFiles = { readonly cert: string; readonly key: string; readonly ca: string }

const PARAMETER = {
  cert: 'ssl_certificate_file',
  key: 'ssl_private_key_file',
  ca: 'ssl_ca_file',
} as const

type Part = keyof typeof PARAMETER

const MAX_FILE_BYTES = 1024 * 1024
const BLOCK = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

/**
 * Reads what is named; certificate and key only together.
 * @throws tls.unreadable, tls.unusable, tls.mismatch
 */
export function readCertificates(files: CertificateFiles, now: number): Certificates {
  const authorities = files.ca === '' ? undefined : readAuthorities(files.ca, now)
  const pair = files.cert === '' || files.key === '' ? undefined : readPair(files, now)
  return {
    cert: pair?.cert ?? '',
    key: pair?.key ?? '',
    ca: authorities?.text ?? '',
    facts: [
      ...(pair === undefined ? [] : [factsOf('client', pair.leaf)]),
      ...(authorities?.all ?? []).map(certificate => factsOf('ca', certificate)),
    ],
  }
}

/** Changes whenever one of the files does; what is not there is part of it. */
export function fingerprint(files: CertificateFiles): string {
  return Object.values(files)
    .map(file => {
      const stat = file === '' ? undefined : statSync(file, { throwIfNoEntry: false })
      return stat === undefined ? '' : `${stat.ino}:${stat.mtimeMs}:${stat.size}`
    })
    .join(';')
}

function readPair({ cert: certFile, key: keyFile }: CertificateFiles, now: number) {
  const cert = read('cert', certFile)
  const key = read('key', keyFile)
  const [leaf] = certificatesOf('cert', certFile, cert)
  if (leaf === undefined) throw unusable('cert', certFile, 'holds no certificate')
  checkDates('cert', certFile, leaf, now)
  if (!leaf.checkPrivateKey(keyOf(keyFile, key)))
    throw new Fault('tls.mismatch', { key: keyFile, certificate: certFile })
  return { cert, key, leaf }
}

/** A bundle may well hold some that have expired, as long as one has not. */
function readAuthorities(file: string, now: number) {
  const text = read('ca', file)
  const all = certificatesOf('ca', file, text)
  const [first] = all
  if (first === undefined) throw unusable('ca', file, 'holds no certificate')
  if (!all.some(certificate => notAfter(certificate) > now)) checkDates('ca', file, first, now)
  return { text, all }
}

function read(part: Part, file: string): string {
  try {
    if (statSync(file).size > MAX_FILE_BYTES)
      throw unusable(part, file, `has more than ${MAX_FILE_BYTES} bytes`)
    return readFileSync(file, 'latin1')
  } catch (error) {
    if (error instanceof Fault) throw error
    const reason = codeOf(error)
    throw new Fault('tls.unreadable', { name: PARAMETER[part], file, reason }, { cause: error })
  }
}

function certificatesOf(part: Part, file: string, text: string): X509Certificate[] {
  try {
    return (text.match(BLOCK) ?? []).map(block => new X509Certificate(block))
  } catch (error) {
    throw unusable(part, file, 'holds a certificate that cannot be read', error)
  }
}

function keyOf(file: string, text: string): KeyObject {
  try {
    return createPrivateKey(text)
  } catch (error) {
    throw unusable('key', file, 'holds no private key that can be read without a password', error)
  }
}

function checkDates(part: Part, file: string, certificate: X509Certificate, now: number): void {
  const [from, to] = [notBefore(certificate), notAfter(certificate)]
  if (now >= to) throw unusable(part, file, `expired at ${new Date(to).toISOString()}`)
  if (now < from) throw unusable(part, file, `is not valid before ${new Date(from).toISOString()}`)
}

function factsOf(use: CertificateUse, certificate: X509Certificate): CertificateFacts {
  return {
    use,
    subject: oneLine(certificate.subject),
    issuer: oneLine(certificate.issuer),
    serial: certificate.serialNumber,
    names: certificate.subjectAltName ?? '',
    notBefore: notBefore(certificate),
    notAfter: notAfter(certificate),
  }
}

function notBefore(certificate: X509Certificate): number {
  return Date.parse(certificate.validFrom)
}

function notAfter(certificate: X509Certificate): number {
  return Date.parse(certificate.validTo)
}

function oneLine(name: string): string {
  return name.replaceAll('\n', ', ')
}

function unusable(part: Part, file: string, reason: string, cause?: unknown): Fault {
  return new Fault('tls.unusable', { name: PARAMETER[part], file, reason }, { cause })
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown reason'
}
