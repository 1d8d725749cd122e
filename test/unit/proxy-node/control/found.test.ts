/** What is kept of a found proxy's command, and what starts it at a boot besides us. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { systemClock } from '../../../../proxy-node/base/clock.ts'
import {
  activeUnits,
  autoStartsOf,
  nameOf,
  switchOff,
  switchOn,
} from '../../../../proxy-node/control/auto-start.ts'
import { environmentIn, withoutPasswords } from '../../../../proxy-node/control/found-processes.ts'
import type { Host } from '../../../../proxy-node/control/host.ts'
import { pathsUnder } from '../../../../proxy-node/control/paths.ts'
import { changesOf } from '../../../../proxy-node/control/probe-facts.ts'
import { nodeTransport } from '../../../../proxy-node/net/node.ts'
import { hostSettings } from '../../../support/host-settings.ts'

describe('a command as it is kept', () => {
  test.each([
    ['obproxy_sys_password=ab12,enable_qos=true', 'enable_qos=true'],
    ['enable_qos=true,obproxy_sys_password=ab12', 'enable_qos=true'],
    ['a=1,observer_sys_password1=x,b=2', 'a=1,b=2'],
    ['observer_sys_password=x', ''],
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
      'OBPROXY_INHERITED_IPV4_FD=3',
      'OBFLEET_ROOT=/r',
      'OBFLEET_UNIT=obfleet-proxy.service',
      'EMPTY=',
      'no assignment',
    ]
    expect(environmentIn(`${all.join('\0')}\0`)).toEqual({
      PATH: '/bin',
      OBPROXY_EXTRA_OPT: 'a=1',
      OBFLEET_ROOT: '/r',
      EMPTY: '',
    })
  })
})

describe('parameters that a take-over changes', () => {
  const running = new Map([
    ['enable_qos', 'True'],
    ['enable_proxy_scramble', 'True'],
    ['slow_query_time_threshold', '500ms'],
    ['proxy_id', '0'],
    ['obproxy_sys_password', '***'],
    ['of_that_version_alone', '1'],
  ])

  test('are those that the cluster sets, and those that it leaves at their default', () => {
    const changed = new Map([...running].filter(([name]) => !name.startsWith('slow')))
    expect(changesOf(running, changed, { slow_query_time_threshold: '1s', no_such: '1' })).toEqual([
      { name: 'enable_qos', value: 'False' },
      { name: 'no_such', value: '1' },
      { name: 'slow_query_time_threshold', value: '1s' },
    ])
  })

  test('are none where the two are alike', () => {
    expect(changesOf(running, new Map(), { enable_qos: 'true' })).toEqual([])
  })
})

describe('what starts a found proxy at a boot', () => {
  let root: string
  let host: Host
  const units = new Map<string, { enabled: boolean; active: boolean }>()
  const acts: string[] = []
  const at = (path: string) => join(root, path)
  const write = (path: string, text: string, mode = 0o644) => {
    mkdirSync(dirname(at(path)), { recursive: true })
    writeFileSync(at(path), text, { mode })
  }

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'obfleet-auto-start-'))
    units.clear()
    acts.length = 0
    host = {
      settings: hostSettings(pathsUnder(root)),
      clock: systemClock,
      log: () => {},
      init: {
        act: async (action, unit) => void acts.push(`${action} ${unit}`),
        reload: async () => {},
        isGoingDown: async () => false,
        status: async name => ({ enabled: false, active: false, ...units.get(name), pid: null }),
      },
      transport: nodeTransport,
      secrets: { read: async () => '', credentials: () => Promise.reject(new Error('none')) },
      tryLock: () => true,
    }
  })
  afterEach(() => rmSync(root, { recursive: true, force: true }))

  test('is nothing on a host without any', async () => {
    expect(await autoStartsOf(host)).toEqual([])
  })

  test('are lines that name it, each once, and not those that are comments', async () => {
    write(
      'etc/rc.d/rc.local',
      '#!/bin/sh\n# obproxy was here\n/o/bin/obproxyd.sh -c start\nother\n',
      0o755,
    )
    symlinkSync('rc.d/rc.local', at('etc/rc.local'))
    write('etc/crontab', '# obproxy\n')
    write(
      'var/spool/cron/admin',
      '* * * * * /o/bin/obproxyd.sh -c start\n0 1 * * * backup\n',
      0o600,
    )
    const found = await autoStartsOf(host)
    expect(found.map(nameOf)).toEqual(['/etc/rc.local', '/var/spool/cron/admin'])

    await switchOff(found, host)
    await switchOff(found, host)

    expect(readFileSync(at('etc/rc.d/rc.local'), 'utf8')).toBe(
      '#!/bin/sh\n# obproxy was here\n#obfleet# /o/bin/obproxyd.sh -c start\nother\n',
    )
    expect(statSync(at('etc/rc.d/rc.local')).mode & 0o777).toBe(0o755)
    expect(readlinkSync(at('etc/rc.local'))).toBe('rc.d/rc.local')
    expect(readFileSync(at('var/spool/cron/admin'), 'utf8')).toContain('\n0 1 * * * backup\n')
    expect(await autoStartsOf(host)).toEqual([])
    // Somebody has added a line meanwhile.
    const changed = `${readFileSync(at('etc/rc.d/rc.local'), 'utf8')}new\n`
    writeFileSync(at('etc/rc.d/rc.local'), changed)

    await switchOn(found, host)
    await switchOn(found, host)

    expect(readFileSync(at('etc/rc.d/rc.local'), 'utf8')).toBe(
      '#!/bin/sh\n# obproxy was here\n/o/bin/obproxyd.sh -c start\nother\nnew\n',
    )
    expect(statSync(at('var/spool/cron/admin')).mode & 0o777).toBe(0o600)
  })

  test('are links of run levels that start it, and not those that stop it', async () => {
    mkdirSync(at('etc/rc.d/rc3.d'), { recursive: true })
    symlinkSync('rc.d/rc3.d', at('etc/rc3.d'))
    for (const name of ['S85obproxyd', 'K15obproxyd', 'S10network'])
      symlinkSync(`../init.d/${name}`, at(`etc/rc.d/rc3.d/${name}`))
    const found = await autoStartsOf(host)
    expect(found).toEqual([
      { kind: 'link', file: '/etc/rc.d/rc3.d/S85obproxyd', target: '../init.d/S85obproxyd' },
    ])

    await switchOff(found, host)
    expect(() => readlinkSync(at('etc/rc.d/rc3.d/S85obproxyd'))).toThrow()
    expect(readlinkSync(at('etc/rc.d/rc3.d/S10network'))).toBe('../init.d/S10network')

    await switchOn(found, host)
    await switchOn(found, host)
    expect(readlinkSync(at('etc/rc.d/rc3.d/S85obproxyd'))).toBe('../init.d/S85obproxyd')
  })

  test('are units of others that run it, enabled or not', async () => {
    const start = '[Service]\nExecStart=/o/bin/obproxy -N\n'
    write('etc/systemd/system/odp.service', start)
    write('usr/lib/systemd/system/old.service', start)
    write('usr/lib/systemd/system/idle.service', start)
    write('etc/systemd/system/obfleet-proxy.service', start)
    write('etc/systemd/system/web.service', '[Service]\n# obproxy\nExecStart=/bin/web\n')
    units.set('odp.service', { enabled: true, active: true })
    units.set('old.service', { enabled: false, active: true })
    units.set('obfleet-proxy.service', { enabled: true, active: true })
    units.set('web.service', { enabled: true, active: true })

    const found = await autoStartsOf(host)

    expect(found.map(nameOf)).toEqual(['odp.service', 'old.service'])
    expect(activeUnits(found)).toEqual(['odp.service', 'old.service'])
    await switchOff(found, host)
    await switchOn(found, host)
    expect(acts).toEqual(['disable odp.service', 'enable odp.service'])
    expect(existsSync(at('etc/systemd/system/odp.service'))).toBe(true)
  })
})
