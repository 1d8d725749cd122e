/**
 * What one server session has of its client's state: numbers that are compared, never the state
 * itself. Maps are made when something is put in: most sessions have none.
 */
export class Delivered {
  /** Everything up to this version of the client's memory is here. */
  all = 0
  /** Up to which version its variables and blobs were delivered; behind `all` after an error. */
  system = 0
  user = 0
  blobs = 0
  /** The command under way brings blobs: they are delivered when it succeeds. */
  isBringing = false
  /** The trace that it was told of last (extra info 2003). */
  fullTrace: Uint8Array | undefined
  /** The server was told the client's address (extra info 2001). */
  toldClient = false
  /** How often the client's session had been reset when this one last was. */
  resets = 0
  /** COM_SET_OPTION as this server has it. */
  option = 0
  /** Current database. */
  schema: string | undefined
  /** Statement ids of this server by the client's. */
  statements: Map<number, number> | undefined
  /** Statements, by the client's id, of which this server knows the parameter types. */
  typed: Set<number> | undefined
  /** Versions of text statements by name. */
  texts: Map<string, number> | undefined

  serverStatement(clientId: number): number | undefined {
    return this.statements?.get(clientId)
  }

  prepared(clientId: number, serverId: number): void {
    this.statements ??= new Map()
    this.statements.set(clientId, serverId)
    this.typed?.delete(clientId)
  }

  forget(clientId: number): void {
    this.statements?.delete(clientId)
    this.typed?.delete(clientId)
  }

  tookTypes(clientId: number): void {
    this.typed ??= new Set()
    this.typed.add(clientId)
  }

  tookText(name: string, version: number): void {
    this.texts ??= new Map()
    this.texts.set(name, version)
  }

  /** COM_RESET_CONNECTION was done here for the client's reset number `resets`; database and option stay. */
  wasReset(resets: number): void {
    this.resets = resets
    this.all = 0
    this.system = 0
    this.user = 0
    this.blobs = 0
    this.isBringing = false
    this.statements = undefined
    this.typed = undefined
    this.texts = undefined
  }
}
