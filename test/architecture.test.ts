/** The import matrix of the code base (who may import whom), checked on every source file. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'

const ROOT = resolve(import.meta.dirname, '..')

/** Layer → layers it may import besides itself. */
const MATRIX: Record<string, readonly string[]> = {
  'proxy-node/base': [],
  'proxy-node/contract': [],
  'proxy-node/net': ['proxy-node/base'],
  'proxy-node/wire': ['proxy-node/base', 'proxy-node/contract'],
  'proxy-node/sql': ['proxy-node/base', 'proxy-node/contract'],
  'proxy-node/auth': ['base', 'contract', 'wire', 'sql'].map(node),
  'proxy-node/topology': ['base', 'contract', 'wire', 'sql', 'auth'].map(node),
  'proxy-node/routing': ['base', 'contract', 'wire', 'sql', 'auth', 'topology'].map(node),
  'proxy-node/backend': [
    'base',
    'contract',
    'wire',
    'sql',
    'auth',
    'topology',
    'routing',
    'net',
  ].map(node),
  'proxy-node/session': [
    'base',
    'contract',
    'wire',
    'sql',
    'auth',
    'topology',
    'routing',
    'backend',
    'net',
  ].map(node),
  'proxy-node/config': ['base', 'contract', 'auth'].map(node),
  'proxy-node/admin': ['base', 'contract', 'wire', 'sql', 'auth', 'topology', 'config', 'net'].map(
    node,
  ),
  'proxy-node/observe': ['base', 'contract', 'topology', 'config', 'net'].map(node),
  'proxy-node/process': [
    'base',
    'contract',
    'wire',
    'sql',
    'auth',
    'topology',
    'routing',
    'backend',
    'session',
    'net',
    'config',
    'admin',
    'observe',
  ].map(node),
  'proxy-node/control': ['base', 'contract', 'wire', 'auth', 'net', 'backend'].map(node),
  'proxy-node/main': ['base', 'contract', 'net', 'config', 'process', 'control', 'observe'].map(
    node,
  ),
  'functions/domain': ['proxy-node/contract'],
  'functions/store': ['functions/domain', 'proxy-node/contract'],
  'functions/remote': ['functions/domain', 'proxy-node/contract'],
  'functions/operations': ['functions/domain', 'proxy-node/contract'],
  'functions/plane': ['functions/domain', 'functions/operations', 'proxy-node/contract'],
  'functions/middleware': ['functions/domain', 'proxy-node/contract'],
  'functions/routes': ['functions/domain', 'functions/middleware', 'proxy-node/contract'],
  'functions/app': ['functions/routes', 'functions/middleware', 'functions/domain'],
  'functions/jobs': ['functions/domain', 'functions/operations', 'proxy-node/contract'],
  'functions/deps': [
    'functions/store',
    'functions/remote',
    'functions/operations',
    'functions/plane',
    'functions/domain',
    'proxy-node/contract',
  ],
}

const ANYWHERE_BUT: readonly {
  readonly pattern: RegExp
  readonly allowed: RegExp
  readonly rule: string
}[] = [
  {
    pattern: /from '(bun|bun:ffi|node:net|node:tls)'|\bBun\./,
    allowed: /^proxy-node\/(net|process)\//,
    rule: 'sockets and Bun live in net (process spawning in process)',
  },
  {
    pattern: /(?<![.\w])(setTimeout|setInterval)\(/,
    allowed: /^proxy-node\/base\/clock\.ts$/,
    rule: 'timers live in base/clock',
  },
  {
    pattern: /from '@aws-sdk\//,
    allowed: /^functions\/(store|remote|deps)|^proxy-node\/control\/secrets\.ts$/,
    rule: 'the AWS SDK lives in store, remote, deps and control/secrets',
  },
]

function node(layer: string): string {
  return `proxy-node/${layer}`
}

function sources(folder: string): string[] {
  if (!existsSync(join(ROOT, folder))) return []
  return readdirSync(join(ROOT, folder), { withFileTypes: true, recursive: true })
    .filter(entry => entry.isFile() && entry.name.endsWith('.ts'))
    .map(entry => relative(ROOT, join(entry.parentPath, entry.name)))
}

function layerOf(path: string): string {
  return path.split('/').slice(0, 2).join('/').replace(/\.ts$/, '')
}

function importsOf(path: string): string[] {
  const text = readFileSync(join(ROOT, path), 'utf8')
  return [...text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map(match => match[1] ?? '')
}

function target(path: string, specifier: string): string | undefined {
  if (specifier.startsWith('#contract/')) return 'proxy-node/contract'
  if (!specifier.startsWith('.')) return undefined
  return layerOf(relative(ROOT, resolve(ROOT, dirname(path), specifier)))
}

const FILES = [...sources('proxy-node'), ...sources('functions')]

describe('architecture', () => {
  test.each(FILES)('%s imports only what its layer may', path => {
    const layer = layerOf(path)
    const allowed = MATRIX[layer]
    expect(allowed, `layer ${layer} is in the matrix`).toBeDefined()

    const foreign = importsOf(path)
      .map(specifier => target(path, specifier))
      .filter(other => other !== undefined && other !== layer && !allowed?.includes(other))

    expect(foreign).toEqual([])
  })

  test.each(ANYWHERE_BUT)('$rule', ({ pattern, allowed }) => {
    const offenders = FILES.filter(
      path => !allowed.test(path) && pattern.test(readFileSync(join(ROOT, path), 'utf8')),
    )

    expect(offenders).toEqual([])
  })

  test('no file re-exports another', () => {
    const offenders = FILES.filter(path =>
      /^export (\*|\{[^}]*\}) from/m.test(readFileSync(join(ROOT, path), 'utf8')),
    )

    expect(offenders).toEqual([])
  })
})
