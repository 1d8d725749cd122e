/** The init of an instance: units run, are replaced, stopped, and come back after a reboot. */
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isAlive } from '../../../../infra/local/instance/processes.ts'
import { Region } from '../../../support/instances.ts'
import { until } from '../../../support/until.ts'

// Nothing listens there: an init lives without the service.
const region = new Region({ host: '127.15.6.2', port: 8199 }, 1)
const root = region.rootOf(1)

function unit(name: string, text: string): void {
  mkdirSync(join(root, 'etc/systemd/system'), { recursive: true })
  writeFileSync(join(root, 'etc/systemd/system', name), text)
}

const service = (script: string, more = '') => `[Service]
ExecStart=/bin/sh -c '${script}'
RestartSec=20ms
${more}
[Install]
WantedBy=multi-user.target
`

const lines = (name: string) =>
  existsSync(join(root, name)) ? readFileSync(join(root, name), 'utf8').trim().split('\n') : []

beforeAll(() => region.startInstance(1), 30_000)
afterAll(() => region.stop(), 30_000)

describe('a service', () => {
  test('is started, replaced when it dies, and stopped for good', async () => {
    unit('a.service', service('echo $$ >> $OBFLEET_ROOT/a; exec sleep 1000', 'Restart=always'))
    const { pid, active, enabled } = await region.ask(1, 'start', 'a.service')
    expect({ active, enabled }).toEqual({ active: true, enabled: false })
    expect((await region.ask(1, 'start', 'a.service')).pid).toBe(pid)
    process.kill(pid ?? 0, 'SIGKILL')
    await until('another process', () => lines('a').length === 2)
    const second = Number(lines('a')[1])
    expect(isAlive(second)).toBe(true)
    expect(await region.ask(1, 'stop', 'a.service')).toMatchObject({ active: false, pid: null })
    expect(isAlive(second)).toBe(false)
    expect(lines('a')).toHaveLength(2)
  })

  test('that dies at once again and again is given up', async () => {
    unit('b.service', service('echo x >> $OBFLEET_ROOT/b; exit 1', 'Restart=always'))
    await region.ask(1, 'start', 'b.service')
    await until('five starts', () => lines('b').length === 5)
    await until('given up', async () => !(await region.ask(1, 'status', 'b.service')).active)
    expect(lines('b')).toHaveLength(5)
  })

  test('that hands over to the process in its pid file is not started again until that one ends', async () => {
    unit(
      'h.service',
      service(
        'echo $$ >> $OBFLEET_ROOT/h; sleep 1000 & echo $! > $OBFLEET_ROOT/run/h.pid; sleep 0.2',
        'Restart=always\nPIDFile=/run/h.pid',
      ),
    )
    await region.ask(1, 'start', 'h.service')
    await until('the first one ends', () => lines('h').some(pid => !isAlive(Number(pid))))
    const [heir] = lines('run/h.pid').map(Number)
    expect(await region.ask(1, 'status', 'h.service')).toMatchObject({ active: true, pid: heir })
    expect(lines('h')).toHaveLength(1)
    process.kill(heir ?? 0, 'SIGKILL')
    await until('another start', () => lines('h').length === 2)
    await region.ask(1, 'stop', 'h.service')
    expect(await region.ask(1, 'status', 'h.service')).toMatchObject({ active: false, pid: null })
    expect(lines('run/h.pid').map(Number).some(isAlive)).toBe(false)
  })

  test('stops with all its processes, those of other groups too', async () => {
    unit('c.service', service('setsid sleep 1000 & echo $! > $OBFLEET_ROOT/c; exec sleep 1000'))
    await region.ask(1, 'start', 'c.service')
    await until('its child', () => lines('c').length === 1)
    await region.ask(1, 'stop', 'c.service')
    expect(isAlive(Number(lines('c')[0]))).toBe(false)
  })

  test('whose main process alone is told leaves the others', async () => {
    const script = 'sleep 1000 & echo $! > $OBFLEET_ROOT/k; exec sleep 1000'
    unit('k.service', service(script, 'KillMode=process'))
    const { pid } = await region.ask(1, 'start', 'k.service')
    await until('both run', () => lines('k').length === 1)
    expect(await region.ask(1, 'stop', 'k.service')).toMatchObject({ active: false })
    const [other = 0] = lines('k').map(Number)
    expect([isAlive(pid ?? 0), isAlive(other)]).toEqual([false, true])
    process.kill(other, 'SIGKILL')
  })

  test('that is to let go is over, and its process runs on: as its file says now', async () => {
    unit('l.service', service('exec sleep 1000', 'Restart=always\nKillMode=mixed'))
    const { pid } = await region.ask(1, 'start', 'l.service')
    unit('l.service', service('exec sleep 1000', 'Restart=no\nKillMode=none'))
    expect(await region.ask(1, 'stop', 'l.service')).toMatchObject({ active: false, pid: null })
    expect(isAlive(pid ?? 0)).toBe(true)
    process.kill(pid ?? 0, 'SIGKILL')
  })

  test('that ignores SIGTERM is killed after its time', async () => {
    unit(
      'd.service',
      service(
        'trap "" TERM; echo $$ > $OBFLEET_ROOT/d; while true; do sleep 0.1; done',
        'TimeoutStopSec=300ms',
      ),
    )
    const { pid } = await region.ask(1, 'start', 'd.service')
    await until('it traps', () => lines('d').length === 1)
    await region.ask(1, 'stop', 'd.service')
    expect(isAlive(pid ?? 0)).toBe(false)
  })

  test('gets its environment files, and not without them', async () => {
    writeFileSync(join(root, 'etc/e.env'), 'WORD="from the file"\n')
    unit(
      'e.service',
      `[Service]
Type=oneshot
RemainAfterExit=yes
EnvironmentFile=/etc/e.env
EnvironmentFile=-/etc/none.env
ExecStart=/bin/sh -c 'echo "$WORD" > $OBFLEET_ROOT/e'
`,
    )
    expect(await region.ask(1, 'start', 'e.service')).toMatchObject({ active: true, pid: null })
    expect(lines('e')).toEqual(['from the file'])
  })

  test('a oneshot that fails says so', async () => {
    unit('f.service', `[Service]\nType=oneshot\nExecStart=/bin/sh -c 'exit 4'\n`)
    await expect(region.ask(1, 'start', 'f.service')).rejects.toThrow('exit code 4')
  })

  test('a timer starts its service, again and again', async () => {
    unit('g.service', `[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo x >> $OBFLEET_ROOT/g'\n`)
    unit('g.timer', '[Timer]\nOnBootSec=10ms\nOnUnitActiveSec=30ms\n')
    await region.ask(1, 'start', 'g.timer')
    await until('three runs', () => lines('g').length >= 3)
    await region.ask(1, 'stop', 'g.timer')
  })
})

describe('refused', () => {
  test.each([
    ['start', 'none.service', 'not found'],
    ['start', '../../etc/passwd', 'no unit name'],
    ['explode', 'a.service', 'unknown operation'],
    ['start', undefined, 'needs a unit'],
  ])('%s %s', async (op, name, why) => {
    await expect(region.ask(1, op, name)).rejects.toThrow(why)
  })

  test('a second init on the same root', async () => {
    await expect(region.startInstance(1)).rejects.toThrow('another init')
  })
})

test('a boot runs start links and then rc.local, with paths of the instance, and waits for none', async () => {
  const script = (name: string, text: string, mode = 0o755) => {
    mkdirSync(join(root, name, '..'), { recursive: true })
    writeFileSync(join(root, name), `#!/bin/sh\n${text}\n`, { mode })
  }
  script('etc/rc.d/init.d/slow', 'sleep 0.3; echo "slow $1" >> /var/log/boot')
  mkdirSync(join(root, 'etc/rc.d/rc3.d'))
  for (const link of ['S20slow', 'K80slow'])
    symlinkSync('../init.d/slow', join(root, 'etc/rc.d/rc3.d', link))
  script('etc/rc.d/init.d/off', 'echo off >> /var/log/boot', 0o644)
  symlinkSync('../init.d/off', join(root, 'etc/rc.d/rc3.d/S10off'))
  script('etc/rc.d/rc.local', '/bin/sh /opt/own.sh; FILE=/var/log/boot; echo over >> $FILE')
  script('opt/own.sh', 'echo own >> $OBFLEET_ROOT/var/log/boot')
  symlinkSync('rc.d/rc.local', join(root, 'etc/rc.local'))

  await region.ask(1, 'reboot')

  expect(lines('var/log/boot')).toEqual([])
  await until('all have run', () => lines('var/log/boot').at(-1) === 'over')
  expect(lines('var/log/boot')).toEqual(['slow start', 'own', 'over'])
  expect(existsSync('/var/log/boot')).toBe(false)
  writeFileSync(join(root, 'etc/rc.d/rc.local'), '#!/bin/sh\n')
})

test.each(['reboot', 'crash'])('after a %s what is enabled runs, and nothing else', async op => {
  unit('on.service', service('echo $OBFLEET_BOOT_ID >> $OBFLEET_ROOT/on; exec sleep 1000'))
  unit('off.service', service('echo $$ >> $OBFLEET_ROOT/off; exec sleep 1000'))
  const off = await region.ask(1, 'start', 'off.service')
  await region.ask(1, 'enable', 'on.service')
  const { bootId } = await region.ask(1, op)
  expect(isAlive(off.pid ?? 0)).toBe(false)
  expect(await region.ask(1, 'status', 'off.service')).toMatchObject({ active: false })
  expect(await region.ask(1, 'status', 'on.service')).toMatchObject({ active: true, enabled: true })
  await until('the new boot id', () => lines('on').at(-1) === bootId)
  await region.ask(1, 'disable', 'on.service')
  expect((await region.ask(1, op)).bootId).not.toBe(bootId)
  expect(await region.ask(1, 'status', 'on.service')).toMatchObject({
    active: false,
    enabled: false,
  })
})
