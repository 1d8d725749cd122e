/** The proxy's logs under `log/`: one line an event. */
import { appendFileSync } from 'node:fs'
import { join } from 'node:path'

export type Level = 'INFO' | 'WDIAG' | 'WARN' | 'ERROR'

export class Log {
  private readonly folder: string

  constructor(folder: string) {
    this.folder = folder
  }

  write(level: Level, text: string): void {
    this.append('obproxy.log', `${level} ${text}`)
  }

  diagnosis(text: string): void {
    this.append('obproxy_diagnosis.log', text)
  }

  private append(file: string, text: string): void {
    const time = new Date().toISOString().replace('T', ' ').slice(0, 23)
    appendFileSync(join(this.folder, file), `[${time}] ${text} [pid ${process.pid}]\n`)
  }
}
