/** Scripted instances behind the local Systems Manager, as suites of large fleets have them. */
import { CreateDocumentCommand } from '@aws-sdk/client-ssm'
import { afterAll, beforeAll, describe } from 'vitest'
import { ssmRunCommand } from '../../../functions/remote/run-command.ts'
import { NODE_DOCUMENT, nodeDocument } from '../../../infra/documents.ts'
import { idOf, Region } from '../../support/instances.ts'
import { runCommandContract } from '../../support/run-command-contract.ts'
import { ScriptedAgents } from '../../support/scripted-agents.ts'
import { HandClock, ScriptedFleet } from '../../support/scripted-fleet.ts'

const region = new Region({ host: '127.15.9.11', port: 8102 }, 2)
const agents = new ScriptedAgents(region.url, new ScriptedFleet(new HandClock(), 1))
const ssm = region.client()

beforeAll(async () => {
  await region.startEndpoint()
  const Content = JSON.stringify(nodeDocument)
  await ssm.send(
    new CreateDocumentCommand({ Name: NODE_DOCUMENT, Content, DocumentType: 'Command' }),
  )
  await agents.start([1])
}, 60_000)

afterAll(async () => {
  await agents.stop()
  await region.stop()
}, 30_000)

describe('scripted instances behind Run Command', () =>
  runCommandContract(async () => ({
    runCommand: ssmRunCommand(ssm, ssm, NODE_DOCUMENT),
    online: idOf(1),
    offline: idOf(2),
    now: Date.now,
  })))
