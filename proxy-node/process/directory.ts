/** Where the node's clusters come from, by its parameters. Source: proxy-routing.md §3.1. */
import { systemClock } from '../base/clock.ts'
import type { ConfigStore } from '../config/store.ts'
import { httpGetter } from '../net/http-get.ts'
import { type ClusterDirectory, staticDirectory } from '../topology/cluster-directory.ts'
import { ConfigServerDirectory } from '../topology/config-server.ts'
import { copyFiles } from './copy-files.ts'

/** A list of many clusters with their servers. */
const MAX_ANSWER_BYTES = 16 * 1024 * 1024

export function clusterDirectory(
  config: ConfigStore,
  workdir: string,
  say: (line: string, isFailure: boolean) => void,
): ClusterDirectory {
  const url = config.get('obproxy_config_server_url')
  if (url === '')
    return staticDirectory({
      name: config.get('rootservice_cluster_name'),
      rootservices: config.get('rootservice_list'),
    })
  return new ConfigServerDirectory({
    url,
    get: httpGetter(MAX_ANSWER_BYTES, systemClock),
    copies: copyFiles(workdir),
    clock: systemClock,
    random: Math.random,
    prefersCopies: !config.isOn('ignore_local_config'),
    intervals: () => ({
      configMs: config.timeMs('config_server_refresh_interval'),
      idcMs: config.timeMs('idc_list_refresh_interval'),
    }),
    say,
  })
}
