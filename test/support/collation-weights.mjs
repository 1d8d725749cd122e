#!/usr/bin/env -S npx tsx
/**
 * `npx tsx test/support/collation-weights.mjs`: asks the real kernel for the weights of its collations and
 * writes them to `proxy-node/topology/partition/weights/`. Run once for each new collation; a test pins
 * what it wrote by checksum.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { deflateRawSync } from 'node:zlib'
import { createConnection } from 'mysql2/promise'
import { installKernel, startKernel } from '../../infra/local/kernel.ts'
import {
  collationRanges,
  writeImplied,
} from '../../proxy-node/topology/partition/implied-weights.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const FOLDER = join(ROOT, 'proxy-node/topology/partition/weights')
const COLLATIONS = [
  ['general', 'utf8mb4_general_ci'],
  ['unicode', 'utf8mb4_unicode_ci'],
  ['unicode520', 'utf8mb4_unicode_520_ci'],
  ['uca900', 'utf8mb4_0900_ai_ci'],
]
const ROWS_A_STATEMENT = 4000

function codePoints() {
  const all = []
  for (const [from, to] of collationRanges)
    for (let point = from; point <= to; point++)
      if (point < 0xd800 || point > 0xdfff) all.push(point)
  return all
}

function row(point) {
  return `(${point}, _utf8mb4 0x${Buffer.from(String.fromCodePoint(point)).toString('hex')})`
}

function weightsOf(hex) {
  const weights = []
  for (let at = 0; at < hex.length; at += 4)
    weights.push(Number.parseInt(hex.slice(at, at + 4), 16))
  return weights
}

function impliedWeights(name, point) {
  const weights = new Int32Array(2)
  return weights.slice(0, writeImplied(name, point, weights, 0))
}

/** A length for each code point, 255 for what the rule gives; then the weights, each less the one before. */
function packed(name, rows) {
  const lengths = []
  const high = []
  const low = []
  let before = 0
  const known = new Map(rows.map(([point, hex]) => [point, weightsOf(hex ?? '')]))
  for (const [from, to] of collationRanges)
    for (let point = from; point <= to; point++) {
      const weights = known.get(point)
      const isImplied =
        weights === undefined || String(weights) === String(impliedWeights(name, point))
      lengths.push(isImplied ? 255 : weights.length)
      for (const weight of isImplied ? [] : weights) {
        const step = (weight - before) & 0xffff
        high.push(step >> 8)
        low.push(step & 0xff)
        before = weight
      }
    }
  return deflateRawSync(Uint8Array.from([...lengths, ...high, ...low]), { level: 9 })
}

const python = await installKernel(join(ROOT, '.obfleet/kernel'), () => {})
const folder = mkdtempSync(join(tmpdir(), 'obfleet-weights-'))
const kernel = await startKernel(python, folder)
const { user, password, database } = kernel.accounts
const at = { host: '127.0.0.1', port: kernel.port, user, password, database }
const connection = await createConnection({ ...at, charset: 'utf8mb4', rowsAsArray: true })
await connection.query('CREATE TABLE points (point INT PRIMARY KEY, c VARCHAR(4))')
const points = codePoints()
for (let from = 0; from < points.length; from += ROWS_A_STATEMENT) {
  const rows = points.slice(from, from + ROWS_A_STATEMENT).map(row)
  await connection.query(`INSERT INTO points VALUES ${rows.join(', ')}`)
}
for (const [name, collation] of COLLATIONS) {
  const [rows] = await connection.query(
    `SELECT point, HEX(WEIGHT_STRING(c COLLATE ${collation})) FROM points ORDER BY point`,
  )
  const bytes = packed(name, rows)
  const text = [
    `/** Weights of ${collation} as the kernel gives them, by test/support/collation-weights.mjs; read by weights.ts. */`,
    `export const ${name.toUpperCase()} =`,
    `  '${bytes.toString('base64')}'`,
    '',
  ]
  writeFileSync(join(FOLDER, `${name}.ts`), text.join('\n'))
  process.stdout.write(`${collation}: ${bytes.length} bytes\n`)
}
await connection.end()
await kernel.stop()
rmSync(folder, { recursive: true, force: true })
