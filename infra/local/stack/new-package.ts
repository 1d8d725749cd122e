/** `npm run dev -- package FILE`: the hosts of the stack can fetch it, and the plane knows it. */
import { createHash } from 'node:crypto'
import { copyFileSync, mkdirSync, readFileSync, renameSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { readJson } from '../files.ts'
import { apiClient } from './api-client.ts'
import type { DevFile } from './dev-file.ts'
import { requireAsNamed } from './package-contents.ts'
import type { StackSettings } from './settings.ts'
import { instanceIds, instanceRoot } from './stack.ts'

/** What was done, in one line. @throws Error in one line. */
export async function newPackage({ home }: StackSettings, file: string): Promise<string> {
  const dev = readJson(join(home, 'dev.json')) as DevFile | undefined
  if (dev === undefined) throw new Error('no stack was started here; run `npm run dev` first')
  const fileName = basename(file)
  requireAsNamed(file)
  const bytes = readFileSync(file)
  for (const id of instanceIds()) {
    const spool = join(instanceRoot(home, id), 'var/spool/obfleet')
    mkdirSync(spool, { recursive: true })
    // In the place of an older one, never into it: a node may be reading that.
    copyFileSync(file, join(spool, `${fileName}.new`))
    renameSync(join(spool, `${fileName}.new`), join(spool, fileName))
  }
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  const sizeBytes = statSync(file).size
  const body = { fileName, sha256, sizeBytes, url: `spool:${fileName}` }
  const answer = await apiClient(dev.apiUrl, dev.token).post('/packages', body)
  const { version } = answer.body as { version: string }
  return `${fileName} is registered; POST /v1/clusters/NAME/upgrade takes {"version": "${version}"}`
}
