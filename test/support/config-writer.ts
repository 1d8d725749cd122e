/** A process that changes two parameters and a row together as fast as it can and says each that is kept. */
import { writeSync } from 'node:fs'
import { GLOBAL_LEVEL } from '../../proxy-node/config/levels.ts'
import { ConfigStore } from '../../proxy-node/config/store.ts'

const store = ConfigStore.open(process.argv[2] ?? '', new Map())
const EVERYWHERE = { vid: '-1', vip: '', vport: 0, tenant: '', cluster: '', level: GLOBAL_LEVEL }
const EAST = { ...EVERYWHERE, cluster: 'east', level: 'LEVEL_CLUSTER' }
for (let turn = store.number('client_max_connections') + 1; ; turn++) {
  const value = String(turn)
  store.replaceRows([
    { ...EVERYWHERE, name: 'client_max_connections', value },
    { ...EVERYWHERE, name: 'sock_packet_mark_out', value },
    { ...EAST, name: 'ob_max_read_stale_time', value },
  ])
  writeSync(1, `${turn}\n`)
}
