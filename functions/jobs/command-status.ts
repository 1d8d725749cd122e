/**
 * Status changes of Run Command, by EventBridge. They only say that it is worth looking: an event may
 * be lost, late or doubled, and none is believed (PL4, ssm-run-command.md §5).
 */
import { z } from 'zod'
import type { Store } from '../domain/store.ts'
import type { Engine } from '../operations/engine.ts'

const eventSchema = z.object({
  detail: z.object({ 'command-id': z.string().regex(/^[0-9a-f-]{36}$/) }),
})

/** Looks at the operation the command belongs to; false when it is none of ours. */
export async function onCommandStatus(
  { store, engine }: { readonly store: Store; readonly engine: Engine },
  event: unknown,
): Promise<boolean> {
  const parsed = eventSchema.safeParse(event)
  if (!parsed.success) return false
  const commandId = parsed.data.detail['command-id']
  const command = await store.get('command', { commandId })
  if (command === null) return false
  await engine.advance(command.operationId)
  return true
}
