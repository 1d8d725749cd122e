/** The cases of `connector_cases.py` and a part of what each must see. */
import type { ScriptCase } from './outcome.ts'

const RESET = [['demo@%', 'case_path', null]]

/** Of both implementations of the protocol: the C library's and the Python one. */
const BOTH: readonly ScriptCase[] = [
  {
    name: 'logins',
    sees: {
      'default plugin': [['demo@%', 'case_path']],
      native: [['demo@%', 'case_path']],
      'wrong password': ['ProgrammingError', 1045, '42000'],
    },
  },
  { name: 'prepared', sees: { again: [[1], [3]] } },
  { name: 'many_statements', sees: [[[[0, 1]], [[1, 2]]]] },
  { name: 'row_by_row', sees: [[[5, 'word 5']], [[1]]] },
  { name: 'change_user', sees: [[['second@%', 'case_path', null]], false, true] },
  { name: 'resets', sees: [true, RESET, false, true, [['demo@%', 'case_path', 'new', '+02:00']]] },
  { name: 'pools', sees: ['PoolError', RESET, [[1]]] },
  { name: 'several', sees: [] },
  {
    name: 'procedures',
    sees: [
      [7, 14, 12],
      [[[7]], [[8, 'x']]],
    ],
  },
  { name: 'files', sees: { rows: [3, 0], empty: [0, 0], many: [3000, 0] } },
]

export const CONNECTOR_CASES: readonly ScriptCase[] = [
  ...BOTH,
  { name: 'compression', sees: [[1, 100_000]] },
  { name: 'values', sees: { again: [[1], [3]] } },
  {
    name: 'big_statements',
    isHeavy: true,
    sees: {
      '16 MB - 1': [[16_777_197]],
      '17 MB': ['OperationalError', 1153, '08S01'],
      '17 MB, after': null,
      'prepared 15000000': [[15_000_000, 15_000_000]],
    },
  },
  { name: 'large_result', isHeavy: true, sees: { rows: 1000, bytes: 65_536_000, ordered: true } },
  { name: 'errors', sees: { 'SELEKT 1': ['ProgrammingError', 1064, '42000'] } },
  {
    name: 'cancels',
    sees: {
      seen: true,
      'killed query': ['DatabaseError', 1317, '70100'],
      closed: true,
      gone: true,
    },
  },
  { name: 'transactions', sees: { counts: [1, 0, 1, 0, 2] } },
  { name: 'identity', sees: { 'same id': true, listed: [['demo', 'case_path', 'Query']] } },
  { name: 'character_sets', sees: { gbk: [[["中文'\\", 'D6D0CEC4275C']]] } },
  { name: 'databases', sees: [[['case_path']], [[['oceanbase']], 'oceanbase']] },
]

export const CONNECTOR_PURE_CASES: readonly ScriptCase[] = [
  ...BOTH,
  { name: 'long_data', sees: [[1]] },
  // It compresses whatever the greeting offers, and the kernel takes that from direct clients.
  {
    name: 'compression',
    sees: [[1, 100_000]],
    through: [
      'OperationalError',
      1043,
      '08S01',
      'Bad handshake: compression was asked for and not offered',
    ],
  },
]
