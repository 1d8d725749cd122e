/** Before the first file of a suite that runs several at once: each would install the kernel. */
import { join, resolve } from 'node:path'
import { installKernel, KernelUnavailable } from '../../infra/local/kernel.ts'

export async function setup(): Promise<void> {
  const folder = join(resolve(import.meta.dirname, '../..'), '.obfleet/kernel')
  await installKernel(folder, line => console.log(line)).catch((error: unknown) => {
    // Not all files need it; those that do say so themselves.
    if (!(error instanceof KernelUnavailable)) throw error
  })
}
