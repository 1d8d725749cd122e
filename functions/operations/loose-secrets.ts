/**
 * Passwords of proxyro that the plane has made go when no OB cluster names them any more, and never while one
 * does. Whoever names one or gives it up writes its record in the same transaction; it is removed after that
 * record says that nobody may name it any more, and who was faster is seen. What is interrupted goes on from
 * the record. Source: management.md §3.17; decisions PL1, PL7.
 */
import { isNextProxyroSecret } from '../domain/names.ts'
import type { LooseSecretRecord } from '../domain/ob-cluster-record.ts'
import { Problem } from '../domain/problem.ts'
import { type Change, Conflict, put, remove, type Store } from '../domain/store.ts'
import type { EngineDeps } from './ports.ts'

type Deps = Pick<EngineDeps, 'store' | 'secrets'>

/** Records that are read at a time. */
const AT_ONCE = 100

/**
 * Goes into the transaction that names these, or gives them up; nothing for those of callers.
 * @throws Problem operation-not-allowed while one of them is being removed
 */
export async function loosened(
  store: Store,
  secrets: readonly (string | undefined)[],
): Promise<readonly Change[]> {
  const names = [...new Set(secrets)].filter(each => each !== undefined).filter(isNextProxyroSecret)
  const known = await store.getMany(
    'looseSecret',
    names.map(name => ({ name })),
  )
  const going = known.find(({ isGoing }) => isGoing)
  if (going !== undefined)
    throw new Problem('operation-not-allowed', `${going.name} is being removed`, {
      retryAfterSec: 60,
      remedy: 'put the password under another name',
    })
  const versionOf = new Map(known.map(({ name, version }) => [name, version]))
  return names.map(name =>
    put('looseSecret', { name, isGoing: false, version: versionOf.get(name) ?? 0 }),
  )
}

/** Looks at all that are loose. Can run twice, and beside itself. */
export async function forgetLooseSecrets(deps: Deps): Promise<void> {
  let after: string | undefined
  do {
    const page = await deps.store.looseSecrets({
      limit: AT_ONCE,
      ...(after === undefined ? {} : { after }),
    })
    for (const record of page.items) await forget(deps, record)
    after = page.next ?? undefined
  } while (after !== undefined)
}

async function forget({ store, secrets }: Deps, record: LooseSecretRecord): Promise<void> {
  try {
    const going = record.isGoing ? record : await goingOf(store, record)
    // Looked at only now: nobody can begin to name it any more.
    if (!(await isNamed(store, going.name))) await secrets.remove(going.name)
    await store.commit([remove('looseSecret', going)])
  } catch (error) {
    // Somebody has named it meanwhile, or forgets it too: it is looked at again if it is still there.
    if (!(error instanceof Conflict)) throw error
  }
}

/** @throws Conflict */
async function goingOf(store: Store, record: LooseSecretRecord): Promise<LooseSecretRecord> {
  const going = { ...record, isGoing: true }
  await store.commit([put('looseSecret', going)])
  return { ...going, version: record.version + 1 }
}

async function isNamed(store: Store, secret: string): Promise<boolean> {
  let after: string | undefined
  do {
    const page = await store.obClusters({
      limit: AT_ONCE,
      ...(after === undefined ? {} : { after }),
    })
    const names = page.items.flatMap(each => [each.proxyroSecret, each.proxyroChange?.secret])
    if (names.includes(secret)) return true
    after = page.next ?? undefined
  } while (after !== undefined)
  return false
}
