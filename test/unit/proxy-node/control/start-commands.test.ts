import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { pathsUnder } from '../../../../proxy-node/control/paths.ts'
import { Commands } from '../../../../proxy-node/control/start-commands.ts'

const root = mkdtempSync(join(tmpdir(), 'obfleet-start-commands-'))
mkdirSync(join(root, 'o/bin'), { recursive: true })
symlinkSync('o', join(root, 'current'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const read = (line: string) => new Commands(pathsUnder(root), '/o').read(line)

describe('a command that starts the proxy of a home', () => {
  test.each([
    '/o/bin/obproxy -N',
    '/o/bin/obproxyd.sh -c start',
    '/current/bin/obproxyd.sh -c start',
    'cd /o && ./bin/obproxyd.sh -c start >/dev/null 2>&1 &',
    'cd /o/bin; nohup ./obproxy -N &',
    'su - admin -c "cd /o; ./bin/obproxyd.sh -c start -n a"',
    'runuser -u admin -- /o/bin/obproxy',
    'sudo -u admin env A=1 /o/bin/obproxy',
    'timeout 60 bash -x /o/bin/obproxyd.sh -c start',
    'flock -n /tmp/lock /o/bin/obproxyd.sh -c start',
    'if [ -x /o/bin/obproxy ]; then exec /o/bin/obproxy; fi',
    '[ -f /o/off ] || OBPROXY_ROOT=/o /o/bin/obproxyd.sh -c start',
    'start-stop-daemon --start --exec /o/bin/obproxy',
  ])('%s', line => {
    expect(read(line)).toBe('yes')
  })

  test('has what lines before it have set', () => {
    const commands = new Commands(pathsUnder(root), '/o')
    const lines = ['HERE=/o', 'export THERE=$HERE/bin', 'cd $HERE']
    expect(lines.map(line => commands.read(line))).toEqual(['no', 'no', 'no'])
    expect(commands.read('"$THERE/obproxyd.sh" -c start')).toBe('yes')
    expect(commands.read('./bin/obproxy')).toBe('yes')
  })
})

describe('a command that does not', () => {
  test.each([
    'find /o/log -name "obproxy.log*" -delete',
    'chmod +x /o/bin/obproxy',
    'sudo chown admin /o/bin/obproxyd.sh',
    'su - admin -c "tail -f /o/bin/obproxyd.sh"',
    '/o/bin/obproxyd.sh -c stop',
    '/o/bin/obproxyd.sh -c status',
    '/o/bin/obproxy --version',
    '/other/bin/obproxy -N',
    'cd /other && ./bin/obproxyd.sh -c start',
    '/opt/exporter --of /o/bin/obproxy',
    'echo # /o/bin/obproxy',
    '',
  ])('%s', line => {
    expect(read(line)).toBe('no')
  })
})

test.each([
  './bin/obproxyd.sh -c start',
  'obproxy -N',
  '$HERE/bin/obproxy',
  'cd $A; ./bin/obproxy',
])('nobody can tell whose %s starts', line => {
  expect(read(line)).toBe('unclear')
})
