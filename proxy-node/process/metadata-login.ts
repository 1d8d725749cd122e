/** What the proxy itself logs in with to the servers of an OB cluster, by parameters as they are then. */
import { PROXYRO_SLOTS } from '#contract/parameters'
import type { MetadataLogin } from '../backend/metadata.ts'
import type { ServerTlsPort } from '../backend/server-tls.ts'
import type { ConfigStore } from '../config/store.ts'

/** `serverTls` where the OB cluster's level says so. */
export function metadataLogin(config: ConfigStore, serverTls: ServerTlsPort): MetadataLogin {
  return {
    passwords: cluster => PROXYRO_SLOTS.flatMap(name => stage1(config.at(name, cluster))),
    get timeoutMs() {
      return config.timeMs('short_async_task_timeout')
    },
    maxConnections: () => config.number('mysql_client_num'),
    tls: cluster => (config.at('enable_server_ssl', cluster) === 'True' ? serverTls : undefined),
  }
}

/** None when the slot is empty. */
function stage1(hex: string): Uint8Array[] {
  return hex === '' ? [] : [Buffer.from(hex, 'hex')]
}
