/** SHOW PROXYINFO SSL, ours: which certificates serve, until when, and what keeps newer ones out. */
import { parseSslAttributes } from '#contract/ssl-settings'
import type { ConfigStore } from '../config/store.ts'
import { type Rule, textRows } from './answer.ts'

const DAY_MS = 86_400_000

export const SSL_RULES: readonly Rule[] = [
  {
    grammar: /^show\s+proxyinfo\s+ssl$/is,
    answer: (_found, { config, certificates }) => {
      const { current, since, failure } = certificates
      const attributes = parseSslAttributes(config.get('ssl_attributes'))
      const offered = current.cert === '' ? 'off' : 'optional'
      return textRows(
        ['name', 'info'],
        [
          ['client ssl', attributes?.isForced ? 'required' : offered],
          ['server ssl', serverSsl(config)],
          ['minimum version', attributes?.minVersion ?? ''],
          ['loaded at', timeText(since)],
          ['failure', failure?.message ?? missingPair(config, current.cert)],
          ...current.facts.flatMap(facts => [
            [`${facts.use} certificate`, facts.subject],
            [`${facts.use} issuer`, facts.issuer],
            [`${facts.use} serial`, facts.serial],
            [`${facts.use} names`, facts.names],
            [`${facts.use} not before`, timeText(facts.notBefore)],
            [`${facts.use} not after`, timeText(facts.notAfter)],
            [`${facts.use} days left`, String(Math.floor((facts.notAfter - Date.now()) / DAY_MS))],
          ]),
        ],
      )
    },
  },
]

function serverSsl(config: ConfigStore): string {
  const mode = config.get('server_ssl_mode')
  if (config.isOn('enable_server_ssl')) return mode
  return config.isOnAnywhere('enable_server_ssl') ? `${mode} for some, else off` : 'off'
}

/** What is wanted and can not be had, though nothing is wrong with any file. */
function missingPair(config: { readonly isOn: (name: string) => boolean }, cert: string): string {
  const isMissing = config.isOn('enable_client_ssl') && cert === ''
  return isMissing ? 'ssl_certificate_file and ssl_private_key_file are not both set' : ''
}

function timeText(ms: number): string {
  return ms === 0 ? '' : new Date(ms).toISOString()
}
