/** Three fronts over one scripted engine in this process, for suites that need no kernel. */
import { randomBytes } from 'node:crypto'
import { Front } from '../../infra/local/front/front.ts'
import { Picture } from '../../infra/local/front/picture.ts'
import { scriptedEngine } from '../../infra/local/front/scripted/engine.ts'
import type { KernelAccounts } from '../../infra/local/kernel.ts'

export type ScriptedFronts = {
  readonly fronts: readonly Front[]
  readonly picture: Picture
  readonly accounts: KernelAccounts
  readonly stop: () => Promise<void>
}

/** Fronts on SUBNET.1 to .3, port 2881; with a file the data is there again after a restart. */
export async function startScriptedFronts(subnet: string, file?: string): Promise<ScriptedFronts> {
  const secret = () => randomBytes(18).toString('base64url')
  const accounts: KernelAccounts = {
    root: secret(),
    proxyro: secret(),
    user: 'demo',
    password: secret(),
    database: 'demo',
  }
  const picture = new Picture({
    cluster: 'obcluster',
    version: '4.3.5.3',
    tenants: ['sys', 'app'],
    servers: [1, 2, 3].map(index => ({
      host: `${subnet}.${index}`,
      port: 2881,
      zone: `z${index}`,
    })),
  })
  const engine = scriptedEngine({ cluster: 'obcluster', accounts, databases: ['demo'], file })
  const fronts = picture.servers.map(server => new Front(server, picture, engine))
  await Promise.all(fronts.map(front => front.start()))
  const stop = async () => {
    await Promise.all(fronts.map(front => front.stop()))
  }
  return { fronts, picture, accounts, stop }
}
