/** What vitest's JSON report of one suite comes to. A suite, or a file, in which nothing ran has failed. */

/** What of a failure's message the end of a run repeats, in characters. */
const TOLD = 600

/** @typedef {{ status: string, fullName: string, failureMessages?: string[] }} Result of one test */

/** @param {Result} result */
const told = result => (result.failureMessages?.[0] ?? '').slice(0, TOLD)

/** @param {Result} result */
function judged(result, total) {
  if (result.status === 'failed') total.failures.push(`${result.fullName}: ${told(result)}`)
  else if (result.status !== 'passed') total.reasons.push(result.fullName)
  else {
    total.passed += 1
    if (told(result) !== '') total.again.push(`${result.fullName}: ${told(result)}`)
  }
}

/**
 * @param {string} name of the suite
 * @param {{ testResults: { name: string, message?: string, assertionResults: Result[] }[] }} report
 */
export function counted(name, report) {
  const total = { passed: 0, failures: [], again: [], reasons: [] }
  for (const file of report.testResults) {
    if (file.assertionResults.length === 0)
      total.failures.push(`${file.name}: ${file.message || 'it has no tests'}`)
    for (const result of file.assertionResults) judged(result, total)
  }
  if (report.testResults.length === 0) total.failures.push(`suite ${name} has no tests`)
  return { ...total, failed: total.failures.length }
}
