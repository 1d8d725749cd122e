/**
 * Parameters that are orders: carried out once when they are set, then read back as if they had not been.
 * Source: proxy-routing.md §11, proxy-admin.md §3.3.
 */
import type { Clock } from '../base/clock.ts'
import type { ConfigStore } from '../config/store.ts'

export type OneShot = {
  readonly parameter: string
  /** Its value when there is nothing to do. */
  readonly rest: string
  readonly act: (value: string) => void
}

/** What came with the start is no order: the start has done it, or there is nothing yet that it is about. */
export function takeOneShots(
  { config, clock }: { readonly config: ConfigStore; readonly clock: Clock },
  orders: readonly OneShot[],
): void {
  const given = () => orders.filter(({ parameter, rest }) => config.get(parameter) !== rest)
  const reset = (taken: readonly OneShot[]) => {
    if (taken.length > 0) config.alter(taken.map(({ parameter, rest }) => [parameter, rest]))
  }
  reset(given())
  config.onChange(names => {
    if (!given().some(({ parameter }) => names.includes(parameter))) return
    // Behind the answer to the statement, which may still fail by another assignment.
    clock.after(0, () => {
      const taken = given()
      const values = taken.map(({ parameter }) => config.get(parameter))
      reset(taken)
      for (const [index, { act }] of taken.entries()) act(values[index] ?? '')
    })
  })
}
