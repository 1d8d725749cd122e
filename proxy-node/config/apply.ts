/**
 * What a set of assignments makes of the configuration: every name known, every value of its type
 * and range, and all of them together consistent, or nothing at all. Pure; the store carries it out.
 * Source: proxy-admin.md §3.3.
 */
import { Fault } from '#contract/fault'
import { magnitude, normalise } from '#contract/parameter-values'
import {
  ALLOWED_VALUES,
  HASHED_PASSWORDS,
  OBSOLETE_NAMES,
  PARAMETERS,
  type Parameter,
} from '#contract/parameters'
import { parseSslAttributes } from '#contract/ssl-settings'
import { stage1FromStored, storedPassword } from '../auth/passwords.ts'
import { AddressList } from '../base/address.ts'
import { initStatements } from '../sql/init-sql.ts'

export type Assignment = readonly [name: string, text: string]

/** ALTER gives passwords in clear, the command line and the environment give their SHA1 (§1.6). */
export type PasswordForm = 'clear' | 'hashed'

const SERVER = '\\s*(?:[^;:\\s[\\]]+|\\[[0-9a-fA-F:.]+\\]):\\d{1,5}\\s*'
const SERVER_LIST = new RegExp(`^${SERVER}(;${SERVER})*;?\\s*$`)
const MAX_NAME_CHARS = 127
const MAX_LOCAL_PROXY_ID = 255

/** @throws config.unknown-parameter */
export function knownParameter(name: string): Parameter {
  const parameter = PARAMETERS.get(name)
  if (parameter === undefined)
    throw new Fault('config.unknown-parameter', { name: name.slice(0, MAX_NAME_CHARS) })
  return parameter
}

/**
 * The values after `assignments`; `values` is left as it is.
 * @throws config.unknown-parameter, config.invalid-value, config.proxy-id
 */
export function amended(
  values: ReadonlyMap<string, string>,
  assignments: Iterable<Assignment>,
  passwords: PasswordForm,
): Map<string, string> {
  const next = new Map(values)
  for (const [name, text] of assignments) {
    // Refusing what deployers still send would refuse the start.
    if (OBSOLETE_NAMES.has(name)) continue
    next.set(name, accepted(knownParameter(name), text, passwords))
  }
  checkTogether(next)
  return next
}

function accepted(parameter: Parameter, text: string, passwords: PasswordForm): string {
  const { name } = parameter
  if (HASHED_PASSWORDS.has(name) && passwords === 'clear') return storedPassword(text)
  if (HASHED_PASSWORDS.has(name) || name === 'inspector_password') stage1FromStored(text, name)
  const value = normalise(parameter, text)
  if (value !== undefined) return value
  const range = parameter.range === '' ? '' : ` in ${parameter.range}`
  throw invalid(name, `wants ${parameter.type}${range}`)
}

function invalid(name: string, detail: string): Fault {
  return new Fault('config.invalid-value', { name, detail })
}

/** Rules of TLS and of whose word is taken for an address. */
function checkTrust(
  of: (name: string) => string,
  wants: (name: string, holds: boolean, detail: string) => void,
): void {
  const attributes = parseSslAttributes(of('ssl_attributes'))
  wants('ssl_attributes', attributes !== undefined, 'is {"using_ssl":…,"min_tls_version":…}')
  for (const name of ['ssl_certificate_file', 'ssl_private_key_file', 'ssl_ca_file'])
    wants(name, of(name) === '' || of(name).startsWith('/'), 'is an absolute path')
  for (const name of ['proxy_protocol_sources', 'client_ip_sources'])
    wants(name, AddressList.parse(of(name)) !== undefined, 'is address;address/bits')
  const verifies = of('enable_server_ssl') === 'True' && of('server_ssl_mode').startsWith('verify')
  wants('ssl_ca_file', !verifies || of('ssl_ca_file') !== '', 'is needed by server_ssl_mode')
}

/** Rules over several parameters and over texts with a form of their own; also run at start. */
function checkTogether(values: ReadonlyMap<string, string>): void {
  const of = (name: string) => values.get(name) ?? knownParameter(name).default
  const number = (name: string) => magnitude('int', of(name)) ?? 0
  const wants = (name: string, holds: boolean, detail: string) => {
    if (!holds) throw invalid(name, detail)
  }
  const isOneOf = (name: string, allowed: readonly string[]) =>
    wants(name, allowed.includes(of(name)), `is one of ${allowed.join(', ')}`)
  const isServerList = (name: string) =>
    wants(name, of(name) === '' || SERVER_LIST.test(of(name)), 'is ip:port;ip:port')
  for (const [name, allowed] of ALLOWED_VALUES) isOneOf(name, allowed)
  isServerList('rootservice_list')
  isServerList('test_server_addr')
  checkTrust(of, wants)
  const init = initStatements(of('init_sql'))
  wants('init_sql', init !== undefined, 'is SET of session variables; SET …')
  wants('app_name', of('app_name') !== '', 'must not be empty')
  wants(
    'username_separator',
    /^.(;.)*;?$/.test(of('username_separator')),
    'is a;b;c, one sign each',
  )
  wants('proxy_idc_name', of('proxy_idc_name').length <= MAX_NAME_CHARS, 'has at most 127 signs')
  wants('mysql_version', /^\d+(\.\d+)*$/.test(of('mysql_version')), 'has digits and dots only')
  const isServer = of('proxy_service_mode') === 'server'
  wants('proxy_service_mode', !isServer || number('proxy_id') > 0, 'server wants proxy_id above 0')
  if (number('client_session_id_version') === 1 && number('proxy_id') > MAX_LOCAL_PROXY_ID)
    throw new Fault('config.proxy-id', { most: MAX_LOCAL_PROXY_ID })
}
