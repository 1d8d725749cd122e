/** Strong statements over six scripted servers go to the leader of their partition. */
import { startRouted } from '../../../support/routed.ts'
import { routedContract } from '../../../support/routed-contract.ts'

routedContract('a proxy over a scripted cluster', () => startRouted({ subnet: '127.33.1' }))
routedContract('a proxy over a scripted cluster of 3.x', () =>
  startRouted({ subnet: '127.33.7', flavour: 'v3' }),
)
