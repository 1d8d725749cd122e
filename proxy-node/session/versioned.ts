/**
 * Values by name or number, each with the version of the session at its last change: a server session that
 * has those of one version lacks what changed after it.
 */
export type Versioned<T> = { value: T; version: number }

/** In the order in which `values` has them; undefined: there are none. */
export function changedSince<K, T>(
  values: ReadonlyMap<K, Versioned<T>> | undefined,
  version: number,
): [K, T][] {
  const changed: [K, T][] = []
  for (const [key, entry] of values ?? [])
    if (entry.version > version) changed.push([key, entry.value])
  return changed
}
