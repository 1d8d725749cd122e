import { copyFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { parseSslAttributes } from '#contract/ssl-settings'
import type { Clock } from '../../../../proxy-node/base/clock.ts'
import { CertificateWatch } from '../../../../proxy-node/config/certificate-watch.ts'
import { readCertificates } from '../../../../proxy-node/config/certificates.ts'
import { Fault } from '../../../../proxy-node/contract/fault.ts'
import { type Certificate, startAuthority } from '../../../support/certificates.ts'

const DAY_MS = 86_400_000
const authority = startAuthority()
const one = authority.issue('one', ['DNS:one.test'])
const two = authority.issue('two', ['DNS:two.test'], 60)
const expired = authority.issue('expired', ['DNS:one.test'], -1)
afterAll(() => authority.stop())

const at = (name: string) => join(authority.folder, name)
const written = (name: string, text: string) => {
  writeFileSync(at(name), text)
  return at(name)
}
const filesOf = ({ certFile, keyFile }: Certificate) => ({ cert: certFile, key: keyFile, ca: '' })

describe('certificate files', () => {
  test('give texts and what operators ask of them', () => {
    const found = readCertificates({ ...filesOf(one), ca: authority.certFile }, Date.now())

    expect(found).toMatchObject({ cert: one.cert, key: one.key, ca: authority.cert })
    expect(found.facts).toMatchObject([
      { use: 'client', subject: 'CN=one', issuer: 'CN=suite authority', names: 'DNS:one.test' },
      { use: 'ca', subject: 'CN=suite authority' },
    ])
    const left = (found.facts[0]?.notAfter ?? 0) - Date.now()
    expect(Math.round(left / DAY_MS)).toBe(30)
  })

  test('may hold a chain behind the certificate', () => {
    const cert = written('chain.pem', `${one.cert}${authority.cert}`)

    expect(readCertificates({ cert, key: one.keyFile, ca: '' }, Date.now()).facts).toHaveLength(1)
  })

  test('are nothing while only half of a pair is named', () => {
    expect(readCertificates({ cert: one.certFile, key: '', ca: '' }, 0).cert).toBe('')
  })

  test.each([
    ['that are missing', { ...filesOf(one), cert: '/nowhere/x.pem' }, 'tls.unreadable', /ENOENT/],
    ['that are folders', { ...filesOf(one), key: '/' }, 'tls.unreadable', /EISDIR/],
    ['of two pairs', { ...filesOf(one), key: two.keyFile }, 'tls.mismatch', /is not of the cert/],
    ['that have expired', filesOf(expired), 'tls.unusable', /expired at 20/],
    [
      'without a certificate',
      { ...filesOf(one), cert: one.keyFile },
      'tls.unusable',
      /holds no cert/,
    ],
    [
      'without a key',
      { ...filesOf(one), key: one.certFile },
      'tls.unusable',
      /holds no private key/,
    ],
    [
      'with a damaged certificate',
      { ...filesOf(one), cert: written('damaged.pem', one.cert.replace('M', '*')) },
      'tls.unusable',
      /cannot be read|holds no/,
    ],
    [
      'that are too large',
      { ...filesOf(one), cert: written('large.pem', 'x'.repeat(1024 * 1024 + 1)) },
      'tls.unusable',
      /more than/,
    ],
    ['with no authority', { ...filesOf(one), ca: one.keyFile }, 'tls.unusable', /ssl_ca_file/],
  ])('%s are refused with a code', (_name, files, code, text) => {
    const read = () => readCertificates(files, Date.now())

    expect(read).toThrow(text)
    expect(read).toThrow(expect.objectContaining({ code }))
    expect(read).not.toThrow(/BEGIN|PRIVATE KEY-/)
  })

  test('are refused before their time', () => {
    expect(() => readCertificates(filesOf(one), Date.now() - DAY_MS)).toThrow(/is not valid before/)
  })
})

describe('ssl_attributes', () => {
  test.each([
    ['', { isForced: false, minVersion: 'TLSv1.2' }],
    ['{}', { isForced: false, minVersion: 'TLSv1.2' }],
    ['{"using_ssl":"ENABLE_FORCE"}', { isForced: true, minVersion: 'TLSv1.2' }],
    [
      '{"using_ssl":"DISABLE_FORCE","min_tls_version":"TLSV1.3"}',
      { isForced: false, minVersion: 'TLSv1.3' },
    ],
    ['{"min_tls_version":"NONE"}', { isForced: false, minVersion: 'TLSv1.2' }],
    ['{"min_tls_version":"TLSv1.3"}', { isForced: false, minVersion: 'TLSv1.3' }],
    ['{"using_ssl":"yes"}', undefined],
    ['{"min_tls_version":"SSLV3"}', undefined],
    ['{"other":1}', undefined],
    ['[]', undefined],
    ['null', undefined],
    ['{', undefined],
  ])('%s', (text, meaning) => {
    expect(parseSslAttributes(text)).toEqual(meaning)
  })
})

describe('the watch', () => {
  let settings: Record<string, string>
  let now: number
  let due: (() => void)[]
  let told: string[]
  let refusal: string | undefined
  let watch: CertificateWatch

  const clock: Clock = {
    now: () => now,
    after: (_delayMs, act) => {
      due.push(act)
      return { cancel: () => {} }
    },
    every: () => ({ cancel: () => {} }),
    sleep: () => Promise.resolve(),
  }
  const tick = () => due.splice(0).forEach(act => void act())
  const put = ({ certFile, keyFile }: Certificate) => {
    copyFileSync(certFile, at('live.pem'))
    copyFileSync(keyFile, at('live.key'))
  }
  const served = () => watch.current.facts[0]?.subject

  beforeEach(() => {
    now = Date.now()
    due = []
    told = []
    refusal = undefined
    put(one)
    settings = {
      enable_client_ssl: 'True',
      ssl_certificate_file: at('live.pem'),
      ssl_private_key_file: at('live.key'),
      ssl_ca_file: '',
    }
    watch = new CertificateWatch(
      {
        get: name => settings[name] ?? '',
        isOn: name => settings[name] === 'True',
        timeMs: () => 1000,
      },
      clock,
      {
        attempt: () => {
          if (refusal !== undefined) throw new Error(refusal)
        },
        changed: () => told.push('changed'),
        broke: fault => told.push(fault.code),
      },
    )
  })

  test('takes what is there at the start', () => {
    watch.start()

    expect([served(), watch.failure, watch.since]).toEqual(['CN=one', undefined, now])
  })

  test('starts without what cannot be used, tells it once, and takes it when it is mended', () => {
    rmSync(at('live.key'))
    watch.start()
    tick()
    tick()

    expect([served(), told]).toEqual([undefined, ['tls.unreadable']])
    put(one)
    tick()
    tick()
    expect([served(), watch.failure, told]).toEqual([
      'CN=one',
      undefined,
      ['tls.unreadable', 'changed'],
    ])
  })

  test('takes files that have changed and held for one period', () => {
    watch.start()
    told = []
    put(two)
    tick()
    expect(served()).toBe('CN=one')
    tick()

    expect([served(), told]).toEqual(['CN=two', ['changed']])
  })

  test('does not see a pair of which one half is there', () => {
    watch.start()
    told = []
    copyFileSync(two.certFile, at('live.pem'))
    tick()
    put(two)
    tick()
    tick()

    expect([served(), told]).toEqual(['CN=two', ['changed']])
  })

  test.each([
    ['of two pairs', () => copyFileSync(two.keyFile, at('live.key')), 'tls.mismatch'],
    ['that is gone', () => rmSync(at('live.pem')), 'tls.unreadable'],
    ['that has expired', () => put(expired), 'tls.unusable'],
  ])('keeps serving the old pair behind one %s, and tells it once', (_name, breakIt, code) => {
    watch.start()
    told = []
    breakIt()
    for (let turn = 0; turn < 5; turn++) tick()

    expect([served(), watch.failure?.code, told]).toEqual(['CN=one', code, [code]])
  })

  test('refuses a setting that cannot be used, and is as before when it is taken back', () => {
    watch.start()
    const before = { ...settings }
    settings = { ...settings, ssl_certificate_file: two.keyFile, ssl_private_key_file: two.keyFile }
    const names = ['ssl_certificate_file', 'ssl_private_key_file']

    expect(() => watch.apply(names)).toThrow(Fault)
    settings = before
    watch.apply(names)
    expect([served(), watch.failure]).toEqual(['CN=one', undefined])
  })

  test('refuses what the TLS library refuses', () => {
    watch.start()
    refusal = 'key too small'

    expect(() => watch.apply(['ssl_certificate_file'])).toThrow(/is refused: key too small/)
  })

  test('lets halves of a pair be set one after the other', () => {
    watch.start()
    settings = { ...settings, ssl_certificate_file: two.certFile }
    watch.apply(['ssl_certificate_file'])
    expect([served(), watch.failure?.code]).toEqual(['CN=one', 'tls.mismatch'])
    settings = { ...settings, ssl_private_key_file: two.keyFile }
    watch.apply(['ssl_private_key_file'])

    expect([served(), watch.failure]).toEqual(['CN=two', undefined])
  })

  test('takes changed files at once when the parameter is set again', () => {
    watch.start()
    put(two)
    watch.apply(['ssl_certificate_file'])

    expect(served()).toBe('CN=two')
  })

  test('does not look at files while TLS is off', () => {
    settings = { ...settings, enable_client_ssl: 'False', ssl_certificate_file: '/nowhere' }
    watch.start()
    watch.apply(['ssl_certificate_file'])

    expect([served(), told.filter(what => what !== 'changed')]).toEqual([undefined, []])
  })
})
