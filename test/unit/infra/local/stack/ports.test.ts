import { createServer } from 'node:net'
import { expect, test } from 'vitest'
import { requireFreePorts } from '../../../../../infra/local/stack/ports.ts'
import { stackSettings } from '../../../../../infra/local/stack/settings.ts'

const settings = stackSettings({ OBFLEET_STACK: '77', OBFLEET_HOME: '/h' })

test('a port that is taken is named before anything starts, with the way out', async () => {
  await requireFreePorts(settings)
  const { host, port } = settings.api
  const squatter = createServer()
  await new Promise<void>(done => squatter.listen(port, host, done))
  await expect(requireFreePorts(settings)).rejects.toThrow(
    /^127\.87\.3\.1:8787, for the API, is in use; .*OBFLEET_STACK.*OBFLEET_HOME/,
  )
  await new Promise(done => squatter.close(done))
})
