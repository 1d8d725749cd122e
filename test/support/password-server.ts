/** An OBServer that knows one account, whose password it changes when it is told to by that account. */
import { TLSSocket } from 'node:tls'
import { parseClientLogin } from '../../infra/local/front/login-codec.ts'
import { stage1Of, verifyNative } from '../../proxy-node/auth/scramble.ts'
import { type FakeServer, loginOk, startFakeServer } from './fake-server.ts'

/** Of the fake server's greeting. */
const SCRAMBLE = Buffer.from('abcdefghijklmnopqrst')
const ALTER = /^ALTER USER proxyro IDENTIFIED BY '(.*)'$/s
const ACCESS_DENIED = 1045
const SYNTAX_ERROR = 1064

export type PasswordServer = {
  readonly server: FakeServer
  password: string
  /** Error that a change is answered with; 0: it is carried out; undefined: carried out, and never answered. */
  refusal: number | undefined
  changes: number
  /** What it says it is; undefined: it does not know the question. */
  versionComment: string | undefined
  /** The last change came inside TLS. */
  isSecret: boolean
}

/** `tls`: it offers TLS with this certificate. */
export async function startPasswordServer(
  password: string,
  tls?: { readonly cert: string; readonly key: string },
): Promise<PasswordServer> {
  const server = await startFakeServer({
    ...(tls === undefined ? {} : { tls }),
    onLogin: connection => {
      const { user, authResponse } = parseClientLogin(connection.login)
      const isRight = verifyNative(authResponse, SCRAMBLE, stage1Of(state.password))
      if (user === 'proxyro@sys' && isRight) connection.send(loginOk(connection, {}))
      else connection.error(ACCESS_DENIED, 'Access denied')
    },
    onCommand: (connection, command) => {
      const sql = command.subarray(1).toString()
      if (sql === "SHOW VARIABLES LIKE 'version_comment'") {
        if (state.versionComment === undefined) connection.error(SYNTAX_ERROR, 'not understood')
        else
          connection.rows({
            columns: ['Variable_name', 'Value'],
            rows: [['version_comment', state.versionComment]],
          })
        return true
      }
      const wanted = ALTER.exec(sql)?.[1]
      if (wanted === undefined) return false
      if (state.refusal !== undefined && state.refusal > 0) {
        connection.error(state.refusal, 'refused')
        return true
      }
      state.isSecret = connection.socket instanceof TLSSocket
      state.password = wanted.replace(/\\(.)/gs, '$1')
      state.changes += 1
      if (state.refusal === undefined) connection.socket.destroy()
      else connection.ok()
      return true
    },
  })
  const state: PasswordServer = {
    server,
    password,
    refusal: 0,
    changes: 0,
    versionComment: undefined,
    isSecret: false,
  }
  return state
}
