/**
 * One server of a scripted cluster as a process of its own, which can be stopped as a process is: node
 * reads its plan as JSON from the first argument, and says `ready` when it listens.
 */
import { Front } from '../../infra/local/front/front.ts'
import { Picture } from '../../infra/local/front/picture.ts'
import { scriptedEngine } from '../../infra/local/front/scripted/engine.ts'
import type { ObserverPlan } from './one-observer.ts'

const plan = JSON.parse(process.argv[2] ?? '') as ObserverPlan
const { cluster, version, flavour, servers, accounts } = plan
const picture = new Picture({ cluster, version, flavour, tenants: plan.tenants, servers })
const engine = scriptedEngine({ cluster, accounts, databases: [accounts.database] })
const server = picture.server(plan.key)
// Who started this is gone: nothing may be left running.
process.stdin.on('end', () => process.exit(0)).resume()
await new Front(server, picture, engine).start()
process.stdout.write('ready\n')
