/** Names in a sentence for people: so many that it can be read, and how many there are besides. */

const MAX_NAMES = 10

/** `total` where more are meant than are named here. */
export function named(names: readonly string[], total = names.length): string {
  const shown = names.slice(0, MAX_NAMES).join(', ')
  const left = total - Math.min(names.length, MAX_NAMES)
  return left > 0 ? `${shown} and ${left} more` : shown
}
