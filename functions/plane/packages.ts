/** Packages by what a node needs. */
import type { PackageRef } from '#contract/command'
import type { PackageRecord } from '../domain/record.ts'
import type { Store } from '../domain/store.ts'

/** Packages that are read at a time. */
const AT_ONCE = 200

/** One an operating system and architecture. */
export async function packagesOf(store: Store, version: string): Promise<readonly PackageRecord[]> {
  const found: PackageRecord[] = []
  let after: string | undefined
  do {
    const page = await store.packages({
      limit: AT_ONCE,
      ...(after === undefined ? {} : { after }),
    })
    found.push(...page.items.filter(({ packageVersion }) => packageVersion === version))
    after = page.next ?? undefined
  } while (after !== undefined)
  return found
}

export function refOf({
  fileName,
  packageVersion,
  sha256,
  sizeBytes,
  url,
}: PackageRecord): PackageRef {
  return { fileName, version: packageVersion, sha256, sizeBytes, url }
}
