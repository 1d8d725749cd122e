/** What starts a found proxy at a boot besides us: what is switched off, what is left, what is told. */
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
import { afterEach, beforeEach, expect, test } from 'vitest'
import { systemClock } from '../../../../proxy-node/base/clock.ts'
import {
  activeUnits,
  autoStartsOf,
  nameOf,
  switchOff,
  switchOn,
} from '../../../../proxy-node/control/auto-start.ts'
import type { Host } from '../../../../proxy-node/control/host.ts'
import { pathsUnder } from '../../../../proxy-node/control/paths.ts'
import { nodeTransport } from '../../../../proxy-node/net/node.ts'
import { hostSettings } from '../../../support/host-settings.ts'

const HOME = '/o'
const START = '/o/bin/obproxyd.sh -c start'
const RC_LOCAL = 'etc/rc.d/rc.local'

let root: string
let host: Host
const units = new Map<string, { enabled: boolean; active: boolean }>()
const acts: string[] = []
const at = (path: string) => join(root, path)
const textOf = (path: string) => readFileSync(at(path), 'utf8')
const write = (path: string, text: string, mode = 0o644) => {
  mkdirSync(dirname(at(path)), { recursive: true })
  writeFileSync(at(path), text, { mode })
}
const found = () => autoStartsOf(HOME, host)
const off = async () => switchOff({ home: HOME, autoStart: [...(await found()).all] }, host)

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

test('nothing is found on a host without any', async () => {
  expect(await found()).toEqual({ all: [], shown: [], byHand: [] })
})

test('lines that start it are switched off and on again, each once, and comments are none', async () => {
  write(RC_LOCAL, `#!/bin/sh\n# ${START}\n${START}\nother\n`, 0o755)
  symlinkSync('rc.d/rc.local', at('etc/rc.local'))
  write('etc/crontab', `# ${START}\n`)
  write('var/spool/cron/admin', `* * * * * ${START}\n0 1 * * * backup\n`, 0o600)
  const { all, shown } = await found()
  expect(all.map(nameOf)).toEqual(['/etc/rc.local', '/var/spool/cron/admin'])
  expect(shown).toEqual([`/etc/rc.local:3 ${START}`, `/var/spool/cron/admin:1 * * * * * ${START}`])
  const saved = { home: HOME, autoStart: [...all] }

  await switchOff(saved, host)
  await switchOff(saved, host)

  expect(textOf(RC_LOCAL)).toBe(`#!/bin/sh\n# ${START}\n#obfleet# ${START}\nother\n`)
  expect(statSync(at(RC_LOCAL)).mode & 0o777).toBe(0o755)
  expect(readlinkSync(at('etc/rc.local'))).toBe('rc.d/rc.local')
  expect(textOf('var/spool/cron/admin')).toContain('\n0 1 * * * backup\n')
  expect((await found()).all).toEqual([])
  // Somebody has added a line meanwhile.
  writeFileSync(at(RC_LOCAL), `${textOf(RC_LOCAL)}new\n`)

  await switchOn(all, host)
  await switchOn(all, host)

  expect(textOf(RC_LOCAL)).toBe(`#!/bin/sh\n# ${START}\n${START}\nother\nnew\n`)
  expect(statSync(at('var/spool/cron/admin')).mode & 0o777).toBe(0o600)
})

test('lines that only name the home or another one stay', async () => {
  const cron = [
    '0 3 * * * find /o/log -mtime +7 -delete',
    '* * * * * tail -n 1 /o/bin/obproxyd.sh',
    '* * * * * /o/bin/obproxyd.sh -c status',
    '* * * * * /other/bin/obproxyd.sh -c start',
  ]
  write('var/spool/cron/admin', `${cron.join('\n')}\n`)
  write('etc/cron.d/odp', `*/5 * * * * admin ${START}\n*/5 * * * * admin rm -rf /o/log/obproxy\n`)

  await off()

  expect(textOf('var/spool/cron/admin')).toBe(`${cron.join('\n')}\n`)
  expect(textOf('etc/cron.d/odp')).toBe(
    `#obfleet# */5 * * * * admin ${START}\n*/5 * * * * admin rm -rf /o/log/obproxy\n`,
  )
})

test('a line inside a compound statement is told, and left: the rest would be no script', async () => {
  const script = `#!/bin/sh\nif [ -d /o ]; then\n  ${START}\nfi\n`
  write(RC_LOCAL, script, 0o755)
  expect(await found()).toEqual({ all: [], shown: [], byHand: ['/etc/rc.d/rc.local:3'] })

  await switchOff({ home: HOME, autoStart: [{ kind: 'lines', file: '/etc/rc.d/rc.local' }] }, host)

  expect(textOf(RC_LOCAL)).toBe(script)
})

test('a line whose file cannot be told is told, and left', async () => {
  write('var/spool/cron/admin', '@reboot $HERE/bin/obproxyd.sh -c start\n')
  expect((await found()).byHand).toEqual(['/var/spool/cron/admin:1'])
})

test('what is shown has no secrets', async () => {
  write(RC_LOCAL, `/o/bin/obproxy -o obproxy_sys_password=abc,config=http://h/?Token=t\n`)
  const { shown } = await found()
  expect(shown.join()).toMatch(/^\/etc\/rc\.d\/rc\.local:1 \/o\/bin\/obproxy -o /)
  expect(shown.join()).not.toMatch(/abc|=t/)
})

test('links of run levels are those whose script starts it', async () => {
  const script = (home: string) =>
    `case "$1" in\nstart) su - admin -c "${home}/bin/obproxyd.sh -c start" ;;\nesac\n`
  write('etc/rc.d/init.d/obproxyd', script('/o'), 0o755)
  write('etc/rc.d/init.d/obproxy_exporter', '/opt/exporter --home=/o/bin/obproxy\n', 0o755)
  write('etc/rc.d/init.d/obproxy_other', script('/other'), 0o755)
  mkdirSync(at('etc/rc.d/rc3.d'), { recursive: true })
  symlinkSync('rc.d/rc3.d', at('etc/rc3.d'))
  const names = ['S85obproxyd', 'K15obproxyd', 'S86obproxy_exporter', 'S87obproxy_other']
  for (const name of names) symlinkSync(`../init.d/${name.slice(3)}`, at(`etc/rc.d/rc3.d/${name}`))
  symlinkSync('../init.d/obproxy_gone', at('etc/rc.d/rc3.d/S88obproxy_gone'))
  const { all } = await found()
  expect(all).toEqual([
    { kind: 'link', file: '/etc/rc.d/rc3.d/S85obproxyd', target: '../init.d/obproxyd' },
  ])

  await switchOff({ home: HOME, autoStart: [...all] }, host)
  expect(() => readlinkSync(at('etc/rc.d/rc3.d/S85obproxyd'))).toThrow()
  expect(readlinkSync(at('etc/rc.d/rc3.d/S86obproxy_exporter'))).toBe('../init.d/obproxy_exporter')

  await switchOn(all, host)
  await switchOn(all, host)
  expect(readlinkSync(at('etc/rc.d/rc3.d/S85obproxyd'))).toBe('../init.d/obproxyd')
})

test('units are those that run it, enabled or not', async () => {
  const start = '[Service]\nExecStart=-/o/bin/obproxy -N\n'
  const shell =
    '[Service]\nWorkingDirectory=/o\nExecStart=/bin/sh -c "exec ./bin/obproxy \\\n -N"\n'
  write('etc/systemd/system/odp.service', start)
  write('usr/lib/systemd/system/old.service', shell)
  write('usr/lib/systemd/system/idle.service', start)
  write('etc/systemd/system/obfleet-proxy.service', start)
  write('etc/systemd/system/web.service', `[Service]\n# ${START}\nExecStart=/bin/web\n`)
  const exporter = '[Service]\nExecStart=/opt/obproxy_exporter/bin/exporter --home=/o/bin/obproxy\n'
  write('etc/systemd/system/obproxy-exporter.service', exporter)
  write('etc/systemd/system/other.service', start.replaceAll('/o/', '/other/'))
  for (const name of ['odp', 'obfleet-proxy', 'web', 'obproxy-exporter', 'other'])
    units.set(`${name}.service`, { enabled: true, active: true })
  units.set('old.service', { enabled: false, active: true })

  const { all, byHand } = await found()

  expect(all.map(nameOf)).toEqual(['odp.service', 'old.service'])
  expect(byHand).toEqual([])
  expect(activeUnits(all)).toEqual(['odp.service', 'old.service'])
  await switchOff({ home: HOME, autoStart: [...all] }, host)
  await switchOn(all, host)
  expect(acts).toEqual(['disable odp.service', 'enable odp.service'])
  expect(existsSync(at('etc/systemd/system/odp.service'))).toBe(true)
})
