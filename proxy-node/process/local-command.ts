/**
 * The parameter `proxy_local_cmd`: an order to this process, taken once and then read back as 0. One
 * that cannot be carried out now is refused where it is given. Source: proxy-admin.md §4.1.
 */
import { Fault } from '#contract/fault'
import type { Clock } from '../base/clock.ts'
import type { ConfigStore } from '../config/store.ts'

const NAME = 'proxy_local_cmd'

const COMMANDS = { 1: 'exit', 2: 'restart', 3: 'offline', 4: 'online' } as const

export type LocalCommand = (typeof COMMANDS)[keyof typeof COMMANDS]

export type LocalCommandPort = {
  readonly config: ConfigStore
  readonly clock: Clock
  /** Why not now; undefined when it can be carried out. */
  readonly refusal: (command: LocalCommand) => string | undefined
  readonly carryOut: (command: LocalCommand) => void
}

export function takeLocalCommands(port: LocalCommandPort): void {
  const { config, clock } = port
  // What came with the start is no order to a process that has just been started.
  if (commandOf(config) !== undefined) config.alter([[NAME, '0']])
  config.onChange(names => {
    const command = names.includes(NAME) ? commandOf(config) : undefined
    if (command === undefined) return
    const why = port.refusal(command)
    if (why !== undefined) throw new Fault('config.invalid-value', { name: NAME, detail: why })
    // Behind the answer to the statement, which may still fail by another assignment.
    clock.after(0, () => {
      if (commandOf(config) !== command) return
      config.alter([[NAME, '0']])
      port.carryOut(command)
    })
  })
}

function commandOf(config: ConfigStore): LocalCommand | undefined {
  const commands: Readonly<Record<number, LocalCommand>> = COMMANDS
  return commands[config.number(NAME)]
}
