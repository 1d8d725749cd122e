/** The kernel's front keeps the contract of all fronts. */
import { frontContract } from '../support/front-contract.ts'
import { startFrontsOverKernel } from '../support/stack.ts'

frontContract('a front over the kernel', async () => {
  const { fronts, kernel, stop } = await startFrontsOverKernel('127.29.4')
  return { fronts, accounts: kernel.accounts, stop }
})
