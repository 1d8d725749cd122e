/** Documents of a config server, made for tests. */

export type Server = { readonly ip: string; readonly role?: string; readonly sqlPort?: unknown }

export const envelope = (data: unknown, rest: object = {}) =>
  JSON.stringify({ Code: 200, Message: 'successful', Success: true, Data: data, ...rest })

export const versionBody = (version: string) => envelope({ Version: version })

/** Document 1 in its long form. */
export const listBody = (version: string, clusters: readonly (readonly [string, string])[]) =>
  envelope({
    Version: version,
    ObProxyBinUrl: 'http://config/client?Action=GetObProxy',
    ObProxyDatabaseInfo: {
      MetaDataBase: 'http://config/m',
      DataBase: 'd',
      User: 'u',
      Password: 'p',
    },
    ObRootServiceInfoUrlList: clusters.map(([name, url]) => ({
      ObRegion: name,
      ObRootServiceInfoUrl: url,
    })),
  })

export const rsList = (servers: readonly Server[]) =>
  servers.map(({ ip, role = 'FOLLOWER', sqlPort = 2881 }) => ({
    address: `${ip}:2882`,
    role,
    sql_port: sqlPort,
  }))

export const member = (
  cluster: string,
  id: number,
  type: string,
  ...[servers, rest = {}]: readonly [servers: readonly Server[], rest?: object]
) => ({ ObRegion: cluster, ObRegionId: id, Type: type, RsList: rsList(servers), ...rest })
