/** An error that the scripted engine answers with, as a MySQL ERR packet carries it. */
export class SqlError extends Error {
  readonly errno: number
  readonly state: string

  constructor(errno: number, state: string, message: string) {
    super(message)
    this.errno = errno
    this.state = state
  }
}

/** 1064 with the place where the scripted engine stopped understanding. */
export function unknownSql(near: string): SqlError {
  const place = near === '' ? 'at its end' : `near '${near.slice(0, 40)}'`
  return new SqlError(1064, '42000', `the scripted engine does not know this statement, ${place}`)
}
