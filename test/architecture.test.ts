/** The import matrix of the code base (who may import whom), checked on every source file. */
import { readdirSync, readFileSync } from 'node:fs'
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
  'proxy-node/routing': ['base', 'contract', 'sql', 'topology'].map(node),
  'proxy-node/backend': ['base', 'contract', 'wire', 'sql', 'auth', 'topology', 'net'].map(node),
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
  'proxy-node/config': ['base', 'contract', 'sql', 'auth'].map(node),
  'proxy-node/admin': [
    'base',
    'contract',
    'wire',
    'sql',
    'auth',
    'topology',
    'routing',
    'config',
    'net',
  ].map(node),
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
  'functions/config-service': ['functions/domain', 'proxy-node/contract'],
  'functions/middleware': ['functions/domain', 'proxy-node/contract'],
  'functions/routes': ['functions/domain', 'functions/middleware', 'proxy-node/contract'],
  'functions/app': ['functions/routes', 'functions/middleware', 'functions/domain'],
  'functions/config-lambda': ['functions/config-service', 'functions/deps'],
  'functions/jobs': ['functions/domain', 'functions/operations', 'proxy-node/contract'],
  'functions/deps': [
    'functions/store',
    'functions/remote',
    'functions/operations',
    'functions/plane',
    'functions/config-service',
    'functions/domain',
    'proxy-node/contract',
  ],
  'infra/documents': ['proxy-node/contract'],
  'infra/local/files': [],
  'infra/local/sigv4': [],
  'infra/local/listening': [],
  'infra/local/front': ['infra/local/listening'],
  'infra/local/kernel': ['infra/local/front'],
  'infra/local/elb': ['infra/local/files', 'infra/local/listening', 'infra/local/sigv4'],
  'infra/local/balancer': ['infra/local/elb'],
  'infra/local/ssm': ['infra/local/files', 'infra/local/listening', 'infra/local/sigv4'],
  'infra/local/instance': ['infra/local/files', 'infra/local/ssm'],
  'infra/local/stack': [
    'infra/documents',
    'infra/local/files',
    'infra/local/instance',
    'infra/local/kernel',
    'proxy-node/contract',
  ],
  'infra/local/api': [
    'functions/app',
    'functions/deps',
    'functions/domain',
    'functions/jobs',
    'functions/store',
    'infra/local/sigv4',
  ],
  'infra/local/config-service': ['functions/config-service', 'functions/deps', 'infra/local/api'],
  'infra/local/init': ['infra/local/instance'],
  'infra/local/objects': ['infra/local/s3'],
  'infra/local/s3': ['infra/local/listening', 'infra/local/sigv4'],
  'infra/local/observers': ['infra/local/front', 'infra/local/kernel'],
  'infra/local/run-command': ['infra/local/ssm'],
  'infra/local/main': ['infra/local/files', 'infra/local/instance', 'infra/local/stack'],
}

/** The local init reads environment files as systemd does, and shares no code with the node. */
const FORMS_OF_TWO: ReadonlySet<string> = new Set([String.raw`/^(["'])(.*)\1$/`])

/** The reference that proxy-node is tried beside: one mistake must not be in both. */
const STAND_IN = 'test/support/reference-obproxy'

type Rule = {
  readonly rule: string
  readonly pattern: RegExp
  /** Each has to be in use. */
  readonly allowed: readonly RegExp[]
  /** Ways to break it that the pattern has to see. */
  readonly caught: readonly string[]
}

const ANYWHERE_BUT: readonly Rule[] = [
  {
    rule: 'sockets and Bun live in net (process spawning in process); the local stack runs on Node',
    pattern: imported('(?:bun|bun:ffi|node:net|node:tls)', /\bBun\./),
    allowed: [/^proxy-node\/net\//, /^proxy-node\/process\//, /^infra\/local\//],
    caught: [
      "import { connect } from 'node:net'",
      "const { connect } = await import('node:tls')",
      'Bun.listen({})',
      "import { dlopen } from 'bun:ffi'",
    ],
  },
  {
    rule: 'timers live in base/clock, the clock of functions in deps',
    pattern: imported(
      '(?:node:)?timers(?:\\/promises)?',
      /(?<![.\w])(?:setTimeout|setInterval|setImmediate)\b|\bBun\.sleep/,
    ),
    allowed: [/^proxy-node\/base\/clock\.ts$/, /^functions\/deps\.ts$/, /^infra\/local\//],
    caught: [
      'setTimeout(act, 1)',
      'const later = setInterval',
      "import { setTimeout as delay } from 'node:timers/promises'",
      "import { setTimeout as delay } from 'timers'",
      "const { scheduler } = await import('node:timers/promises')",
      'await Bun.sleep(1)',
      'Bun.sleepSync(1)',
    ],
  },
  {
    rule: 'the AWS SDK lives in store, remote, deps and control/{secrets,signing}; the local agent signs as the real one',
    pattern: imported("@(?:aws-sdk|aws-crypto|smithy)\\/[^']+"),
    allowed: [
      /^functions\/store\//,
      /^functions\/remote\//,
      /^functions\/deps\.ts$/,
      /^proxy-node\/control\/secrets\.ts$/,
      /^proxy-node\/control\/signing\.ts$/,
      /^infra\/local\/instance\/agent-client\.ts$/,
      /^infra\/local\/stack\/(?:document|stack|table)\.ts$/,
    ],
    caught: [
      "import { SSMClient } from '@aws-sdk/client-ssm'",
      "const { SSMClient } = await import('@aws-sdk/client-ssm')",
      "import { SignatureV4 } from '@smithy/signature-v4'",
      "import type { Sha256 } from '@aws-crypto/sha256-js'",
    ],
  },
]

/** Modules that are imported, statically or not, or what else `or` finds. */
function imported(modules: string, or?: RegExp): RegExp {
  const one = `(?:from|import)\\s*\\(?\\s*'${modules}'`
  return new RegExp(or === undefined ? one : `${one}|${or.source}`)
}

function node(layer: string): string {
  return `proxy-node/${layer}`
}

function sources(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true, recursive: true })
    .filter(entry => entry.isFile() && entry.name.endsWith('.ts'))
    .map(entry => relative(ROOT, join(entry.parentPath, entry.name)))
}

/** `functions/plane`, `functions/app`, `infra/local/ssm`. */
function layerOf(path: string): string {
  const depth = path.startsWith('infra/local/') ? 3 : 2
  return path.split('/').slice(0, depth).join('/').replace(/\.ts$/, '')
}

function importsOf(path: string): string[] {
  return [...textOf(path).matchAll(/(?<![.\w])(?:from|import)\s*\(?\s*'([^']+)'/g)].map(
    match => match[1] ?? '',
  )
}

function target(path: string, specifier: string): string | undefined {
  if (specifier.startsWith('#contract/')) return 'proxy-node/contract'
  if (!specifier.startsWith('.')) return undefined
  return layerOf(relative(ROOT, resolve(ROOT, dirname(path), specifier)))
}

const FILES = ['proxy-node', 'functions', 'infra'].flatMap(sources)

function textOf(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8')
}

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

  test('every layer of the matrix has files: none was renamed away from its rule', () => {
    const layers = new Set(FILES.map(layerOf))

    expect(Object.keys(MATRIX).filter(layer => !layers.has(layer))).toEqual([])
  })

  test.each(ANYWHERE_BUT)('$rule', ({ pattern, allowed }) => {
    const offenders = FILES.filter(
      path => !allowed.some(one => one.test(path)) && pattern.test(textOf(path)),
    )

    expect(offenders).toEqual([])
  })

  test.each(ANYWHERE_BUT)('the pattern sees what breaks it: $rule', ({ pattern, caught }) => {
    expect(caught.filter(line => !pattern.test(line))).toEqual([])
  })

  test.each(ANYWHERE_BUT)('what is excepted is there: $rule', ({ pattern, allowed }) => {
    const users = FILES.filter(path => pattern.test(textOf(path)))

    expect(allowed.filter(one => !users.some(path => one.test(path)))).toEqual([])
  })

  test('no form is written down twice', () => {
    const places = new Map<string, Set<string>>()
    for (const path of FILES)
      for (const [form] of textOf(path).matchAll(/\/\^(?:\\.|[^/\n\\]){12,}\$\//g))
        places.set(form, (places.get(form) ?? new Set()).add(path))

    const twice = [...places].filter(([form, paths]) => paths.size > 1 && !FORMS_OF_TWO.has(form))

    expect(twice).toEqual([])
  })

  test.each(sources(STAND_IN))(
    '%s shares no code: it imports its own folder and what the platform brings',
    path => {
      const isOwn = (specifier: string) =>
        /^(?:node|bun):/.test(specifier) || /^\.\/[\w-]+\.ts$/.test(specifier)

      expect(importsOf(path).filter(specifier => !isOwn(specifier))).toEqual([])
    },
  )

  test('no file re-exports another', () => {
    const offenders = FILES.filter(path =>
      /^export (type )?(\*|\{[^}]*\}) from/m.test(textOf(path)),
    )

    expect(offenders).toEqual([])
  })
})
