/** The real kernel behind a front: a server session is a connection to it. */
import { connect } from 'node:net'
import type { Engine } from './engine.ts'
import { type KernelQuestions, KernelTouch } from './kernel-touch.ts'

export type KernelPort = KernelQuestions & { readonly port: number }

export function kernelEngine(kernel: KernelPort): Engine {
  const touch = new KernelTouch(kernel)
  return {
    kind: 'kernel',
    connect: () => connect({ port: kernel.port, host: '127.0.0.1', noDelay: true }),
    tableEntry: kernel.tableEntry,
    insides: undefined,
    foresight: {
      touched: (database, sql, table) => touch.touched(database, sql, table),
      forget: () => touch.forget(),
    },
  }
}
