/** Which version this executable says it is: part of it, set when it is compiled. */

declare const STANDIN_VERSION: string
declare const STANDIN_BUILD: string

export const BUILD = {
  version: STANDIN_VERSION,
  build: STANDIN_BUILD,
  release: 'el7',
  revision: `${STANDIN_BUILD}-local-0000000000000000000000000000000000000000`,
  time: 'Jan  1 2026 00:00:00',
  flags: 'RELEASE',
} as const

/** What `-V` says, on standard error. */
export function versionText(): string {
  const { version, build, revision, time, flags } = BUILD
  return [
    `obproxy (OceanBase ${version} ${build})`,
    `REVISION: ${revision}`,
    `BUILD_TIME: ${time}`,
    `BUILD_FLAGS: ${flags}`,
    '',
  ].join('\n')
}

/** What SHOW PROXYINFO BINARY says. */
export function binaryText(): string {
  const { version, build, release, revision, time, flags } = BUILD
  return [
    `ObProxy-OceanBase ${version}-${build}-${release}`,
    `version:${release}`,
    'MD5:',
    `REVISION:${revision}`,
    `BUILD_TIME:${time}`,
    `BUILD_FLAGS:${flags}`,
  ].join('\n')
}
