/** Settings of a host for suites that run verbs in this process: no plane, no AWS. */
import type { Paths } from '../../proxy-node/control/paths.ts'
import type { Settings } from '../../proxy-node/control/settings.ts'

export function hostSettings(paths: Paths, more: Partial<Settings> = {}): Settings {
  return {
    paths,
    instanceId: 'i-1',
    bootId: 'b',
    address: undefined,
    region: 'local',
    apiUrl: undefined,
    ssmEndpoint: undefined,
    s3Endpoint: undefined,
    credentials: undefined,
    reportPeriodSec: 60,
    ...more,
  }
}
