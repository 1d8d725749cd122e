#!/usr/bin/env bun
/** `bun test/bench/pruning.mjs`: nanoseconds to find the partition of `k = …`. Not part of CI. */
import { readExpression } from '../../proxy-node/sql/expression-reader.ts'
import { Expressions } from '../../proxy-node/sql/expressions.ts'
import { Pruner } from '../../proxy-node/topology/partition/pruner.ts'
import { named, SESSION, sampleTable } from '../unit/proxy-node/topology/partition/sample-tables.ts'

const ROUNDS = 2_000_000
const INT = [{ name: 'k', type: 5 }]
const text = collation => [{ name: 'k', type: 22, collation, length: 64 }]
const bound = number => `0105053F00${number < 128 ? number.toString(16).padStart(2, '0') : ''}`

const CASES = [
  ['HASH int', { type: 0, expr: 'k', keys: INT, partitions: named('p', 16) }, 'k = 12345'],
  ['KEY int', { type: 1, expr: 'k', keys: INT, partitions: named('p', 16) }, 'k = 12345'],
  [
    'RANGE int',
    {
      type: 3,
      expr: 'k',
      keys: INT,
      partitions: [
        ...[1, 10, 20, 50, 100].map(at => [`p${at}`, bound(at)]),
        ['max', '0119070000FEFFFFFFFFFFFFFFFF01'],
      ],
    },
    'k = 12345',
  ],
  [
    'KEY general_ci',
    { type: 1, expr: 'k', keys: text(45), partitions: named('p', 16) },
    "k = 'customer-12345'",
  ],
  [
    'KEY bin',
    { type: 1, expr: 'k', keys: text(46), partitions: named('p', 16) },
    "k = 'customer-12345'",
  ],
  [
    'KEY unicode_ci',
    { type: 1, expr: 'k', keys: text(224), partitions: named('p', 16) },
    "k = 'customer-12345'",
  ],
  [
    'HASH int, IN of 3',
    { type: 0, expr: 'k', keys: INT, partitions: named('p', 16) },
    'k in (1, 17, 33)',
  ],
]

for (const [name, sample, predicate] of CASES) {
  const table = sampleTable(sample)
  const expressions = new Expressions()
  const bytes = Buffer.from(predicate)
  expressions.clear(bytes)
  const root = readExpression(expressions, { from: 0, to: bytes.length }, table.columns)
  const pruner = new Pruner()
  const rounds = name.includes('IN') ? ROUNDS / 20 : ROUNDS
  for (let round = 0; round < rounds / 4; round++) pruner.prune(table, expressions, root, SESSION)
  const begun = performance.now()
  for (let round = 0; round < rounds; round++) pruner.prune(table, expressions, root, SESSION)
  const took = performance.now() - begun
  console.log(`${name}: ${((took * 1e6) / rounds).toFixed(0)} ns`)
}
