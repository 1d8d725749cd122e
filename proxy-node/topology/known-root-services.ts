/**
 * What is known of one cluster of a config server's list: primary and standbys, who of them is the
 * primary, and their IDCs. A change is told from a repetition. Source: proxy-routing.md §3.2.
 */
import {
  type IdcRow,
  type Resolution,
  type RootServerRow,
  rootServerRows,
} from './cluster-directory.ts'
import type {
  IdcList,
  IdcRegion,
  ListedCluster,
  RootServiceAnswer,
  RootServices,
} from './config-server-documents.ts'
import { idcUrl, shownUrl } from './config-server-urls.ts'

export class KnownRootServices {
  readonly name: string
  url: string
  /** Ids that somebody resolved: their lists are kept fresh. 0 is the primary, whichever it is. */
  readonly wanted = new Set<number>()
  /** Nothing has come from the config server since the start. */
  isCopy = true
  private readonly members = new Map<number, RootServices>()
  /** Of the newest answer for all ids; 0 with an id unsaid. */
  private primaryId: number | undefined
  private isAsked = false
  private readonly lists = new Map<number, readonly IdcRegion[]>()

  constructor({ name, url }: ListedCluster) {
    this.name = name
    this.url = url
  }

  /** What this node kept of an earlier life, where nothing newer is known. */
  takeCopies(members: readonly RootServices[], idcs: readonly IdcList[]): void {
    if (members.length > 0) this.takeAll({ isArray: true, members })
    for (const { clusterId, regions } of idcs) this.lists.set(clusterId, regions)
  }

  /** An answer to a question for `id`; true when anything is another now. */
  take(answer: RootServiceAnswer, id: number): boolean {
    this.isCopy = false
    const before = this.digest()
    if (id === 0) this.takeAll(answer)
    else this.takeOne(answer, id)
    return this.digest() !== before
  }

  /** True when they are others now. */
  takeIdcs(lists: readonly IdcList[], id: number): boolean {
    const before = JSON.stringify([...this.lists])
    for (const { clusterId, regions } of lists)
      this.lists.set(clusterId === 0 ? id : clusterId, regions)
    return JSON.stringify([...this.lists]) !== before
  }

  /** Undefined while nothing is known for `id`. */
  resolution(id: number): Resolution | undefined {
    const choices = this.choices(id)
    const [first] = choices
    if (first === undefined) return undefined
    const isAlias = first.cluster !== this.name
    return {
      kind: 'found',
      name: this.name,
      checkedName: isAlias ? undefined : first.cluster,
      choices,
      isCopy: this.isCopy,
    }
  }

  /** Whether `alias` is another name of it, as far as is known. */
  isAlso(alias: string): boolean {
    return [...this.members.values()].some(
      ({ cluster, alias: other }) => cluster === alias || other === alias,
    )
  }

  /** Also the names that its documents may carry. */
  names(): readonly string[] {
    const all = [...this.members.values()].flatMap(({ cluster, alias }) => [cluster, alias ?? ''])
    return [...new Set([this.name, ...all])].filter(name => name !== '')
  }

  ids(): readonly number[] {
    return [...this.members.keys()]
  }

  all(): readonly RootServices[] {
    return [...this.members.values()]
  }

  idcLists(): readonly IdcList[] {
    return [...this.lists].map(([clusterId, regions]) => ({ clusterId, regions }))
  }

  /** Of `id`; of the primary, of any, when its own are not known. */
  idcRegions(id: number): readonly IdcRegion[] {
    const own = this.lists.get(id === 0 ? (this.primaryId ?? 0) : id)
    if (own !== undefined) return own
    return id === 0 ? ([...this.lists.values()][0] ?? []) : []
  }

  rootServerRows(): readonly RootServerRow[] {
    return rootServerRows(this.name, shownUrl(this.url), this.members.values())
  }

  idcRows(): readonly IdcRow[] {
    return [...this.lists].flatMap(([id, regions]) => {
      const url = shownUrl(idcUrl(this.url, id))
      return regions.map(({ idc, region }) => ({ name: this.name, id, url, idc, region }))
    })
  }

  private choices(id: number): readonly RootServices[] {
    const chosen = id === 0 ? this.primaryId : id
    const one = chosen === undefined ? undefined : this.members.get(chosen)
    if (one !== undefined) return [one]
    return id === 0 && this.isAsked ? this.all() : []
  }

  private takeAll({ isArray, members }: RootServiceAnswer): void {
    this.members.clear()
    for (const member of members) this.members.set(member.clusterId, member)
    this.isAsked = true
    // What comes alone is the primary, whatever it calls itself; of several exactly one has to say so.
    const primaries = isArray ? members.filter(({ type }) => type === 'PRIMARY') : members
    this.primaryId = primaries.length === 1 ? primaries[0]?.clusterId : undefined
  }

  private takeOne({ members }: RootServiceAnswer, id: number): void {
    const member = members.find(({ clusterId }) => clusterId === id)
    if (member === undefined) return
    this.members.set(id, member)
    if (member.type === 'STANDBY' && this.primaryId === id) this.primaryId = undefined
  }

  private digest(): string {
    return JSON.stringify([this.primaryId ?? null, [...this.members]])
  }
}
