#!/usr/bin/env node
/**
 * `npm run build:node`: the node's one executable `dist/obproxy` and its package
 * `dist/obproxy-<version>-<build>.linux.<arch>.tar.gz`. Skipped when the sources have not changed.
 */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join, resolve } from 'node:path'

const ROOT = resolve(import.meta.dirname, '..')
const DIST = join(ROOT, 'dist')
const BUN = join(ROOT, 'node_modules/.bin/bun')
const EXECUTABLE = join(DIST, 'obproxy')

function sourceHash() {
  const hash = createHash('sha256').update(readFileSync(join(ROOT, 'package-lock.json')))
  const files = readdirSync(join(ROOT, 'proxy-node'), { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name))
    .sort()
  for (const file of files) hash.update(file.slice(ROOT.length)).update(readFileSync(file))
  return hash.digest('hex')
}

function fail(line) {
  process.stderr.write(`build:node: ${line}\n`)
  process.exit(1)
}

if (!existsSync(BUN)) fail('Bun is missing; run `npm ci` first')
const stamp = join(DIST, '.obproxy.sha256')
const hash = sourceHash()
if (existsSync(EXECUTABLE) && existsSync(stamp) && readFileSync(stamp, 'utf8') === hash) {
  process.stdout.write('dist/obproxy is up to date\n')
  process.exit(0)
}

process.stdout.write('building the node executable\n')
mkdirSync(DIST, { recursive: true })
// Of this process alone: two stacks may start at the same time.
const folder = join(DIST, `.build-${process.pid}`)
rmSync(folder, { recursive: true, force: true })
mkdirSync(join(folder, 'bin'), { recursive: true })
try {
  execFileSync(
    BUN,
    [
      'build',
      '--compile',
      '--minify-syntax',
      join(ROOT, 'proxy-node/main.ts'),
      '--outfile',
      join(folder, 'bin/obproxy'),
    ],
    { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] },
  )
} catch (error) {
  fail(`bun build failed: ${error.stderr?.toString().trim() || error.message}`)
}
const [, version, build] =
  /PROXY_VERSION = '([^']+)'[\s\S]*BUILD_NUMBER = '([^']+)'/.exec(
    readFileSync(join(ROOT, 'proxy-node/contract/version.ts'), 'utf8'),
  ) ?? fail('version.ts has no version')
const arch = process.arch === 'arm64' ? 'aarch64' : 'x86_64'
const name = `obproxy-${version}-${build}.linux.${arch}.tar.gz`
execFileSync('tar', [
  '-czf',
  join(folder, name),
  '--owner=0',
  '--group=0',
  '-C',
  folder,
  'bin/obproxy',
])
renameSync(join(folder, name), join(DIST, name))
renameSync(join(folder, 'bin/obproxy'), EXECUTABLE)
rmSync(folder, { recursive: true, force: true })
writeFileSync(stamp, hash)
process.stdout.write(`dist/obproxy and dist/${name}\n`)
