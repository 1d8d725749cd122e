/** The local Run Command against the unmodified SDK, with instances that really execute (ssm-run-command.md §2-§6, §9). */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { join } from 'node:path'
import {
  CancelCommandCommand,
  CreateDocumentCommand,
  DescribeDocumentCommand,
  DescribeInstanceInformationCommand,
  GetCommandInvocationCommand,
  GetParameterCommand,
  GetParametersCommand,
  ListCommandInvocationsCommand,
  ListCommandsCommand,
  ListDocumentsCommand,
  PutParameterCommand,
  paginateListCommands,
  SendCommandCommand,
  type SendCommandCommandInput,
  UpdateDocumentCommand,
  UpdateDocumentDefaultVersionCommand,
  waitUntilCommandExecuted,
} from '@aws-sdk/client-ssm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { nodeDocument } from '../../../../infra/documents.ts'
import { isAlive } from '../../../../infra/local/instance/processes.ts'
import { idOf, keysOf, Region } from '../../../support/instances.ts'
import { until } from '../../../support/until.ts'

const EVENTS = { host: '127.15.6.1', port: 8102 }
const region = new Region({ host: '127.15.6.1', port: 8101 }, 3, {
  events: { url: `http://${EVENTS.host}:${EVENTS.port}/events`, token: 'event token' },
})
const ssm = region.client()
const events: { 'detail-type': string; detail: Record<string, string> }[] = []
let receiver: Server

beforeAll(async () => {
  receiver = createServer((request, response) => {
    let text = ''
    request.on('data', part => (text += part))
    request.on('end', () => {
      if (request.headers.authorization === 'Bearer event token') events.push(JSON.parse(text))
      response.end()
    })
  })
  await new Promise<void>(done => receiver.listen(EVENTS.port, EVENTS.host, done))
  await region.startEndpoint()
  await Promise.all([region.startInstance(1), region.startInstance(2)])
  await document('shell', ['{{ script }}'], { script: { type: 'String' } })
  await until('two instances are online', async () => (await online()).length === 2)
}, 60_000)

afterAll(async () => {
  receiver.closeAllConnections()
  receiver.close()
  await region.stop()
}, 30_000)

async function online(): Promise<string[]> {
  const { InstanceInformationList: list = [] } = await ssm.send(
    new DescribeInstanceInformationCommand({}),
  )
  return list.filter(each => each.PingStatus === 'Online').map(each => each.InstanceId ?? '')
}

async function document(
  name: string,
  runCommand: string[],
  parameters: object = {},
  inputs: object = {},
): Promise<void> {
  const step = { action: 'aws:runShellScript', name: 'run', inputs: { runCommand, ...inputs } }
  const content = { schemaVersion: '2.2', parameters, mainSteps: [step] }
  await ssm.send(
    new CreateDocumentCommand({
      Name: name,
      DocumentType: 'Command',
      Content: JSON.stringify(content),
    }),
  )
}

async function send(input: Partial<SendCommandCommandInput>): Promise<string> {
  const { Command } = await ssm.send(
    new SendCommandCommand({ DocumentName: 'shell', InstanceIds: [idOf(1)], ...input }),
  )
  return Command?.CommandId ?? ''
}

const script = (...lines: string[]) => ({ Parameters: { script: [lines.join('\n')] } })

async function ended(id: string, instanceId = idOf(1)) {
  const get = () =>
    ssm.send(new GetCommandInvocationCommand({ CommandId: id, InstanceId: instanceId }))
  await until(`${id} ended`, async () => {
    const { Status } = await get()
    return !['Pending', 'InProgress', 'Delayed', 'Cancelling'].includes(Status ?? '')
  })
  return await get()
}

describe('a command', () => {
  test('runs as root of the instance, in an environment of its own, and is answered', async () => {
    const id = await send(script('echo "hello $SSM_COMMAND_ID $OBFLEET_INSTANCE_ID"', 'pwd'))
    const answer = await ended(id)
    expect(answer).toMatchObject({ Status: 'Success', StatusDetails: 'Success', ResponseCode: 0 })
    expect(answer.StandardOutputContent).toBe(`hello ${id} ${idOf(1)}\n/\n`)
    expect(answer.ExecutionStartDateTime).toMatch(/^20\d\d-/)
  })

  test('is Pending in the first answer and found by its comment', async () => {
    const { Command } = await ssm.send(
      new SendCommandCommand({
        DocumentName: 'shell',
        InstanceIds: [idOf(1)],
        Comment: 'op_17',
        ...script('true'),
      }),
    )
    expect(Command).toMatchObject({ Status: 'Pending', TargetCount: 1, Comment: 'op_17' })
    expect(Command?.RequestedDateTime).toBeInstanceOf(Date)
    const { Commands = [] } = await ssm.send(new ListCommandsCommand({}))
    expect(Commands.find(each => each.Comment === 'op_17')?.CommandId).toBe(Command?.CommandId)
    await waitUntilCommandExecuted(
      { client: ssm, maxWaitTime: 20, minDelay: 1, maxDelay: 1 },
      { CommandId: Command?.CommandId, InstanceId: idOf(1) },
    )
  })

  test.each([
    ['exit 3', 'Failed', 3, 'failed to run commands: exit status 3'],
    ['exit 168', 'Success', 168, ''],
    ['exit 169', 'Failed', 169, 'failed to run commands: exit status 169'],
    ['kill -9 $$', 'TimedOut', 137, 'Killed\n'],
    ['echo wrong >&2; exit 1', 'Failed', 1, 'wrong\nfailed to run commands: exit status 1'],
  ])('%s → %s', async (line, status, code, stderr) => {
    const answer = await ended(await send(script(line)))
    expect(answer).toMatchObject({ Status: status, ResponseCode: code })
    expect(answer.StandardErrorContent).toBe(stderr)
  })

  test('of two nodes is listed with details, and ended together', async () => {
    const id = await send({
      ...script('echo from $OBFLEET_INSTANCE_ID'),
      InstanceIds: [idOf(1), idOf(2)],
    })
    await Promise.all([ended(id, idOf(1)), ended(id, idOf(2))])
    const { CommandInvocations: list = [] } = await ssm.send(
      new ListCommandInvocationsCommand({ CommandId: id, Details: true }),
    )
    expect(list.map(each => [each.InstanceId, each.CommandPlugins?.[0]?.Output]).sort()).toEqual([
      [idOf(1), `from ${idOf(1)}\n`],
      [idOf(2), `from ${idOf(2)}\n`],
    ])
    const { Commands = [] } = await ssm.send(new ListCommandsCommand({ CommandId: id }))
    expect(Commands[0]).toMatchObject({ Status: 'Success', CompletedCount: 2, ErrorCount: 0 })
  })

  test('by tag goes to all that have it; a tag that matches nothing is not an error', async () => {
    const all = await send({
      ...script('true'),
      InstanceIds: undefined,
      Targets: [{ Key: 'tag:number', Values: ['2', '9'] }],
    })
    expect((await ended(all, idOf(2))).Status).toBe('Success')
    const none = await send({
      ...script('true'),
      InstanceIds: undefined,
      Targets: [{ Key: 'tag:no', Values: ['x'] }],
    })
    const { Commands = [] } = await ssm.send(new ListCommandsCommand({ CommandId: none }))
    expect(Commands[0]?.StatusDetails).toBe('No Instances In Tag')
  })

  test('too much output is cut in bytes at the real limits', async () => {
    const answer = await ended(
      await send(
        script('head -c 30000 /dev/zero | tr "\\0" a', 'head -c 30000 /dev/zero | tr "\\0" b >&2'),
      ),
    )
    expect(answer.StandardOutputContent).toHaveLength(24_000)
    expect(answer.StandardErrorContent).toHaveLength(8_000)
    expect(answer.StandardOutputContent?.endsWith('--output truncated--')).toBe(true)
  })

  test('past its time is killed with its group, earlier output kept', async () => {
    await document('slow', ['echo begun', 'sleep 60 & wait'], {}, { timeoutSeconds: '5' })
    const answer = await ended(await send({ DocumentName: 'slow' }))
    expect(answer).toMatchObject({ StatusDetails: 'Execution Timed Out', ResponseCode: 137 })
    expect(answer.StandardOutputContent).toBe('begun\n')
  }, 30_000)

  test('cancelled while it runs is killed', async () => {
    const file = join(region.folder, 'running')
    const id = await send(script(`touch ${file}`, 'sleep 60'))
    await until('the script runs', () => existsSync(file))
    await ssm.send(new CancelCommandCommand({ CommandId: id }))
    expect(await ended(id)).toMatchObject({ Status: 'Cancelled', ResponseCode: 137 })
  })

  test('MaxErrors ends what was not sent', async () => {
    const id = await send({
      ...script('exit 1'),
      InstanceIds: [idOf(1), idOf(2)],
      MaxConcurrency: '1',
      MaxErrors: '0',
    })
    const both = await Promise.all([ended(id, idOf(1)), ended(id, idOf(2))])
    expect(both.map(each => each.StatusDetails).sort()).toEqual(['Failed', 'Terminated'])
  })

  test('status changes come as events', async () => {
    const id = await send(script('true'))
    await ended(id)
    const mine = () => events.filter(event => event.detail['command-id'] === id)
    await until('the last event', () =>
      mine().some(
        event =>
          event['detail-type'] === 'EC2 Command Invocation Status-change Notification' &&
          event.detail['status'] === 'Success',
      ),
    )
    expect(mine().some(event => event.detail['status'] === 'InProgress')).toBe(true)
  })
})

describe('refused', () => {
  const refused = async (input: Partial<SendCommandCommandInput>) =>
    await send(input).then(
      () => 'accepted',
      (error: Error) => error.name,
    )

  test.each([
    [{ TimeoutSeconds: 1 }, 'ValidationException'],
    [{ InstanceIds: ['nonsense'] }, 'ValidationException'],
    [{ InstanceIds: [] }, 'ValidationException'],
    [{ InstanceIds: [idOf(1), idOf(1)] }, 'DuplicateInstanceId'],
    [{ InstanceIds: [idOf(3)] }, 'InvalidInstanceId'],
    [{ InstanceIds: [idOf(77)] }, 'InvalidInstanceId'],
    [{ InstanceIds: Array.from({ length: 51 }, (_n, i) => idOf(i + 1)) }, 'ValidationException'],
    [{ DocumentName: 'unknown' }, 'InvalidDocument'],
    [{ DocumentVersion: '7' }, 'InvalidDocumentVersion'],
    [{ Parameters: {} }, 'InvalidParameters'],
    [{ Parameters: { script: ['a'], other: ['b'] } }, 'InvalidParameters'],
    [{ Parameters: { script: ['a', 'b'] } }, 'InvalidParameters'],
    [{ MaxConcurrency: '0' }, 'ValidationException'],
    [{ MaxErrors: '101%' }, 'ValidationException'],
    [{ Comment: 'x'.repeat(101) }, 'ValidationException'],
  ])('%j → %s', async (input, name) => {
    expect(await refused({ ...script('true'), ...input })).toBe(name)
  })

  test('reads of what is not there', async () => {
    const none = '00000000-0000-4000-8000-000000000000'
    await expect(
      ssm.send(new GetCommandInvocationCommand({ CommandId: none, InstanceId: idOf(1) })),
    ).rejects.toMatchObject({ name: 'InvalidCommandId' })
    const id = await send(script('true'))
    await expect(
      ssm.send(new GetCommandInvocationCommand({ CommandId: id, InstanceId: idOf(2) })),
    ).rejects.toMatchObject({ name: 'InvocationDoesNotExist' })
  })

  test('strangers, wrong secrets, and instances that want more than their own', async () => {
    const as = (keys: { accessKeyId: string; secretAccessKey: string }) =>
      region
        .client(keys)
        .send(new ListCommandsCommand({}))
        .then(
          () => 'answered',
          (error: Error) => error.name,
        )
    expect(await as({ accessKeyId: 'AKIASTRANGER', secretAccessKey: 'x' })).toBe(
      'UnrecognizedClientException',
    )
    expect(await as({ ...keysOf(1), secretAccessKey: 'x' })).toBe('InvalidSignatureException')
    expect(await as(keysOf(1))).toBe('AccessDeniedException')
  })

  test('an order that could end the word it stands in', async () => {
    await ssm.send(
      new CreateDocumentCommand({
        Name: 'obfleet-node',
        DocumentType: 'Command',
        Content: JSON.stringify(nodeDocument),
      }),
    )
    for (const order of ["a'; rm -rf /; '", '', 'a b', 'ü', 'a'.repeat(16_385)])
      expect(await refused({ DocumentName: 'obfleet-node', Parameters: { order: [order] } })).toBe(
        'InvalidParameters',
      )
  })
})

describe('lists', () => {
  test('are paged to the end, and a strange token is refused', async () => {
    for (let index = 0; index < 7; index++) await send(script('true'))
    const ids = new Set<string>()
    let pages = 0
    for await (const page of paginateListCommands({ client: ssm, pageSize: 3 }, {})) {
      pages += 1
      for (const each of page.Commands ?? []) ids.add(each.CommandId ?? '')
    }
    expect(pages).toBeGreaterThan(2)
    expect(ids.size).toBeGreaterThan(6)
    await expect(ssm.send(new ListCommandsCommand({ NextToken: 'strange' }))).rejects.toMatchObject(
      { name: 'InvalidNextToken' },
    )
  })

  test('of documents, with versions and defaults', async () => {
    await document('versions', ['echo one'])
    const two = {
      schemaVersion: '2.2',
      mainSteps: [
        { action: 'aws:runShellScript', name: 'run', inputs: { runCommand: ['echo two'] } },
      ],
    }
    await ssm.send(
      new UpdateDocumentCommand({
        Name: 'versions',
        Content: JSON.stringify(two),
        DocumentVersion: '$LATEST',
      }),
    )
    expect((await ended(await send({ DocumentName: 'versions' }))).StandardOutputContent).toBe(
      'one\n',
    )
    await ssm.send(
      new UpdateDocumentDefaultVersionCommand({ Name: 'versions', DocumentVersion: '2' }),
    )
    expect((await ended(await send({ DocumentName: 'versions' }))).StandardOutputContent).toBe(
      'two\n',
    )
    const { Document } = await ssm.send(new DescribeDocumentCommand({ Name: 'versions' }))
    expect(Document).toMatchObject({ DefaultVersion: '2', LatestVersion: '2' })
    const { DocumentIdentifiers = [] } = await ssm.send(new ListDocumentsCommand({}))
    expect(DocumentIdentifiers.map(each => each.Name)).toContain('versions')
  })
})

describe('Parameter Store', () => {
  test('keeps a secret encrypted and gives it to an instance', async () => {
    const put = { Name: '/obfleet/x', Value: 'top secret', Type: 'SecureString' as const }
    expect((await ssm.send(new PutParameterCommand(put))).Version).toBe(1)
    await expect(ssm.send(new PutParameterCommand(put))).rejects.toMatchObject({
      name: 'ParameterAlreadyExists',
    })
    await ssm.send(new PutParameterCommand({ ...put, Value: 'newer', Overwrite: true }))
    const instance = region.client(keysOf(1))
    const get = (WithDecryption: boolean) =>
      instance.send(new GetParameterCommand({ Name: '/obfleet/x', WithDecryption }))
    expect((await get(true)).Parameter).toMatchObject({ Value: 'newer', Version: 2 })
    expect((await get(false)).Parameter?.Value).not.toContain('newer')
    const stored = readFileSync(join(region.settings.folder, 'parameters.json'), 'utf8')
    expect(stored).not.toContain('newer')
    const many = await ssm.send(new GetParametersCommand({ Names: ['/obfleet/x', '/none'] }))
    expect(many.InvalidParameters).toEqual(['/none'])
  })

  test('does not know what is not there', async () => {
    await expect(ssm.send(new GetParameterCommand({ Name: '/none' }))).rejects.toMatchObject({
      name: 'ParameterNotFound',
    })
  })
})

describe('killed', () => {
  test('the endpoint in the middle of a command: nothing is lost', async () => {
    const file = join(region.folder, 'go')
    const id = await send(
      script('echo begun', `while [ ! -e ${file} ]; do sleep 0.05; done`, 'echo done'),
    )
    await until('it runs', async () => {
      const { CommandInvocations: [first] = [] } = await ssm.send(
        new ListCommandInvocationsCommand({ CommandId: id }),
      )
      return first?.Status === 'InProgress'
    })
    await region.kill('endpoint')
    writeFileSync(file, '')
    await region.startEndpoint()
    expect(await ended(id)).toMatchObject({
      Status: 'Success',
      StandardOutputContent: 'begun\ndone\n',
    })
    await until('both are online again', async () => (await online()).length === 2)
  }, 30_000)

  test('an instance in the middle of a command: it is reported failed at the next boot, not run again', async () => {
    const file = join(region.folder, 'times')
    const id = await send(script(`echo x >> ${file}`, 'sleep 60'))
    await until('it runs', () => existsSync(file))
    await region.ask(1, 'crash')
    const answer = await ended(id)
    expect(answer).toMatchObject({ Status: 'Failed', ResponseCode: 1 })
    expect(answer.StandardErrorContent).toContain('document process failed unexpectedly')
    expect(readFileSync(file, 'utf8')).toBe('x\n')
    await until('both are online again', async () => (await online()).length === 2)
  }, 30_000)

  test('exit 194 reboots and runs the same step again', async () => {
    const file = join(region.folder, 'rebooted')
    const before = (await region.ask(1, 'info')).bootId
    const id = await send(
      script(`if [ -e ${file} ]; then echo after; else touch ${file}; exit 194; fi`),
    )
    expect(await ended(id)).toMatchObject({ Status: 'Success', StandardOutputContent: 'after\n' })
    expect((await region.ask(1, 'info')).bootId).not.toBe(before)
  }, 30_000)

  test('an init: the next one on its root kills what it left, and the service learns it is away', async () => {
    const file = join(region.folder, 'left')
    await send({ ...script(`echo $$ > ${file}; exec sleep 300`), InstanceIds: [idOf(2)] })
    await until('it runs', () => existsSync(file) && readFileSync(file, 'utf8') !== '')
    await region.kill('instance2')
    await until('it is gone for the service', async () => !(await online()).includes(idOf(2)))
    await region.startInstance(2)
    await until('it is back', async () => (await online()).includes(idOf(2)))
    const left = Number(readFileSync(file, 'utf8'))
    expect(isAlive(left)).toBe(false)
  }, 30_000)
})
