/**
 * What a proxy that runs should have stored: parameters, how it finds its OB clusters, passwords. Those
 * that need a restart are in force after the next one, hot or not.
 */
import type { DesiredNode } from '#contract/node-state'
import { givePasswords, type LinkSecrets } from './links.ts'
import type { NodeMemory } from './node-file.ts'
import { type Change, differing, parameterChanges } from './parameters.ts'
import type { ProxyAdmin } from './proxy-admin.ts'
import { identityParameters } from './units.ts'

export type Aim = {
  readonly desired: DesiredNode
  readonly memory: NodeMemory
  readonly secrets: LinkSecrets
}

/** Sets what differs; what it was. @throws node.parameter-refused */
export async function align(
  admin: ProxyAdmin,
  { desired, memory, secrets }: Aim,
): Promise<readonly Change[]> {
  const running = await admin.parameters()
  const changes = [
    ...differing(running, identityParameters(desired, secrets.configUrl)),
    ...parameterChanges(running, desired.parameters, memory.parameterNames),
  ]
  for (const { name, value } of changes) await admin.alter(name, value)
  await givePasswords(admin, secrets)
  return changes
}
