/** The lint rules that keep layers and switches honest are on: files that break them are refused. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const ROOT = resolve(import.meta.dirname, '../..')
const SWITCH = `export function f(kind: 'a' | 'b'): number {
  switch (kind) {
    case 'a':
      return 1
  }
  return 0
}
`

const REFUSED: readonly (readonly [path: string, rule: string, text: string])[] = [
  ['proxy-node/base/a.ts', 'noRestrictedImports', uses('../wire/reader.ts')],
  ['proxy-node/contract/a.ts', 'noRestrictedImports', uses('../base/clock.ts')],
  ['proxy-node/net/a.ts', 'noRestrictedImports', uses('../wire/reader.ts')],
  ['proxy-node/wire/a.ts', 'noRestrictedImports', uses('node:net')],
  ['proxy-node/sql/a.ts', 'noRestrictedImports', uses('../net/node.ts')],
  ['proxy-node/topology/a.ts', 'noRestrictedImports', uses('../backend/metadata.ts')],
  ['proxy-node/session/a.ts', 'noRestrictedImports', uses('bun:ffi')],
  ['proxy-node/session/b.ts', 'noRestrictedImports', uses('@aws-sdk/client-ssm')],
  ['proxy-node/admin/a.ts', 'noRestrictedImports', uses('../process/worker.ts')],
  ['proxy-node/process/a.ts', 'noRestrictedImports', uses('../../functions/app.ts')],
  ['functions/domain/a.ts', 'noRestrictedImports', uses('../store/keys.ts')],
  ['functions/routes/a.ts', 'noRestrictedImports', uses('../plane/plane.ts')],
  ['functions/routes/b.ts', 'noRestrictedImports', uses('../../proxy-node/contract/names.ts')],
  ['functions/plane/a.ts', 'noRestrictedImports', uses('../store/keys.ts')],
  ['functions/operations/a.ts', 'noRestrictedImports', uses('@aws-sdk/client-ssm')],
  ['infra/local/a.ts', 'noRestrictedImports', uses('../../proxy-node/main.ts')],
  ['functions/plane/b.ts', 'useExhaustiveSwitchCases', SWITCH],
]

const ACCEPTED: readonly (readonly [path: string, text: string])[] = [
  ['proxy-node/net/c.ts', uses('../base/clock.ts')],
  ['proxy-node/control/c.ts', uses('@aws-sdk/client-ssm')],
  ['functions/routes/c.ts', uses('#contract/report')],
  ['functions/store/c.ts', uses('@aws-sdk/lib-dynamodb')],
]

function uses(module: string): string {
  return `import { one } from '${module}'\n\nexport const two = one\n`
}

let folder: string
let found: { category: string; location: { path: string | { file: string } } }[]

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'obfleet-lint-'))
  const {
    vcs: _vcs,
    $schema: _schema,
    ...config
  } = JSON.parse(readFileSync(join(ROOT, 'biome.json'), 'utf8'))
  writeFileSync(join(folder, 'biome.json'), JSON.stringify(config))
  for (const [path, , text] of [...REFUSED, ...ACCEPTED.map(([path, text]) => [path, '', text])]) {
    mkdirSync(dirname(join(folder, path ?? '')), { recursive: true })
    writeFileSync(join(folder, path ?? ''), text ?? '')
  }
  const { stdout } = spawnSync(
    join(ROOT, 'node_modules/.bin/biome'),
    ['lint', '--reporter=json', '--max-diagnostics=none', '.'],
    { cwd: folder, encoding: 'utf8' },
  )
  found = JSON.parse(stdout).diagnostics
}, 60_000)

afterAll(() => rmSync(folder, { recursive: true, force: true }))

function rulesAt(path: string): string[] {
  return found
    .filter(({ location }) => {
      const file = typeof location.path === 'string' ? location.path : location.path.file
      return file.endsWith(path)
    })
    .map(({ category }) => category.split('/').at(-1) ?? '')
}

describe('lint', () => {
  test.each(REFUSED)('refuses %s by %s', (path, rule) => {
    expect(rulesAt(path)).toContain(rule)
  })

  test.each(ACCEPTED)('lets %s be', path => {
    expect(rulesAt(path)).not.toContain('noRestrictedImports')
  })
})
