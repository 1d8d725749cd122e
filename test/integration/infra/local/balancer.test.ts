/**
 * The local load balancer: its members by the unmodified SDK, and real connections over it. The process
 * is the one that the stack starts.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import {
  DescribeTargetHealthCommand,
  ElasticLoadBalancingV2Client,
  RegisterTargetsCommand,
} from '@aws-sdk/client-elastic-load-balancing-v2'
import { afterEach, describe, expect, test } from 'vitest'
import type { TargetGroup } from '../../../../functions/domain/load-balancer.ts'
import { targetGroupMembers } from '../../../../functions/remote/target-group.ts'
import type { BalancerSettings } from '../../../../infra/local/balancer.ts'
import { balancerAccess, balancerSettings } from '../../../../infra/local/stack/balancer.ts'
import { stackSettings, urlOf } from '../../../../infra/local/stack/settings.ts'
import { idOf, PLANE } from '../../../support/instances.ts'
import { loadBalancerContract } from '../../../support/load-balancer-contract.ts'
import { GROUP_ARN } from '../../../support/scripted-balancer.ts'
import { until } from '../../../support/until.ts'

const SCRIPT = resolve(import.meta.dirname, '../../../../infra/local/balancer.ts')
const NETWORK = '127.15.10'
const SERVICE = { host: `${NETWORK}.100`, port: 2883 }
const API = { host: `${NETWORK}.101`, port: 8105 }
const PORT = 2883

const members: Server[] = []
const sockets = new Set<Socket>()
const folders: string[] = []
let balancer: ChildProcess | undefined

/** Says its number, then whatever it hears. */
async function startMember(number: number): Promise<void> {
  const server = createServer(socket => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.write(`${number}\n`)
    socket.pipe(socket)
  })
  await new Promise<void>(done => {
    server.listen(PORT, `${NETWORK}.${number}`, done)
  })
  members.push(server)
}

function client(keys = PLANE): ElasticLoadBalancingV2Client {
  return new ElasticLoadBalancingV2Client({
    endpoint: `http://${API.host}:${API.port}`,
    region: 'local',
    // The SDK adds fields of its own to what it is given.
    credentials: { ...keys },
    maxAttempts: 1,
  })
}

const loadBalancer = targetGroupMembers(client())

function group(targetBy: TargetGroup['targetBy']): TargetGroup {
  return { kind: 'target-group', targetGroupArn: GROUP_ARN, targetBy }
}

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'obfleet-balancer-'))
  folders.push(folder)
  return folder
}

async function startBalancer(
  targetBy: TargetGroup['targetBy'] = 'instance',
  deregistrationDelayMs = 3_000,
  folder = newFolder(),
): Promise<string> {
  const settings: BalancerSettings = {
    service: SERVICE,
    api: API,
    folder: join(folder, 'balancer'),
    plane: PLANE,
    group: { arn: GROUP_ARN, targetBy, port: PORT, deregistrationDelayMs },
    instances: [1, 2, 3].map(number => ({ id: idOf(number), address: `${NETWORK}.${number}` })),
    checkEveryMs: 20,
  }
  await start(settings, folder)
  return folder
}

async function start(settings: BalancerSettings, folder: string): Promise<void> {
  const file = join(folder, 'settings.json')
  writeFileSync(file, JSON.stringify(settings), { mode: 0o600 })
  const child = spawn(process.execPath, ['--import', 'tsx', SCRIPT, file], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  balancer = child
  await new Promise<void>((done, reject) => {
    child.stdout.once('data', () => done())
    child.once('exit', code => reject(new Error(`the balancer ended with ${code}`)))
  })
}

async function endBalancer(): Promise<void> {
  const child = balancer
  balancer = undefined
  if (child === undefined || child.exitCode !== null) return
  const ended = new Promise(done => child.once('exit', done))
  child.kill('SIGKILL')
  await ended
}

/** A connection over the balancer: which member it reached, and whether it is still open. */
async function connection() {
  const socket = connect(SERVICE)
  sockets.add(socket)
  socket.on('error', () => {})
  let heard = ''
  socket.on('data', (bytes: Buffer) => {
    heard += bytes.toString()
  })
  const member = await new Promise<number>((done, reject) => {
    socket.once('data', () => done(Number.parseInt(heard, 10)))
    socket.once('close', () => reject(new Error('closed')))
  })
  const echoes = (text: string) => {
    socket.write(text)
    return until(`${text} comes back`, () => heard.includes(text))
  }
  return { member, echoes, isClosed: () => socket.destroyed }
}

async function register(...numbers: readonly number[]): Promise<void> {
  const wanted = group('instance')
  for (const number of numbers)
    await loadBalancer.register(wanted, { id: idOf(number), port: PORT })
  await until('all are healthy', async () =>
    (await loadBalancer.members(wanted)).every(({ state }) => state !== 'initial'),
  )
}

afterEach(async () => {
  await endBalancer()
  for (const socket of sockets) socket.destroy()
  sockets.clear()
  for (const server of members.splice(0)) await new Promise(done => server.close(done))
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

describe.each(['instance', 'ip'] as const)('targets by %s, by the SDK', targetBy => {
  loadBalancerContract(async () => {
    await startMember(1)
    await startBalancer(targetBy)
    const idBy = (number: number) =>
      targetBy === 'instance' ? idOf(number) : `${NETWORK}.${number}`
    return {
      loadBalancer,
      group: group(targetBy),
      there: { id: idBy(1), port: PORT },
      away: { id: idBy(2), port: PORT },
      until,
    }
  })
})

describe('calls of Elastic Load Balancing', () => {
  test('are of the plane alone', async () => {
    await startBalancer()
    const asked = new DescribeTargetHealthCommand({ TargetGroupArn: GROUP_ARN })
    const wrong = { ...PLANE, secretAccessKey: 'another' }
    await expect(client(wrong).send(asked)).rejects.toMatchObject({
      name: 'InvalidSignatureException',
    })
    await expect(client({ ...wrong, accessKeyId: 'AKIANOBODY' }).send(asked)).rejects.toMatchObject(
      { name: 'UnrecognizedClientException' },
    )
  })

  test('say of targets that were asked for by name that they are none', async () => {
    await startBalancer()
    const { TargetHealthDescriptions } = await client().send(
      new DescribeTargetHealthCommand({
        TargetGroupArn: GROUP_ARN,
        Targets: [{ Id: idOf(1), Port: PORT }],
      }),
    )
    expect(TargetHealthDescriptions).toMatchObject([
      { TargetHealth: { State: 'unused', Reason: 'Target.NotRegistered' } },
    ])
  })

  test('refuse an instance that nobody knows, with all that came with it', async () => {
    await startBalancer()
    const known = { id: idOf(1), port: PORT }
    const stranger = { id: idOf(9), port: PORT }
    await expect(loadBalancer.register(group('instance'), stranger)).rejects.toMatchObject({
      code: 'operation-not-allowed',
    })
    const both = [known, stranger].map(({ id: Id, port: Port }) => ({ Id, Port }))
    await expect(
      client().send(new RegisterTargetsCommand({ TargetGroupArn: GROUP_ARN, Targets: both })),
    ).rejects.toMatchObject({ name: 'InvalidTargetException' })
    expect(await loadBalancer.members(group('instance'))).toEqual([])
  })

  test('are found by the SDK where its variable says', async () => {
    await startBalancer()
    const name = 'AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2'
    process.env[name] = `http://${API.host}:${API.port}`
    try {
      const byVariable = new ElasticLoadBalancingV2Client({
        region: 'local',
        credentials: { ...PLANE },
      })
      expect(await targetGroupMembers(byVariable).members(group('instance'))).toEqual([])
    } finally {
      delete process.env[name]
    }
  })

  test('that nobody answers say so with a code', async () => {
    const away = new ElasticLoadBalancingV2Client({
      endpoint: `http://${API.host}:1`,
      region: 'local',
      credentials: { ...PLANE },
      maxAttempts: 1,
    })
    await expect(targetGroupMembers(away).members(group('ip'))).rejects.toMatchObject({
      code: 'remote-unavailable',
    })
  })
})

test('the stack’s own settings start it, where the stack says that it is', async () => {
  const folder = newFolder()
  const stack = stackSettings({ OBFLEET_STACK: '97', OBFLEET_HOME: folder })
  await start(balancerSettings(stack, PLANE, [idOf(1), idOf(2)]), folder)
  const { targetGroupArn, targetBy, address } = balancerAccess(stack)
  const own = targetGroupMembers(
    new ElasticLoadBalancingV2Client({
      endpoint: urlOf(stack.elb),
      region: 'local',
      credentials: { ...PLANE },
    }),
  )
  const stackGroup: TargetGroup = { kind: 'target-group', targetGroupArn, targetBy }
  await own.register(stackGroup, { id: idOf(2), port: PORT })
  expect(await own.members(stackGroup)).toMatchObject([{ id: idOf(2), port: PORT }])
  expect(address).toBe('127.107.1.100:2883')
})

describe('connections over the balancer', () => {
  test('go to one healthy member after the other, and carry both ways', async () => {
    await startMember(1)
    await startMember(2)
    await startBalancer()
    await register(1, 2, 3)
    const all = await Promise.all([1, 2, 3, 4].map(() => connection()))
    expect(all.map(({ member }) => member).sort()).toEqual([1, 1, 2, 2])
    await Promise.all(all.map(({ echoes }, at) => echoes(`hello ${at}`)))
  })

  test('of who is deregistered stay; new ones go elsewhere', async () => {
    await startMember(1)
    await startMember(2)
    await startBalancer('instance', 600_000)
    await register(1, 2)
    const before = await Promise.all([connection(), connection()])
    const [old] = before.filter(({ member }) => member === 1)
    await loadBalancer.deregister(group('instance'), { id: idOf(1), port: PORT })
    const after = await Promise.all([1, 2, 3].map(() => connection()))
    expect(after.map(({ member }) => member)).toEqual([2, 2, 2])
    await old?.echoes('still here')
    expect(old?.isClosed()).toBe(false)
  })

  test('of who is deregistered are closed when its delay is over, and no others', async () => {
    await startMember(1)
    await startMember(2)
    await startBalancer('instance', 200)
    await register(1, 2)
    const before = await Promise.all([connection(), connection()])
    await loadBalancer.deregister(group('instance'), { id: idOf(1), port: PORT })
    await until('the old one is closed', () => before.some(({ isClosed }) => isClosed()))
    expect(await loadBalancer.members(group('instance'))).toMatchObject([{ id: idOf(2) }])
    const [left, ...others] = before.filter(({ isClosed }) => !isClosed())
    expect([left?.member, others]).toEqual([2, []])
    await left?.echoes('as before')
  })

  test('without any member are closed; without a healthy one they are tried all the same', async () => {
    await startBalancer()
    await expect(connection()).rejects.toThrow('closed')
    await register(1)
    await expect(connection()).rejects.toThrow('closed')
    await startMember(1)
    expect((await connection()).member).toBe(1)
  })

  test('are as before after the balancer was killed: it knows its members', async () => {
    await startMember(1)
    await startMember(2)
    const folder = await startBalancer('instance', 60_000)
    await register(1, 2)
    await loadBalancer.deregister(group('instance'), { id: idOf(1), port: PORT })
    await endBalancer()
    await startBalancer('instance', 60_000, folder)
    const states = (await loadBalancer.members(group('instance'))).map(({ id, state }) => [
      id,
      state === 'draining',
    ])
    expect(states).toEqual([
      [idOf(1), true],
      [idOf(2), false],
    ])
    expect((await connection()).member).toBe(2)
    expect(statSync(join(folder, 'balancer/members.json')).mode & 0o777).toBe(0o600)
  })
})
