/** What a look at the host says of a proxy that another tool has installed as it should. */
import type { ProbeFacts } from '#contract/probe'

/** With the OB cluster `ob`, given at its start. */
export const FOREIGN_PROXY: ProbeFacts = {
  processes: 1,
  pid: 4711,
  user: 'admin',
  executable: '/opt/taobao/install/obproxy-4.3.1.0/bin/obproxy',
  isReplaced: false,
  workDir: '/opt/taobao/install/obproxy-4.3.1.0',
  command: './bin/obproxy',
  others: '',
  watchdogs: 1,
  autoStart: '',
  startsByHand: '',
  rpms: 'obproxy-4.3.1.0-4.el7.x86_64',
  ownedBy: 'obproxy-4.3.1.0-4.el7.x86_64',
  isListening: true,
  login: 'done',
  loginError: '',
  version: '4.3.1.0-4',
  workMode: 'RS_LIST',
  configUrl: '',
  appName: 'shop',
  sqlPort: 2883,
  exporterPort: 2884,
  obClusters: 'ob',
  obClusterCount: 1,
  parameterChecksum: 'f'.repeat(64),
  differing: 0,
  differences: '',
}
