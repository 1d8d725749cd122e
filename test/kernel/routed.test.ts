/** Strong statements over six servers of the real kernel go to the leader of their partition. */
import { startRouted } from '../support/routed.ts'
import { routedContract } from '../support/routed-contract.ts'

routedContract('a proxy over the kernel', () =>
  startRouted({ subnet: '127.33.6', engine: 'kernel' }),
)
