/** The host and the proxy's processes as the kernel shows them: memory, open files, disks, dumps. */
import { readdirSync, realpathSync, statfsSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { DiagnosisFacts } from '#contract/diagnosis'
import { readIfThere } from './durable-file.ts'
import { foreignProxies } from './foreign-processes.ts'
import { type Paths, rooted } from './paths.ts'
import { proxyProcesses, startedAt, textOf } from './processes.ts'

const KIB = 1024
const DUMP = /^core(?:[.-]|$)|\.(?:dmp|core)$/

/** What one process, or all of a proxy, has in memory; null when it is gone. */
function residentBytes(pid: number): number | null {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(textOf(`/proc/${pid}/status`))?.[1]
  return kib === undefined ? null : Number(kib) * KIB
}

/** Processes of the proxy that `pid` belongs to: those of the same file. */
function processesOf(pid: number, root: string): readonly number[] {
  const all = proxyProcesses(root)
  const path = all.find(each => each.pid === pid)?.path
  return path === undefined ? [] : all.filter(each => each.path === path).map(each => each.pid)
}

/** Of all processes of the proxy that `pid` belongs to; null when none is there any more. */
export function proxyMemory(pid: number, { root }: Paths): number | null {
  const sizes = processesOf(pid, root).flatMap(each => residentBytes(each) ?? [])
  return sizes.length === 0 ? null : sizes.reduce((sum, each) => sum + each, 0)
}

/**
 * Memory that can be had without swapping, bytes; null where the kernel does not tell. A host whose
 * root is not the machine's may have a file of its own there, which counts then (N6).
 */
export function availableMemory(paths: Paths): number | null {
  const text = readIfThere(rooted(paths, '/proc/meminfo')) ?? textOf('/proc/meminfo')
  const kib = /^MemAvailable:\s+(\d+) kB$/m.exec(text)?.[1]
  return kib === undefined ? null : Number(kib) * KIB
}

export function processFacts(pid: number, paths: Paths): DiagnosisFacts['process'] {
  const seen = foreignProxies(paths.root).find(each => each.pid === pid)
  if (seen === undefined) return null
  const all = processesOf(pid, paths.root)
  return {
    pid,
    executable: seen.executable.slice(0, 400),
    command: seen.command.slice(0, 400),
    isReplaced: seen.isReplaced,
    startedAt: startedAt(pid),
    processes: all.length,
    residentBytes: proxyMemory(pid, paths) ?? 0,
    openFiles: Math.max(0, ...all.map(openFiles)),
    maxOpenFiles: maxOpenFiles(pid),
  }
}

function openFiles(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/fd`).length
  } catch {
    return 0
  }
}

function maxOpenFiles(pid: number): number | null {
  const soft = /^Max open files\s+(\d+)/m.exec(textOf(`/proc/${pid}/limits`))?.[1]
  return soft === undefined ? null : Number(soft)
}

/** Of the file systems that `folders` are on; one that is not there is left out. */
export function diskFacts(folders: readonly string[], { root }: Paths): DiagnosisFacts['disks'] {
  return folders.flatMap(folder => {
    try {
      const { bavail, blocks, bsize, ffree, files } = statfsSync(folder)
      return [
        {
          folder: folder.slice(root.length).slice(0, 400),
          freeBytes: bavail * bsize,
          totalBytes: blocks * bsize,
          freeInodes: ffree,
          totalInodes: files,
        },
      ]
    } catch {
      return []
    }
  })
}

/** The newest core or dump in `folders`. */
export function newestDump(folders: readonly string[], { root }: Paths): DiagnosisFacts['crash'] {
  const found = folders
    .flatMap(folder => namesIn(folder).map(name => join(folder, name)))
    .filter(file => DUMP.test(basename(file)))
    .flatMap(file => {
      const seen = statSync(file, { throwIfNoEntry: false })
      return seen?.isFile() ? [{ file, at: Math.round(seen.mtimeMs) }] : []
    })
    .sort((left, right) => right.at - left.at)[0]
  return found === undefined
    ? null
    : { ...found, file: found.file.slice(root.length).slice(0, 400) }
}

/** Entries of a folder; none of one that is not there. */
export function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

/** The folder itself, behind whatever link leads there. */
export function realFolder(folder: string): string | undefined {
  try {
    return realpathSync(folder)
  } catch {
    return undefined
  }
}
