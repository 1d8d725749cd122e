/** What vitest's JSON report of one suite comes to. A suite, or a file, in which nothing ran has failed. */

/**
 * @param {string} name of the suite
 * @param {{ testResults: { name: string, message?: string, assertionResults: { status: string, fullName: string }[] }[] }} report
 */
export function counted(name, report) {
  const total = { passed: 0, failures: [], failed: 0, reasons: [] }
  for (const file of report.testResults) {
    if (file.assertionResults.length === 0)
      total.failures.push(`${file.name}: ${file.message || 'it has no tests'}`)
    for (const result of file.assertionResults) {
      if (result.status === 'passed') total.passed += 1
      else if (result.status === 'failed') total.failed += 1
      else total.reasons.push(result.fullName)
    }
  }
  if (report.testResults.length === 0) total.failures.push(`suite ${name} has no tests`)
  return { ...total, failed: total.failed + total.failures.length }
}
