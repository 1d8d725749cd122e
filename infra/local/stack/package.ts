/**
 * The package that hosts install from: a copy of the build under the stack's home. A cluster's nodes
 * are all of one package, so the copy stays as it is while a cluster is of its version, however often
 * the executable is built anew.
 */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { createInterface } from 'node:readline'
import { z } from 'zod'
import { type ApiClient, ApiError } from './api-client.ts'
import { ROOT } from './settings.ts'

/** Its lines say whether there was anything to build. @throws Error */
export async function buildNode(note: (line: string) => void): Promise<void> {
  const child = spawn(process.execPath, [join(ROOT, 'infra/build-node.mjs')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  createInterface({ input: child.stdout }).on('line', note)
  const code = await new Promise<number | null>((done, reject) => {
    child.once('error', reject)
    child.once('close', done)
  })
  if (code !== 0) throw new Error('the node executable cannot be built')
}

/** The copy under `home`, made when it is not there. */
export function keptPackage(home: string, built: string): string {
  const kept = join(home, 'packages', basename(built))
  mkdirSync(join(home, 'packages'), { recursive: true, mode: 0o700 })
  if (!existsSync(kept)) copyWhole(built, kept)
  return kept
}

/**
 * Registers the build, or puts it in the place of an older one of its name; true when the copy is
 * another now. One that a user has deleted (`wasOffered`, and not there) is left deleted.
 */
export async function offerPackage(
  api: ApiClient,
  {
    built,
    kept,
    wasOffered,
  }: { readonly built: string; readonly kept: string; readonly wasOffered: boolean },
  note: (line: string) => void,
): Promise<boolean> {
  const fileName = basename(built)
  const sha256 = createHash('sha256').update(readFileSync(built)).digest('hex')
  const registered = await registeredAs(api, fileName)
  if (registered === undefined && wasOffered) return false
  if (registered?.sha256 === sha256) return false
  if (registered !== undefined && !(await isGone(api, registered.id))) {
    note('the node executable has changed; clusters keep the one they have (--reset takes the new)')
    return false
  }
  copyWhole(built, kept)
  const sizeBytes = statSync(kept).size
  await api.post('/packages', { fileName, sha256, sizeBytes, url: `spool:${fileName}` })
  return true
}

async function registeredAs(api: ApiClient, fileName: string) {
  const listSchema = z.looseObject({
    items: z.array(z.looseObject({ id: z.string(), fileName: z.string(), sha256: z.string() })),
  })
  const { items } = listSchema.parse((await api.get('/packages?limit=200')).body)
  return items.find(each => each.fileName === fileName)
}

/** False when a cluster is of it. */
async function isGone(api: ApiClient, id: string): Promise<boolean> {
  try {
    await api.delete(`/packages/${id}`)
    return true
  } catch (error) {
    if (error instanceof ApiError && error.code === 'in-use') return false
    throw error
  }
}

/** In the place of the old file, never into it: hosts may have a hard link to it. */
function copyWhole(from: string, to: string): void {
  copyFileSync(from, `${to}.new`)
  renameSync(`${to}.new`, to)
}
