/** A process that changes two parameters together as fast as it can and says each that is kept. */
import { writeSync } from 'node:fs'
import { ConfigStore } from '../../proxy-node/config/store.ts'

const store = ConfigStore.open(process.argv[2] ?? '', new Map())
for (let turn = store.number('client_max_connections') + 1; ; turn++) {
  store.alter([
    ['client_max_connections', String(turn)],
    ['sock_packet_mark_out', String(turn)],
  ])
  writeSync(1, `${turn}\n`)
}
