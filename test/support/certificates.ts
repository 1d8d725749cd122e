/** Certificates of a suite's own authority, made by openssl when the suite starts; nothing is kept. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export type Certificate = {
  readonly certFile: string
  readonly keyFile: string
  readonly cert: string
  readonly key: string
}

export type Authority = Certificate & {
  readonly folder: string
  /** A certificate for `names` (`DNS:a`, `IP:1.2.3.4`); a negative `days` has expired. */
  readonly issue: (name: string, names: readonly string[], days?: number) => Certificate
  readonly stop: () => void
}

const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']

export function startAuthority(): Authority {
  const folder = mkdtempSync(join(tmpdir(), 'obfleet-certificates-'))
  const openssl = (...args: string[]) =>
    execFileSync('openssl', args, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] })
  const read = (name: string): Certificate => {
    const certFile = join(folder, `${name}.pem`)
    const keyFile = join(folder, `${name}.key`)
    return {
      certFile,
      keyFile,
      cert: readFileSync(certFile, 'utf8'),
      key: readFileSync(keyFile, 'utf8'),
    }
  }
  openssl(
    ...['req', '-x509', ...KEY, '-keyout', 'ca.key', '-out', 'ca.pem', '-days', '30'],
    ...['-subj', '/CN=suite authority', '-addext', 'basicConstraints=critical,CA:TRUE'],
  )
  return {
    ...read('ca'),
    folder,
    issue: (name, names, days = 30) => {
      openssl(
        'req',
        ...KEY,
        '-keyout',
        `${name}.key`,
        '-out',
        `${name}.csr`,
        '-subj',
        `/CN=${name}`,
      )
      writeFileSync(join(folder, `${name}.ext`), `subjectAltName=${names.join(',')}\n`)
      openssl(
        ...['x509', '-req', '-in', `${name}.csr`, '-CA', 'ca.pem', '-CAkey', 'ca.key'],
        ...['-CAcreateserial', '-days', String(days), '-extfile', `${name}.ext`],
        ...['-out', `${name}.pem`],
      )
      return read(name)
    },
    stop: () => rmSync(folder, { recursive: true, force: true }),
  }
}
