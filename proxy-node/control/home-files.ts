/** The files of a home that start its proxy, whatever path leads to them. */
import { realpathSync } from 'node:fs'
import { basename, dirname, join, normalize } from 'node:path'

export const EXECUTABLE = 'bin/obproxy'
/** Of any installer; what it does differs (management.md §2.2). */
export const WATCHDOG = 'bin/obproxyd.sh'

/** Whether `path` is the file `part` of the home `folder`, both on this machine, behind whatever links. */
export function isInHome(path: string, part: string, folder: string): boolean {
  return real(path) === real(join(folder, part))
}

/** A file may be gone, and is then told by its folder. */
function real(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return parentOf(normalize(path))
  }
}

function parentOf(path: string): string {
  try {
    return join(realpathSync(dirname(path)), basename(path))
  } catch {
    return path
  }
}
