import { describe, expect, test } from 'vitest'
import {
  EXIT,
  exitCodeOf,
  lineOf,
  parseCommandLine,
  USAGE,
  VERSION_TEXT,
} from '../../../../proxy-node/config/command-line.ts'
import { Fault } from '../../../../proxy-node/contract/fault.ts'

const started = (inForeground: boolean, overrides: Record<string, string>) => ({
  kind: 'start',
  inForeground,
  overrides: new Map(Object.entries(overrides)),
})

describe('the command line', () => {
  test.each([
    ['none', [], started(false, {})],
    [
      'obd',
      [
        '-o',
        'enable_cluster_checkout=False,proxy_mem_limited=500M',
        '--listen_port',
        '2883',
        '--prometheus_listen_port',
        '2884',
        '--rs_list',
        '10.0.0.1:2881;10.0.0.2:2881',
        '--cluster_name',
        'obcluster',
        '--rpc_listen_port',
        '2885',
      ],
      started(false, {
        enable_cluster_checkout: 'False',
        proxy_mem_limited: '500M',
        listen_port: '2883',
        prometheus_listen_port: '2884',
        rootservice_list: '10.0.0.1:2881;10.0.0.2:2881',
        rootservice_cluster_name: 'obcluster',
        rpc_listen_port: '2885',
      }),
    ],
    [
      'OCP',
      [
        '-p',
        '2883',
        '-n',
        'NAME',
        '-o',
        'obproxy_config_server_url=http://h/s?Action=GetObProxyConfig&ObproxyClusterName=N,enable_metadb_used=false',
      ],
      started(false, {
        listen_port: '2883',
        app_name: 'NAME',
        obproxy_config_server_url: 'http://h/s?Action=GetObProxyConfig&ObproxyClusterName=N',
        enable_metadb_used: 'false',
      }),
    ],
    [
      'obshell, with quotes meant for a shell',
      ['-o', "rootservice_list='1.2.3.4:2881',obproxy_config_server_url=''", '-n', 'a', '-c', 'c'],
      started(false, {
        rootservice_list: '1.2.3.4:2881',
        obproxy_config_server_url: '',
        app_name: 'a',
        rootservice_cluster_name: 'c',
      }),
    ],
    [
      'attached values',
      ['-p2883', '--appname=x=y'],
      started(false, { listen_port: '2883', app_name: 'x=y' }),
    ],
    ['flags together', ['-Np', '2883'], started(true, { listen_port: '2883' })],
    ['newlines in -o', ['-N', '-o', 'a=1\n\nb=2,'], started(true, { a: '1', b: '2' })],
    ['the last of two', ['-p', '1', '--listen_port=2'], started(false, { listen_port: '2' })],
    ['-h wins', ['-N', '-h', '-x'], { kind: 'help' }],
    ['--version', ['--version'], { kind: 'version' }],
    ['-R', ['-R'], { kind: 'release' }],
  ])('%s', (_name, args, parsed) => {
    expect(parseCommandLine(args)).toEqual(parsed)
  })

  test.each([
    [['-x'], /^unknown option -x; see obproxy -h$/],
    [['--nosuch=1'], /^unknown option --nosuch;/],
    [['2883'], /^unknown option 2883;/],
    [['-p'], /^option -p wants a value$/],
    [['--rs_list'], /^option --rs_list wants a value$/],
    [['-o', 'a=1,secret'], /^item 2 of -o is no name=value$/],
    [['-o', '=1'], /^item 1 of -o is no name=value$/],
    [['-u', '1'], /^option -u is not for use by hand$/],
    [['-e'], /^option -e belongs to the metadata database/],
    [['--dump_config_sql'], /^option --dump_config_sql belongs to the metadata database/],
    [['-t', 'x'], /^option -t is not/],
    [['-P', '1'], /^option -P is not/],
    [['-H', '1'], /^option -H is not/],
  ])('%j is refused with one line', (args, line) => {
    expect(parseCommandLine(args)).toEqual({ kind: 'wrong', line: expect.stringMatching(line) })
  })

  test('prints a version that managers can parse, and all options', () => {
    expect(VERSION_TEXT).toMatch(/^obproxy \(OceanBase (\d+\.){3}\d+ \d+\)\nREVISION: /)
    for (const option of ['-p', '-l', '-s', '-n', '-r', '-c', '-o', '-N', '-R', '-V', '-h'])
      expect(USAGE).toContain(`  ${option},--`)
  })

  test.each([
    [new Fault('config.invalid-value', { name: 'listen_port', detail: 'x' }), EXIT.configuration],
    [new Fault('config.unknown-parameter', { name: 'x' }), EXIT.configuration],
    [new Fault('config.damaged', { file: 'f' }), EXIT.stateDirectory],
    [new Fault('config.not-written', { folder: 'f', reason: 'r' }), EXIT.stateDirectory],
    [new Error('boom'), EXIT.internal],
  ])('%s ends with %i and one line', (error, code) => {
    expect(exitCodeOf(error)).toBe(code)
    expect(lineOf(error)).toMatch(/^[^\n]+$/)
  })
})
