/** Times as admin answers show them: the node's own time zone, `0` for never. */

/** `2026-11-26 09:31:07`; `ms` is of the epoch. */
export function timeText(ms: number): string {
  if (ms <= 0) return '0'
  const date = new Date(ms)
  const two = (value: number) => String(value).padStart(2, '0')
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join('-')
  return `${day} ${[date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':')}`
}
