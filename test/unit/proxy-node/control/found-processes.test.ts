/** What is kept of how a found proxy was started. */
import { describe, expect, test } from 'vitest'
import { environmentIn } from '../../../../proxy-node/control/found-processes.ts'
import { withoutPasswords } from '../../../../proxy-node/control/redaction.ts'

describe('a command as it is kept', () => {
  test.each([
    ['obproxy_sys_password=ab12,enable_qos=true', 'enable_qos=true'],
    ['enable_qos=true,obproxy_sys_password=ab12', 'enable_qos=true'],
    ['a=1,observer_sys_password1=x,b=2', 'a=1,b=2'],
    ['observer_sys_password=x', ''],
    ['ssl_private_key_file=/k,access_key=x', 'ssl_private_key_file=/k'],
    ['-p', '-p'],
    [
      'obproxy_config_server_url=http://h/s?Action=a&Token=t',
      'obproxy_config_server_url=http://h/s?Action=a&Token=t',
    ],
  ])('has no password: %s', (argument, kept) => {
    expect(withoutPasswords(argument)).toBe(kept)
  })

  test('has the environment without secrets, and without what is of one process', () => {
    const all = [
      'PATH=/bin',
      'OBPROXY_EXTRA_OPT=a=1,obproxy_sys_password=x',
      'observer_sys_password=ab',
      'AWS_SECRET_ACCESS_KEY=k',
      'GITHUB_TOKEN=t',
      'PWD=/home/admin',
      'OBPROXY_INHERITED_IPV4_FD=3',
      'OBFLEET_ROOT=/r',
      'OBFLEET_UNIT=obfleet-proxy.service',
      'EMPTY=',
      'no assignment',
    ]
    expect(environmentIn(`${all.join('\0')}\0`)).toEqual({
      PATH: '/bin',
      PWD: '/home/admin',
      OBPROXY_EXTRA_OPT: 'a=1',
      OBFLEET_ROOT: '/r',
      EMPTY: '',
    })
  })
})
