/** A kernel of its own as an engine for fronts, its data gone when it stops. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { Engine } from '../../infra/local/front/engine.ts'
import { kernelEngine } from '../../infra/local/front/kernel-engine.ts'
import {
  installKernel,
  type Kernel,
  type KernelAccounts,
  startKernel,
} from '../../infra/local/kernel.ts'

const ROOT = resolve(import.meta.dirname, '../..')

export type KernelUnderTest = {
  readonly kernel: Kernel
  readonly engine: Engine
  readonly accounts: KernelAccounts
  readonly stop: () => Promise<void>
}

export async function startKernelEngine(): Promise<KernelUnderTest> {
  const python = await installKernel(resolve(ROOT, '.obfleet/kernel'), () => {})
  const folder = mkdtempSync(join(tmpdir(), 'obfleet-kernel-'))
  const kernel = await startKernel(python, folder)
  const stop = async () => {
    await kernel.stop()
    rmSync(folder, { recursive: true, force: true })
  }
  return { kernel, engine: kernelEngine(kernel), accounts: kernel.accounts, stop }
}
