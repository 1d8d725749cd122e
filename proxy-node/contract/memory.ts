/** Memory for two of a proxy: both are there until the last client has left the first. Pure. Source: management.md §2.4. */

/** Bytes: what the proxy has, and what its host could give besides. */
export type ProxyMemory = { readonly used: number; readonly available: number }

export function hasRoomForTwo({ used, available }: ProxyMemory): boolean {
  return available >= used
}

export function mebibytes(bytes: number): number {
  return Math.round(bytes / 2 ** 20)
}
