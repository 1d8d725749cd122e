import { describe, expect, test } from 'vitest'
import {
  expanded,
  parseEnvironmentFile,
  parseUnit,
  spanMs,
} from '../../../../../infra/local/instance/unit-file.ts'

describe('a unit file', () => {
  test('of a service', () => {
    const unit = parseUnit(
      'a.service',
      `# comment
[Unit]
Description=Anything
StartLimitIntervalSec=0
[Service]
Type=simple
WorkingDirectory=/home/a
PIDFile=/home/a/run/a.pid
Environment=A=1 "B=two words"
EnvironmentFile=-/etc/a.env
ExecStart=/bin/a -n 'x y' \\
  --last
Restart=always
RestartSec=200ms
KillMode=mixed
TimeoutStopSec=1min 30s
[Install]
WantedBy=multi-user.target
`,
    )
    expect(unit).toMatchObject({
      kind: 'service',
      execStart: [['/bin/a', '-n', 'x y', '--last']],
      restart: 'always',
      restartMs: 200,
      killMode: 'mixed',
      stopTimeoutMs: 90_000,
      environment: { A: '1', B: 'two words' },
      environmentFiles: ['-/etc/a.env'],
      workingDirectory: '/home/a',
      pidFile: '/home/a/run/a.pid',
      wantedBy: ['multi-user.target'],
      startLimit: { burst: 5, intervalMs: 0 },
    })
  })

  test('of a timer', () => {
    expect(
      parseUnit(
        'a.timer',
        '[Timer]\nOnBootSec=5\nOnUnitActiveSec=1min\n[Install]\nWantedBy=timers.target',
      ),
    ).toMatchObject({ kind: 'timer', onBootMs: 5_000, onActiveMs: 60_000, unit: undefined })
  })

  test('an empty assignment takes back those before it', () => {
    const text = '[Service]\nExecStart=/bin/a\nExecStart=\nExecStart=/bin/b'
    expect(parseUnit('a.service', text)).toMatchObject({ execStart: [['/bin/b']] })
  })

  test.each([
    ['[Service]\nType=forking\nExecStart=/a', 'Type=forking'],
    ['[Service]\nRestart=sometimes\nExecStart=/a', 'Restart=sometimes'],
    ['[Service]\nType=simple', 'ExecStart is missing'],
    ['nonsense', 'no assignment'],
    ['[Service]\nExecStart=/a\nRestartSec=soon', 'no time span'],
  ])('%j is refused', (text, why) => {
    expect(() => parseUnit('a.service', text)).toThrow(why)
  })
})

test.each([
  ['5', 5_000],
  ['200ms', 200],
  ['1min 30s', 90_000],
  ['2h', 7_200_000],
  ['0.5', 500],
  ['infinity', Number.POSITIVE_INFINITY],
])('%s is %d ms', (text, ms) => {
  expect(spanMs(text)).toBe(ms)
})

test('variables stand in words', () => {
  const env = { A: 'x y', B: '' }
  expect(expanded(`\${A}/b`, env)).toBe('x y/b')
  expect(expanded('$A', env)).toBe('x y')
  expect(expanded('a$A', env)).toBe('a$A')
  expect(expanded(`\${NONE}`, env)).toBe('')
})

test('an environment file', () => {
  expect(parseEnvironmentFile('# c\nA=1\nB="two words"\nC=a=b\n\nnothing\n')).toEqual({
    A: '1',
    B: 'two words',
    C: 'a=b',
  })
})
