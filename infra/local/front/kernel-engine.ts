/** The real kernel behind a front: a server session is a connection to it. */
import { connect } from 'node:net'
import type { Engine } from './engine.ts'
import type { TableEntry } from './picture.ts'

export type KernelPort = {
  readonly port: number
  /** The kernel's own entry of a table of its only tenant. */
  readonly tableEntry: (database: string, table: string) => Promise<TableEntry | undefined>
}

export function kernelEngine(kernel: KernelPort): Engine {
  return {
    kind: 'kernel',
    connect: () => connect({ port: kernel.port, host: '127.0.0.1', noDelay: true }),
    tableEntry: kernel.tableEntry,
    insides: undefined,
  }
}
