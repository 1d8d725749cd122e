/** The parameters of client sessions as one value for the workers (proxy-protocol.md §9). */
import type { ConfigStore } from '../config/store.ts'
import type { SessionSettings } from '../session/ports.ts'

export function sessionSettings(config: ConfigStore): SessionSettings {
  return {
    maxAttempts: config.number('connect_observer_max_retries'),
    connectTimeoutMs: config.timeMs('short_async_task_timeout'),
    loginTimeoutMs: 10_000,
    queryTimeoutDeltaMs: config.timeMs('observer_query_timeout_delta'),
    maxMemoryBytes: config.number('client_max_memory_size'),
    usesOb20: config.isOn('enable_ob_protocol_v2'),
    routesAtRandom: config.get('server_routing_mode') === 'random',
  }
}
