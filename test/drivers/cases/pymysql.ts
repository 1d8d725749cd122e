/** The cases of `pymysql_cases.py` and a part of what each must see. */
import type { ScriptCase } from './outcome.ts'

export const PYMYSQL_CASES: readonly ScriptCase[] = [
  {
    name: 'logins',
    sees: {
      native: [['demo@%', 'case_path']],
      sha2: [['demo@%', 'case_path']],
      'wrong password': ['OperationalError', 1045],
      'unknown database': ['OperationalError', 1049],
    },
  },
  { name: 'values', sees: { inserted: [1, 1, 1, 2], rows: [[1, '-9223372036854775808']] } },
  {
    name: 'big_statements',
    isHeavy: true,
    sees: {
      '16 MB - 1': [[16_777_197]],
      '16 MB': [[16_777_198]],
      '17 MB': ['OperationalError', 1153],
      '17 MB, after': null,
    },
  },
  { name: 'big_rows', isHeavy: true, sees: [[['1048576 characters, 9f821991']]] },
  {
    name: 'large_result',
    isHeavy: true,
    sees: { rows: 1000, bytes: 65_536_000, ordered: true, after: [[1]] },
  },
  {
    name: 'errors',
    sees: { 'SELEKT 1': ['ProgrammingError', 1064], 'USE nowhere': ['OperationalError', 1049] },
  },
  { name: 'warnings', sees: [[[1]], [['Warning', 1292]]] },
  {
    name: 'several',
    sees: [
      [
        [1, [[1]]],
        [1, [[2, 'x']]],
        [1, []],
      ],
      [[9]],
    ],
  },
  { name: 'procedures', sees: [[[[7]], [[8, 'x']]], [[7, 14, 12]]] },
  { name: 'files', sees: { rows: 3, empty: 0, many: 3000, off: ['OperationalError', 3948] } },
  {
    name: 'cancels',
    sees: {
      seen: true,
      'killed query': ['OperationalError', 1317],
      after: [[1]],
      'seen again': true,
      closed: true,
      gone: true,
    },
  },
  { name: 'transactions', sees: { counts: [1, 0, 0, 1, 0, 1, 2, 3], flags: [1, 1, 0, 2, true] } },
  { name: 'identity', sees: { 'same id': true, listed: [['demo', 'case_path', 'Query']] } },
  { name: 'character_sets', sees: { gbk: [[["中文誠'\\", 'D6D0CEC4D55C275C']]] } },
  { name: 'databases', sees: [[['case_path']], [['oceanbase']]] },
  { name: 'found_rows', sees: [[2, 0], [[2]]] },
]
