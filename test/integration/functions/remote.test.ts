/** The plane's clients of Systems Manager, on the local service and a real instance. */
import { CreateDocumentCommand, GetParameterCommand, type SSMClient } from '@aws-sdk/client-ssm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ssmHosts } from '../../../functions/remote/hosts.ts'
import { ssmRunCommand } from '../../../functions/remote/run-command.ts'
import { parameterStoreSecrets } from '../../../functions/remote/secrets.ts'
import { idOf, Region } from '../../support/instances.ts'
import { orderFor, runCommandContract } from '../../support/run-command-contract.ts'
import { until } from '../../support/until.ts'

const DOCUMENT = 'obfleet-node'
const region = new Region({ host: '127.15.9.1', port: 8102 }, 8)
const ssm = region.client()
const runCommand = ssmRunCommand(region.client(), ssm, DOCUMENT)
const away = ssmRunCommand(clientOf(1), clientOf(1), DOCUMENT)

function clientOf(port: number): SSMClient {
  return new Region({ host: '127.15.9.1', port }, 0).client()
}

beforeAll(async () => {
  await region.startEndpoint()
  await region.startInstance(1)
  // As a node answers: the entry of this instance, as a result.
  const answer =
    "printf %s \"{{ order }}\" | base64 -di 2>/dev/null | python3 -c \"import json,os,sys; o=json.load(sys.stdin); e=o['nodes'][os.environ['OBFLEET_INSTANCE_ID']]; print(json.dumps({'ok':True,'verb':o['verb'],**{k:e[k] for k in ('operationId','step','attempt')}},separators=(',',':')))\""
  await ssm.send(
    new CreateDocumentCommand({
      Name: DOCUMENT,
      DocumentType: 'Command',
      Content: JSON.stringify({
        schemaVersion: '2.2',
        parameters: { order: { type: 'String', allowedPattern: '^[A-Za-z0-9_-]{1,16384}$' } },
        mainSteps: [
          { action: 'aws:runShellScript', name: 'run', inputs: { runCommand: [answer] } },
        ],
      }),
    }),
  )
  await until('the instance is online', async () => (await runCommand.online([idOf(1)])).size === 1)
}, 60_000)

afterAll(() => region.stop(), 30_000)

describe('Run Command by the SDK', () => {
  runCommandContract(async () => ({
    runCommand,
    online: idOf(1),
    offline: idOf(2),
    now: Date.now,
  }))

  test('an order that the document does not take is refused for good', async () => {
    const outcome = await runCommand.send({ hostIds: [idOf(1)], order: 'a b', comment: 'c' })
    expect(outcome).toMatchObject({ kind: 'refused', isRetryable: false })
  })

  test('a service that is away: nobody knows whether it was accepted; reads say so with a code', async () => {
    const { order } = orderFor([idOf(1)], Date.now())
    const sent = await away.send({ hostIds: [idOf(1)], order, comment: 'c' })
    expect(sent.kind).toBe('unknown')
    const unavailable = { code: 'remote-unavailable' }
    await expect(away.online([idOf(1)])).rejects.toMatchObject(unavailable)
    await expect(away.results('x')).rejects.toMatchObject(unavailable)
    await expect(away.find('c', 0)).rejects.toMatchObject(unavailable)
  })

  test('more than fifty hosts are a mistake of ours', async () => {
    const hostIds = Array.from({ length: 51 }, (_none, index) => idOf(index + 1))
    await expect(runCommand.send({ hostIds, order: 'x', comment: 'c' })).rejects.toThrow(RangeError)
  })
})

test('hosts are the instances of the service, online or not', async () => {
  const hosts = ssmHosts(ssm)
  const { items } = await hosts.page(50)
  expect(items.map(({ id, pingStatus }) => [id, pingStatus])).toContainEqual([idOf(1), 'Online'])
  expect((await hosts.some([idOf(1), 'i-00000000000000099'])).map(({ id }) => id)).toEqual([
    idOf(1),
  ])
  await expect(ssmHosts(clientOf(1)).page(5)).rejects.toMatchObject({ code: 'remote-unavailable' })
})

test('hosts on several short pages are all found, by id and as online ones', async () => {
  const numbers = [3, 4, 5, 6, 7, 8]
  const ids = numbers.map(idOf)
  await Promise.all(numbers.map(number => region.ping(number)))
  await region.faults({ pageItems: 2 })
  try {
    const found = await ssmHosts(ssm).some(ids)
    const online = await runCommand.online(ids)

    expect(found.map(({ id }) => id)).toEqual(ids)
    expect([...online]).toEqual(ids)
  } finally {
    await region.faults({})
  }
})

test('a password is made, stored encrypted, replaced, removed, and never returned', async () => {
  const secrets = parameterStoreSecrets(ssm)
  const read = async () => {
    const { Parameter } = await ssm.send(
      new GetParameterCommand({ Name: '/obfleet/test/password', WithDecryption: true }),
    )
    return Parameter
  }
  expect(await secrets.generatePassword('/obfleet/test/password')).toBeUndefined()
  const first = await read()
  expect(first?.Type).toBe('SecureString')
  expect(first?.Value).toMatch(/^[A-Za-z0-9_-]{32}$/)
  await secrets.generatePassword('/obfleet/test/password')
  expect((await read())?.Value).not.toBe(first?.Value)
  await secrets.remove('/obfleet/test/password')
  await expect(read()).rejects.toMatchObject({ name: 'ParameterNotFound' })
  await expect(secrets.remove('/obfleet/test/password')).resolves.toBeUndefined()
})
