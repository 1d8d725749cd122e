/** The agent of an instance whose disk fails: the command fails, the agent and its instance go on. */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Agent } from '../../../../infra/local/instance/agent.ts'
import { until } from '../../../support/until.ts'

type Reply = { status: string; output: string }

let root: string
let folder: string
let service: Server
let agent: Agent
let messages: object[]
let replies: Reply[]
let acknowledged: number

/** The service of one instance: hands out `messages`, keeps what is answered. */
function answerTo(target: string, body: Record<string, string>): object {
  if (target.endsWith('AcknowledgeMessage')) acknowledged += 1
  if (target.endsWith('SendReply')) {
    const payload = JSON.parse(body['Payload'] ?? '')
    const [step] = Object.values(payload.runtimeStatus) as { output: string }[]
    replies.push({ status: payload.documentStatus, output: step?.output ?? '' })
  }
  return target.endsWith('GetMessages') ? { Messages: messages.splice(0) } : {}
}

beforeEach(async () => {
  messages = []
  replies = []
  acknowledged = 0
  root = mkdtempSync(join(tmpdir(), 'obfleet-agent-'))
  folder = join(root, 'ssm')
  service = createServer((request, response) => {
    let text = ''
    request.on('data', part => (text += part))
    request.on('end', () => {
      const target = String(request.headers['x-amz-target'])
      response.end(JSON.stringify(answerTo(target, JSON.parse(text))))
    })
  })
  await new Promise<void>(done => {
    service.listen(0, '127.0.0.1', done)
  })
  const address = service.address()
  if (address === null || typeof address === 'string') throw new Error('no address')
  agent = new Agent({
    instanceId: 'i-1',
    identity: {
      endpoint: `http://127.0.0.1:${address.port}`,
      region: 'local',
      accessKeyId: 'a',
      secretAccessKey: 's',
    },
    folder,
    env: { PATH: process.env['PATH'] ?? '' },
    reboot: () => {},
    note: () => {},
  })
  agent.start()
})

afterEach(async () => {
  await agent.stop()
  service.closeAllConnections()
  service.close()
  rmSync(root, { recursive: true, force: true })
})

function send(id: string, ...lines: string[]): void {
  const mainSteps = lines.map((line, index) => ({
    action: 'aws:runShellScript',
    name: `step${index}`,
    inputs: { runCommand: [line] },
  }))
  messages.push({
    MessageId: `message ${id}`,
    Topic: 'aws.ssm.sendCommand.x',
    Payload: JSON.stringify({
      CommandId: id,
      DocumentContent: { schemaVersion: '2.2', parameters: {}, mainSteps },
      Parameters: {},
    }),
  })
}

const ends = () => replies.filter(({ status }) => status !== 'InProgress')

async function worksAgain(): Promise<void> {
  mkdirSync(folder, { recursive: true })
  const before = ends().length
  send('good', 'echo fine')
  await until('the next command is answered', () => ends().length > before)
  expect(ends().at(-1)).toMatchObject({ status: 'Success', output: 'fine\n' })
}

describe('a command', () => {
  test('whose script cannot be written fails, and says why', async () => {
    writeFileSync(join(folder, 'scripts'), 'in the way')
    send('bad', 'echo never')

    await until('it is answered', () => ends().length === 1)

    expect(ends()[0]?.status).toBe('Failed')
    expect(ends()[0]?.output).toMatch(/ENOTDIR|EEXIST/)
    rmSync(join(folder, 'scripts'))
    await worksAgain()
  })

  test('whose state cannot be kept fails, and does not run again at the next boot', async () => {
    send('bad', `rm -rf ${folder}`, 'echo never')

    await until('it is answered', () => ends().length === 1)

    expect(ends()[0]?.status).toBe('Failed')
    expect(ends()[0]?.output).toContain('ENOENT')
    expect(existsSync(join(folder, 'bad.json'))).toBe(false)
    await worksAgain()
  })

  test('that cannot be taken is not acknowledged, and comes again', async () => {
    rmSync(folder, { recursive: true })
    send('early', 'echo fine')
    await until('it was fetched', () => messages.length === 0)
    expect(acknowledged).toBe(0)

    mkdirSync(folder)
    send('early', 'echo fine')

    await until('it is answered', () => ends().length === 1)
    expect([ends()[0]?.status, acknowledged]).toEqual(['Success', 1])
  })
})
