/**
 * The certificates in use: taken when their parameters are set or their files change, without a
 * restart. What cannot be used never replaces what can; it is told, and shown until it is mended.
 */
import { Fault } from '#contract/fault'
import type { Clock, TimerHandle } from '../base/clock.ts'
import {
  type CertificateFiles,
  type Certificates,
  fingerprint,
  readCertificates,
} from './certificates.ts'

/** The parameters, as the store gives them. */
export type CertificateSettings = {
  readonly get: (name: string) => string
  readonly isOn: (name: string) => boolean
  readonly timeMs: (name: string) => number
}

export type CertificateEvents = {
  /** Tries them on the TLS library. @throws Error when it does not take them */
  readonly attempt: (certificates: Certificates) => void
  /** Other certificates are in use now. */
  readonly changed: () => void
  /** Files have changed to something that cannot be used; once a change. */
  readonly broke: (fault: Fault) => void
}

const PAIR = ['ssl_certificate_file', 'ssl_private_key_file'] as const
const NAMES: ReadonlySet<string> = new Set([
  ...PAIR,
  'ssl_ca_file',
  'enable_client_ssl',
  'enable_server_ssl',
])
const NONE: Certificates = { cert: '', key: '', ca: '', facts: [] }

export class CertificateWatch {
  private readonly settings: CertificateSettings
  private readonly clock: Clock
  private readonly events: CertificateEvents
  private used: Certificates = NONE
  private usedSince = 0
  private judged = ''
  private lastSeen = ''
  private fault: Fault | undefined
  /** A statement was refused: the next one takes it back. */
  private isUndoing = false
  private timer: TimerHandle | undefined

  constructor(settings: CertificateSettings, clock: Clock, events: CertificateEvents) {
    this.settings = settings
    this.clock = clock
    this.events = events
  }

  get current(): Certificates {
    return this.used
  }

  /** When the certificates in use were taken; 0: never. */
  get since(): number {
    return this.usedSince
  }

  /** Why the files as they are cannot be used; undefined when they are in use. */
  get failure(): Fault | undefined {
    return this.fault
  }

  /** Takes what can be used and looks for changes from now on. */
  start(): void {
    this.lookAgain()
    this.schedule()
  }

  stop(): void {
    this.timer?.cancel()
  }

  /**
   * Parameters were set. Half of a pair may be wrong for the moment if only that half was set.
   * @throws tls.unreadable, tls.unusable, tls.mismatch; all is as before then
   */
  apply(names: readonly string[]): void {
    if (!names.some(name => NAMES.has(name))) return
    const fault = this.take(this.files())
    const isHalf = fault?.code === 'tls.mismatch' && !PAIR.every(name => names.includes(name))
    const mayFail = this.isUndoing || isHalf
    this.isUndoing = fault !== undefined && !mayFail
    if (fault === undefined) return
    if (!mayFail) throw fault
    this.note(fault)
  }

  private schedule(): void {
    this.timer = this.clock.after(this.settings.timeMs('ssl_certificate_check_interval'), () => {
      this.lookAgain()
      this.schedule()
    })
  }

  /** A change is taken when it has held for one period: files are replaced one after the other. */
  private lookAgain(): void {
    const files = this.files()
    const seen = fingerprint(files)
    const hasHeld = seen === this.lastSeen || this.judged === ''
    this.lastSeen = seen
    // What could not be used is tried each time: permissions and dates change without the file.
    if (!hasHeld || (seen === this.judged && this.fault === undefined)) return
    const before = this.used
    const fault = this.take(files)
    if (fault !== undefined) this.note(fault)
    else if (before !== this.used) this.events.changed()
  }

  private note(fault: Fault): void {
    const isKnown = this.fault?.message === fault.message
    this.fault = fault
    if (!isKnown) this.events.broke(fault)
  }

  private take(files: CertificateFiles): Fault | undefined {
    // Taken before the files are read: a change in between is seen next time.
    this.judged = fingerprint(files)
    try {
      const found = readCertificates(files, this.clock.now())
      this.attempt(found, files.cert)
      this.used = found
      this.usedSince = this.clock.now()
      this.fault = undefined
      return undefined
    } catch (error) {
      if (error instanceof Fault) return error
      throw error
    }
  }

  private attempt(certificates: Certificates, file: string): void {
    try {
      this.events.attempt(certificates)
    } catch (error) {
      const reason = `is refused: ${error instanceof Error ? error.message : 'no reason given'}`
      throw new Fault('tls.unusable', { name: PAIR[0], file, reason }, { cause: error })
    }
  }

  private files(): CertificateFiles {
    const { settings } = this
    const client = settings.isOn('enable_client_ssl')
    const server = settings.isOn('enable_server_ssl')
    return {
      cert: client ? settings.get('ssl_certificate_file') : '',
      key: client ? settings.get('ssl_private_key_file') : '',
      ca: server ? settings.get('ssl_ca_file') : '',
    }
  }
}
