/** Statements about this node itself: version, status, probe. Source: proxy-admin.md §2.4. */
import { release } from 'node:os'
import { BUILD_NUMBER, PROXY_VERSION } from '#contract/version'
import { CLOSE, OK, type Rule, textRows } from './answer.ts'

/** The probe of load balancers. */
export const PING = /^ping\s+proxy$/is

export const NODE_RULES: readonly Rule[] = [
  {
    // A probe that is cut off takes the node out, as one that is refused does (§4.4).
    grammar: PING,
    answer: async (_found, { availability }) => ((await availability()) === 'ACTIVE' ? OK : CLOSE),
  },
  {
    grammar: /^select\s+proxy_version\s*\(\s*\)$/is,
    answer: () => textRows(['proxy_version()'], [[PROXY_VERSION]]),
  },
  {
    grammar: /^select\s+proxy_status\s*(?:\(\s*\))?$/is,
    answer: async (_found, { availability }) =>
      textRows(['proxy_status()'], [[await availability()]]),
  },
  { grammar: /^show\s+proxyinfo\s+binary$/is, answer: () => binaryRows() },
  {
    grammar: /^show\s+proxyinfo\s+upgrade$/is,
    answer: async (_found, { upgrade }) =>
      textRows(
        ['name', 'info'],
        (await upgrade()).map(line => ['hot upgrade info', line]),
      ),
  },
  {
    // Ours: what a manager compares over a proxy cluster to see who lags behind.
    grammar: /^show\s+proxyinfo\s+config$/is,
    answer: (_found, { config }) =>
      textRows(
        ['name', 'info'],
        [
          ['config version', String(config.version)],
          ['config checksum', config.checksum()],
          ['waiting for restart', config.waitingForRestart().join(',')],
        ],
      ),
  },
]

/** Managers take the first text shaped digits.digits.digits.digits-digits. */
function binaryRows() {
  const version = `${PROXY_VERSION}-${BUILD_NUMBER}`
  const lines = [
    `obproxy-OceanBase ${version}-${release()}`,
    `version:${version}`,
    `REVISION:${BUILD_NUMBER}`,
    `BUILD_FLAGS:${process.platform} ${process.arch}`,
  ]
  return textRows(
    ['name', 'info'],
    lines.map(line => ['binary info', line]),
  )
}
