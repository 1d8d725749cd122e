#!/usr/bin/env node
/**
 * `npm run dev`: checks the platform in plain JavaScript, so that an old Node or a missing install
 * gets one clear line, then runs the stack itself in this process.
 */
const major = Number(process.versions.node.split('.')[0])
if (major < 20) fail(`Node ${process.versions.node} is too old; install Node 20 or newer`)
if (process.platform !== 'linux') fail(`the local stack needs Linux, this is ${process.platform}`)

try {
  const { register } = await import('tsx/esm/api')
  register()
} catch {
  fail('packages are missing; run `npm ci` first')
}
// The SDK's word on Node versions to come says nothing about this stack.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true'
const { main } = await import('./main.ts')
process.exitCode = await main(process.argv.slice(2))

function fail(line) {
  process.stderr.write(`obfleet: ${line}\n`)
  process.exit(1)
}
