import { expect, test } from 'vitest'
import { Fault } from '#contract/fault'
import { QueryError } from '../../../../proxy-node/backend/query-client.ts'
import { isUnexpected, Unanswered } from '../../../../proxy-node/topology/unanswered.ts'

const bug = new TypeError('x is undefined')
const refused = Object.assign(new Error('connect'), { code: 'ECONNREFUSED', syscall: 'connect' })

test.each<[string, unknown, boolean]>([
  ['nobody answers', new Unanswered('late'), false],
  ['a server says no', new QueryError(1045, 'denied'), false],
  ['a fault of the catalogue', new Fault('metadata.late', { server: 'a', seconds: 1 }), false],
  ['a failure of the system', refused, false],
  ['nobody answers, because a server said no', new Unanswered('', { cause: refused }), false],
  ['nobody answers, because of a bug', new Unanswered('', { cause: bug }), true],
  ['a bug', bug, true],
  ['a bug, as a fault', new Fault('proxy.internal', {}, { cause: bug }), true],
  ['something else', 'thrown', true],
])('%s', (_name, error, expected) => {
  expect(isUnexpected(error)).toBe(expected)
})
