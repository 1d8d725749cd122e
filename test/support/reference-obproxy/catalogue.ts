/**
 * The 299 parameters of OBProxy 4.3.1, one a line: name, type, default, whether it needs a restart,
 * visible level, whether it may be set below the global level, range, meaning. Names, defaults, ranges
 * and levels are those that a running OBProxy shows; types and meanings are proxy-admin.md §3.2's. The
 * defaults of passwords are stand-ins of this stand-in: `proxysys`, `proxyro`, `proxyro`, `inspector`.
 */
export const CATALOGUE = `
app_name|text|undefined|reboot|SYS|||name of the proxy cluster/application; used as logicTenant in logs and metrics; cannot be changed by ALTER, only by -n at start
proxy_cluster|text|undefined||SYS|||name of the proxy cluster this process belongs to (informational, sent in diagnosis data)
proxy_id|int|0||SYS||[0, 8191]|unique instance number mixed into client session ids; must be unique per OceanBase cluster when client_session_id_version=2 or server mode
client_session_id_version|int|1||SYS||[1,2]|1 = old local ids (proxy_id < 256), 2 = globally unique 32-bit ids so that KILL works through any proxy
proxy_service_mode|text|client|reboot|SYS|||client (one proxy beside an application) or server (shared tier; requires proxy_id > 0)
listen_port|int|6688|reboot|SYS||(1024,65536)|SQL port; deployments always set 2883
rpc_listen_port|int|2885|reboot|SYS||(1024,65536)|OBKV/table-API RPC port
prometheus_listen_port|int|2884|reboot|SYS||(1024,65536)|HTTP exporter port
enable_obproxy_rpc_service|bool|True|reboot|SYS|||opens the RPC port at all
ip_listen_mode|int|1|reboot|SYS||[1, 3]|1 IPv4, 2 IPv6, 3 both
local_bound_ip|address|0.0.0.0|reboot|SYS|||IPv4 address to bind
local_bound_ipv6_ip|address|::|reboot|SYS|||IPv6 address to bind
mysql_version|text|5.6.25||USER|vip||version text returned in the handshake and version() for MySQL-mode users; digits and dots only
need_convert_vip_to_tname|bool|False||SYS|||cloud mode: derive tenant from (vip, vport, vid) instead of the user name
username_separator|list|:;-;.||SYS|||separators accepted in cluster:tenant:user style names; list of single characters
enable_full_username|bool|False||SYS|||non-cloud: reject logins lacking tenant or cluster part
enable_cloud_full_username|bool|False||SYS|vip||cloud: parse user name fully instead of treating all of it as the user
proxy_tenant_name|text|||SYS|vip||tenant assumed when the user name has none (single-tenant proxy)
enable_strict_kernel_release|bool|False|reboot|SYS|||refuse to start on kernels other than RHEL 5/6/7; every deployer sets false
ignore_local_config|bool|True||USER|||start from remote metadata even if cached JSON files exist
obproxy_config_server_url|text||reboot|SYS|||URL serving the JSON list of clusters (management plane or stand-alone config server); empty = rs_list mode
rootservice_list|list||reboot|SYS|||ip:sql_port;… seeds for rs_list mode
rootservice_cluster_name|text|undefined|reboot|SYS|vip||cluster name to which rootservice_list belongs
enable_get_rslist_remote|bool|False||SYS|||fetch RS list straight from the remote URL rather than cached JSON
config_server_refresh_interval|time|60s||USER||[10s,1d]|poll period of the config server
refresh_json_config|bool|False||MEMORY|||one-shot: pull the JSON now; resets itself to false
refresh_rslist|bool|False||MEMORY|||one-shot: re-pull RS lists of all clusters; resets itself
refresh_idc_list|bool|False||MEMORY|||one-shot: re-pull IDC/region lists; resets itself
refresh_config|bool|False||MEMORY|||one-shot: re-pull the application's parameters from the metadata database; resets itself
idc_list_refresh_interval|time|2h||USER||[10s, 1d]|period of IDC/region refresh
enable_metadb_used|bool|True|reboot|SYS|||keep registering with / pulling from a central metadata database; modern deployments set false
proxy_info_check_interval|time|60s||USER||[1s,1h]|period of the metadata-database check (version, upgrade command, heartbeat)
metadb_server_state_refresh_interval|time|60s||USER||[10ms, 1h]|server-state refresh period for the metadata cluster
metadb_batch_size|int|10||USER||[1, 30]|rows per REPLACE when importing central configuration
metadb_batch_interval|time|10ms||USER||[0ms, 60s]|pause between such batches
current_local_config_version|int|0||SYS||[0,]|version of the central configuration already applied; reset to 0 when app_name changes
local_vip_tenant_version|int|0||MEMORY||[0,]|version of the applied VIP→tenant mapping (memory only)
cluster_count_high_water_mark|int|256||USER||[2, 102400]|clusters cached before LRU eviction
cluster_expire_time|time|1d||USER||[0,]|idle time after which a cluster's resources are dropped
long_async_task_timeout|time|60s||USER||[1s,1h]|limit for long internal tasks
short_async_task_timeout|time|5s||USER||[1s,1h]|limit for short internal tasks
mysql_client_num|int|64||USER||[1,128]|internal client connections per cluster used for metadata SQL
enable_mysql_proxy_pool|bool|True||USER|||keep those internal connections pooled
obproxy_sys_password|text|e3fd448c516073714189b57233c9cf428ccb1bed||SYS|||hex SHA1 of root@proxysys password
observer_sys_password|text|6778d87c9faf9f1b7b23fdf2f3fac8b1c2741ae9||SYS|vip||hex SHA1 of the proxyro@sys password used towards observers
observer_sys_password1|text|6778d87c9faf9f1b7b23fdf2f3fac8b1c2741ae9||SYS|vip||second value tried on failure: enables password rotation
inspector_password|text|84c9f43f73b35351b1fa2ff704a2d073375d148e||SYS|||hex SHA1 for inspector@proxysys (may only PING PROXY)
skip_proxy_sys_private_check|bool|False||USER|||allow root@proxysys from public addresses; management planes set true
skip_proxyro_check|bool|False||SYS|||allow an external login as proxyro@sys through the proxy
enable_proxy_scramble|bool|False||SYS|||proxy generates its own handshake scramble (random salt) instead of a constant
enable_client_ssl|bool|False||SYS|vip||offer TLS to clients
enable_server_ssl|bool|False||SYS|vip||use TLS towards observers
ssl_attributes|text|||SYS|vip||JSON: force/disable TLS and minimum TLS version; new connections only
enable_cluster_checkout|bool|True||USER|||send cluster name at login so that the observer can refuse a mismatch
enable_client_ip_checkout|bool|True||USER|||send the client's address to the observer for its own white list
enable_shard_authority|bool|False||USER|||sharding: check logical users' rights
client_max_connections|int|8192||USER||[0,]|client connections per process; 0 = no limit
enable_client_connection_lru_disconnect|bool|False||SYS|||at the limit: true evicts the least recently used client, false refuses the new one
max_connections|int|60000||SYS||(128,65535]|file-descriptor ceiling for all connections
connect_observer_max_retries|int|3||USER||[2,5]|connect attempts per request
default_inactivity_timeout|time|180000s||USER||[1s,30d]|fallback idle timeout of a connection
observer_query_timeout_delta|time|20s||USER|vip|[1s,30s]|added to ob_query_timeout before the proxy itself gives up
min_congested_connect_timeout|time|100ms||USER||[1ms,1h]|connect time after which the target counts as alive-congested
sock_recv_buffer_size_out|size|0||USER||[0,8MB]|SO_RCVBUF towards observers (0 = kernel default)
sock_send_buffer_size_out|size|0||USER||[0,8MB]|SO_SNDBUF towards observers
sock_option_flag_out|int|3||USER||[0, 3]|observer sockets: bit0 TCP_NODELAY, bit1 keepalive, bit2 linger
sock_packet_mark_out|int|0||USER||[0,]|SO_MARK value
sock_packet_tos_out|int|0||USER||[0,]|IP TOS value
server_tcp_init_cwnd|int|0||USER||[0,64]|initial congestion window towards observers
server_tcp_keepidle|int|5||USER||[0,7200]|keepalive idle, s
server_tcp_keepintvl|int|5||USER||[0,75]|keepalive interval, s
server_tcp_keepcnt|int|5||USER||[0,9]|keepalive probes
server_tcp_user_timeout|int|0||USER||[0,20]|TCP_USER_TIMEOUT, s
client_sock_option_flag_out|int|3||USER||[0, 3]|client sockets: bit0 TCP_NODELAY, bit1 keepalive
client_tcp_keepidle|int|5||USER||[0,7200]|keepalive idle, s
client_tcp_keepintvl|int|5||USER||[0,75]|keepalive interval, s
client_tcp_keepcnt|int|5||USER||[0,9]|keepalive probes
client_tcp_user_timeout|int|0||USER||[0,20]|TCP_USER_TIMEOUT, s
net_accept_threads|int|2|reboot|USER||[0,8]|dedicated accept threads
frequent_accept|bool|True|reboot|USER|||accept on every worker
net_config_poll_timeout|time|1ms||USER||[0,]|no effect; kept for old files
default_buffer_water_mark|size|32KB||USER||[4B,64KB]|read-ahead low mark
request_buffer_length|size|4KB||USER||[1KB, 16MB]|initial request buffer
tunnel_request_size_threshold|size|8KB||USER||(0,16MB]|requests above this are streamed rather than buffered
enable_flow_control|bool|True||USER|||back-pressure between the two sides of a stream
flow_high_water_mark|size|64K||USER||[0,16MB]|stop reading above this
flow_low_water_mark|size|64K||USER||[0,16MB]|resume below this
flow_consumer_reenable_threshold|int|256||USER||[0,131072]|consumer wake-up tuning
flow_event_queue_threshold|int|5||USER||[0,20]|event-queue tuning
client_max_memory_size|size|8MB||SYS||[8KB, 64MB]|dynamic memory per client session
proxy_mem_limited|size|2G||USER||[100MB,100G]|process memory ceiling; see §6.3
enable_auto_restart|bool|False||USER|||local hot restart when memory reaches 80 % of the ceiling
stack_size|size|1MB|reboot|USER||[1MB,10MB]|thread stack
work_thread_num|int|128|reboot|USER||[1,128]|worker threads, or ceiling when automatic
automatic_match_work_thread|bool|True|reboot|USER|||workers = CPU count, bounded by work_thread_num
task_thread_num|int|2|reboot|USER||[1,4]|task threads
block_thread_num|int|1|reboot|USER||[1,4]|threads for blocking work
grpc_thread_num|int|8|reboot|USER||[8,16]|gRPC threads (sharding control plane)
grpc_client_num|int|9|reboot|USER||[9,16]|gRPC clients
shard_scan_thread_num|int|0|reboot|USER||[0,128]|shard scan threads; 0 = half of workers
enable_cpu_topology|bool|False|reboot|USER|||pin workers to cores
enable_cpu_isolate|bool|False|reboot|USER|||per-tenant CPU groups (cgroup), see §6.2
internal_cmd_mem_limited|size|16M||USER||[0,64MB]|result buffer of one admin statement; 0 = no limit
sqlaudit_mem_limited|size|0||USER||[0,1G]|ring buffer of SHOW SQLAUDIT; 0 = off
mem_leak_check_mod_name|text|||USER|||record allocation stacks of one module, ALL = every module
mem_leak_check_class_name|text|||USER|||record allocation stacks of one object pool
server_routing_mode|text|oceanbase||SYS|||oceanbase, random, mock or mysql
proxy_route_policy|text|||SYS|vip||read policy: follower_first, unmerge_follower_first, follower_only, force_readonly_zone, unmerge_zone_first and similar
proxy_idc_name|text|||SYS|vip||home IDC for near-first routing; a session variable may override it
proxy_primary_zone_name|text|||SYS|vip||pin routing to a zone
enable_primary_zone|bool|True||USER|||fall back to the tenant's primary zone order when no location is known
target_db_server|text|||SYS|vip||forced targets; groups by priority, ',' inside a group, ';' between; ignored inside -o
test_server_addr|text|||SYS|||targets for mock mode
enable_partition_table_route|bool|True||USER|||compute the partition from SQL
enable_pl_route|bool|True||USER|||route procedure calls / anonymous blocks
enable_index_route|bool|False||USER|||route by global index key
enable_reroute|bool|False||USER|||let an observer tell the proxy to resend elsewhere (needs protocol 2.0)
enable_weak_reroute|bool|True||USER|vip||same for weak reads
enable_single_leader_node_routing|bool|True||SYS|vip||shortcut when all leaders of a tenant are on one node
enable_cached_server|bool|True||USER|||keep the last session's server when no table location applies
enable_bad_route_reject|bool|False||USER|||reject transactions that cannot be routed rather than guess
enable_transaction_internal_routing|bool|True||USER|||distribute the statements of one transaction over servers
enable_xa_route|bool|True||USER|||hold XA START until the next DML shows the partition
enable_causal_order_read|bool|True||USER|||keep snapshot order for weak reads
enable_standby|bool|True||USER|||allow routing to standby tenants/clusters
enable_ldg|bool|False||SYS|||logical disaster group support
ldg_info_refresh_interval|time|20s||USER||[10s,1d]|refresh of that information
route_diagnosis_level|int|2||SYS|vip|[0,4]|0 off … 4 most detailed [ROUTE] diagnosis
routing_cache_mem_limited|size|128MB||USER||[1KB,100G]|memory for location/table/partition/routine caches
cache_cleaner_clean_interval|time|20s||USER||[1s, 1d]|cleaner period
tenant_location_valid_time|time|1d||USER||[0s,100d]|age after which a tenant-level location entry expires
delay_update_entry_interval|time|5s||USER||[0s,1d]|minimum gap between refreshes of one entry
normal_pl_update_threshold|int|100||SYS||[0,]|refreshes per second
limited_pl_update_threshold|int|10||SYS||[0,]|refreshes per second while a major merge runs
enable_async_pull_location_cache|bool|True||SYS|||serve the dirty entry while refreshing in the background
check_tenant_locality_change|bool|True||SYS|||locality change marks entries dirty
partition_location_expire_relative_time|int|0||SYS||[-36000000,36000000]|one-shot, ms: expire all entries created before now minus value, then returns to 0
location_expire_period_time|time|0d||SYS||[0s, 30d]|periodic forced expiry; 0 = never
location_expire_period|int|0||SYS||[0,36000000]|test-only form of the same (needs enable_qa_mode)
sql_table_cache_expire_relative_time|int|0||SYS||[-36000000,36000000]|one-shot expiry of the SQL→table cache, ms
sql_table_cache_mem_limited|size|128MB||USER||[1KB,100G]|memory of that cache
enable_congestion|bool|True||USER|||master switch of the black list
congestion_failure_threshold|int|5||USER||[0,]|failures within the window that congest a server; 0 = off
congestion_fail_window|time|120s||USER||[1s,1h]|window length
congestion_retry_interval|time|20s||USER||[1s,1h]|probe period of a congested server
min_keep_congestion_interval|time|20s||USER||[1s,1d]|minimum stay on the list
server_state_refresh_interval|time|20s||USER||[10ms, 1h]|period of reading server/zone state from the cluster
server_detect_mode|int|1||USER||[0,2]|0 none, 1 only target servers, 2 every server: active probing
server_detect_fail_threshold|int|3||SYS||[1,10000]|failed probes before the server counts as dead
server_detect_refresh_interval|time|1s||USER||[1ms, 1h]|probe scheduling period
detect_server_timeout|time|5s||USER||[1s,1h]|timeout of a probe statement
enable_ob_protocol_v2|bool|True||USER|||OceanBase 2.0 framing towards observers
enable_ob_protocol_v2_with_client|bool|False||USER|||same towards capable clients
enable_compression_protocol|bool|True||USER|||MySQL compressed framing towards observers
compression_algorithm|text||||vip||zlib:0–9 or empty; 0 turns compression off
enable_full_link_trace|bool|False||USER|||carry full-link trace spans (SHOW TRACE)
enable_global_ps_cache|bool|True|reboot|SYS|||share prepared-statement metadata between sessions
enable_session_info_verification|bool|False||USER|||verify synchronised session state on server change
enable_read_write_split|bool|False||SYS|vip||single-port read/write splitting
enable_transaction_split|bool|False||SYS|vip||extend it into transactions before the first write
obproxy_read_only|int|1||SYS|vip|[0,1]|0 read-only service, 1 read-write
obproxy_read_consistency|int|0||SYS|vip|[0,1]|0 leader, 1 follower (weak) reads by default
obproxy_force_parallel_query_dop|int|1||SYS|vip|[1,]|value pushed into the observer's forced DOP variable
ob_max_read_stale_time|int|-1||USER|vip|[-1,]|maximum staleness for weak reads, µs; −1 = unchecked
read_stale_retry_interval|time|5s||USER|vip|[0, 600s]|retry gap for a replica found stale
read_stale_remove_interval|time|6h||USER||[0s, 1d]|forget stale feedback after
init_sql|text|||SYS|vip||SET / ALTER SYSTEM SET statements sent after each server login
binlog_service_ip|text|||SYS|vip||binlog service addresses for binlog commands
syslog_level|level|WDIAG||USER|||level of the main log; also accepts module syntax
monitor_log_level|level|INFO||USER|||level of digest/slow/error/stat/diagnosis logs
xflush_log_level|level|ERROR||USER|||level of the alarm log
enable_async_log|bool|True||USER|||write logs asynchronously (may drop when busy)
enable_syslog_wf|bool|False||USER|||copy WARN and above into .wf files
enable_syslog_file_compress|bool|False||SYS|||zstd-compress rotated files
syslog_io_bandwidth_limit|size|30MB||USER||[0, 1GB]|bytes/s ceiling of log writing
max_log_file_size|size|256MB||USER||[1MB,1G]|rotate at
max_syslog_file_time|time|7d||USER||[1s,]|keep compressed files this long
max_syslog_file_count|int|0||USER||[0,]|keep this many compressed files; 0 = no limit
log_cleanup_interval|time|1m||USER||[5s,30d]|cleaner period
log_dir_size_threshold|size|64GB||USER||[256M,1T]|directory size that triggers deletion
log_file_percentage|int|80||USER||[0, 100]|share of (log bytes + free disk) that triggers deletion; 0 = ignore
digest_sql_length|int|1024||SYS|||SQL text kept in digest/slow logs
query_digest_time_threshold|time|100ms||USER|vip|[0s,30d]|write to digest log when slower
slow_query_time_threshold|time|500ms||USER|vip|[0s,30d]|write to slow log when slower; defines slowQuery=true
slow_proxy_process_time_threshold|time|2ms||USER||[0s,30d]|main-log line when the proxy's own preparation is slower
slow_transaction_time_threshold|time|1s||USER||[0s,30d]|main-log line for slow transactions
scan_buffered_rows_warning_threshold|int|50000||USER||[-1,]|sharding scan row warning
connection_diagnosis_option|int|3||USER||[0,3]|bit0 write connection diagnosis, bit1 give the client a descriptive error packet
protocol_diagnosis_level|int|0||SYS||[0,2]|0–2 protocol diagnosis detail
enable_prometheus|bool|True||USER|||collect and expose metrics
enable_extra_prometheus_metric|bool|False||USER|||add byte and route-entry metrics
prometheus_sync_interval|time|1m||USER||[1s,1h]|flush of per-thread counters into exposed series; OCP sets 1s
prometheus_cost_ms_unit|bool|False|reboot|SYS|||cost metrics in ms rather than µs
monitor_item_limit|int|3000||SYS||[0,10000]|ceiling of distinct series / stat rows
monitor_item_max_idle_period|time|30m||USER||[1m, 1d]|idle series removal age
enable_monitor_stat|bool|True||USER|||collect stat-log aggregates
monitor_stat_dump_interval|time|1m||USER||[1s,1h]|stat-log period
monitor_cost_ms_unit|bool|False||SYS|||stat/digest costs in ms text rather than µs
monitor_stat_low_threshold|time|30ms||USER||[0s, 5s]|lower edge of bucket 1
monitor_stat_middle_threshold|time|100ms||USER||[0s, 30s]|lower edge of bucket 2
monitor_stat_high_threshold|time|500ms||USER||[0s, 1m]|lower edge of bucket 3
stat_table_sync_interval|time|60s||USER||[0s,1d]|push of persistent counters to the metadata database; 0 = off
stat_dump_interval|time|6000s||USER||[0s,1d]|dump of all counters into the main log; 0 = off
enable_sync_all_stats|bool|True||USER|||push all rather than selected counters
enable_report_session_stats|bool|False||USER|||push per-session counters too
enable_trans_detail_stats|bool|True||USER|||phase timing counters
enable_strict_stat_time|bool|False||USER|||use the precise clock everywhere (costs CPU)
enable_mysqlsm_info|bool|True||USER|||no effect
enable_trace_stats|bool|False||USER|||collect SHOW PROXYTRACE attempts
enable_stat|bool|True||SYS|||master switch of request statistics
enable_trace|bool|True||SYS|||print trace information in logs
enable_performance_mode|bool|False||SYS|||turn off statistics and detailed logs for benchmarks
hot_upgrade_exit_timeout|int|30000000||USER||[-1,86400000000]|drain time in µs of the old process and of the INACTIVE state; −1 wait for ever, 0 at once
hot_upgrade_rollback_timeout|time|24h||USER||[1s,30d]|time a new process may take before it is rolled back
hot_upgrade_failure_retries|int|5||USER||[1,20]|attempts before the command is refused
proxy_hot_upgrade_check_interval|time|5s||USER||[1s,1h]|poll of upgrade/local commands
proxy_local_cmd|int|0||MEMORY||[0,4]|0 none, 1 exit, 2 hot restart, 3 go offline, 4 go online; resets to 0
fetch_proxy_bin_random_time|time|300s||USER||[1s,1h]|random delay before downloading a binary
fetch_proxy_bin_timeout|time|120s||USER||[1s,1200s]|download limit
delay_exit_time|time|100ms||USER||[100ms,500ms]|pause between TERM and exit
enable_qos|bool|False||USER|||evaluate limiter and fuse rules
qos_stat_clean_interval|time|1m||USER||[1s,1h]|cleaner period of rule counters
qos_stat_item_max_idle_period|time|30m||USER||[1m, 1d]|idle counter removal age
qos_stat_item_limit|int|3000||SYS||[0,10000]|ceiling of counters
enable_sequence_prefetch|bool|True||USER|||sharding sequence prefetch
sequence_prefetch_threshold|int|7000||USER||[0,10000]|prefetch trigger, 1/10000 of the range
sequence_entry_expire_time|time|1d||USER||[0s,1d]|cached sequence age
sequence_fail_retry_count|int|2||USER||[0,100]|sequence retries
enable_sharding|bool|False|reboot|USER|||turn the sharding front end on
use_local_dbconfig|bool|False||USER|||sharding rules from local files
auto_scan_all|bool|False||USER|||scan every shard when no key
enable_cross_shard_txn|bool|True||USER|||allow cross-shard reads in a transaction
sidecar_node_id|text|||USER|||node id at the mesh control plane
dataplane_host|text|||USER|||control-plane address
grpc_timeout|time|30m||USER||[1s,1d]|gRPC timeout
env_tenant_name|text|||USER|||mesh tenant
workspace_name|text|||USER|||mesh workspace
server_zone|text|||USER|||mesh zone
pod_name|text|||USER|||pod
pod_namespace|text|||USER|||namespace
instance_ip|text|||USER|||own address
runtime_env|text|||USER|||environment label
mng_url|text|||USER|||console URL
cloud_instance_id|text|||USER|||cloud instance
domain_name|text|||USER|||domain
bt_server_addr|text|||USER|||trust server
bt_retry_times|int|3|reboot|USER||[0,100]|trust retries
bt_mode|text|||USER|||trust mode
citadel_agent_ip|text|||USER|||key agent
is_pool_mode|bool|False||USER|||shared session pool on
enable_conn_precreate|bool|False||USER|||pre-create pool connections
enable_session_pool_for_no_sharding|bool|False||USER|||pool for ordinary users as well
enable_no_sharding_skip_real_conn|bool|False||USER|||check saved password rather than opening a server connection at login
need_release_after_tx|bool|False||USER|||return server session after each transaction
use_local_session_prop|bool|False||USER|||pool properties from local file
session_pool_retry_interval|time|1ms||USER||[0s,1d]|pool wait step
refresh_server_cont_num|int|5||USER||[0,100]|refresh tasks
create_conn_cont_num|int|10||USER||[0,100]|creator tasks
max_pending_num|int|100000||USER||[0,1000000]|pending creations
session_pool_cont_delay_interval|time|5ms||USER||[0s,1d]|task delay
session_pool_default_min_conn|int|0||USER||[0,10000]|pool minimum
session_pool_default_max_conn|int|20||USER||[0,100000]|pool maximum
session_pool_default_idle_timeout|time|1800s||USER||[0s,1d]|pool idle timeout
session_pool_default_blocking_timeout|time|500ms||USER||[0ms,2s]|pool borrow timeout
session_pool_default_prefill|bool|False||USER|||fill pool at start
session_pool_stat_log_ratio|int|9000||USER||[0, 10000]|log when usage (1/10000) exceeds
session_pool_stat_log_interval|time|1m||USER||[0s,1d]|pool log period
rpc_request_timeout|int|5000000||SYS||[0,)|default request timeout, µs; 0 = none
rpc_request_timeout_delta|time|500ms||USER||[0ms,30s]|extra time granted in the proxy
rpc_net_timeout_base|int|5||SYS||[0,)|ms of network time per byte
rpc_request_max_retries|int|300||SYS||[1,)|retries on partition lookup errors
rpc_request_server_entry_max_retries|int|3||SYS||[1,)|retries per server entry
rpc_request_retry_waiting_time|time|1ms||USER||[0ms,10s]|pause between retries
rpc_sub_req_max_retries|int|10|reboot|SYS||[0, 50]|retries of a split part
rpc_support_key_partition_shard_request|bool|False||SYS|||split requests on key-partitioned tables
rpc_max_request_batch_size|int|20||SYS||[1,)|requests batched per write
rpc_max_response_batch_size|int|20||SYS||[1,)|responses batched per write
rpc_max_server_table_entry_num|int|10||SYS||[1,)|connections per server
rpc_server_net_invalid_time_us|int|10000000||USER|||broken connection age
rpc_server_net_max_pending_request|int|10||USER|||pipelined requests per connection
rpc_srv_session_pool_inactive_timeout|time|30s||USER||[0s,1d]|server connection idle timeout
rpc_server_net_handler_expire_time|time|1d||USER||[0s,]|handler age
rpc_server_entry_expire_time|time|1d||USER||[0s,]|server entry age
rpc_ctx_expire_time|time|1d||USER||[0,]|login context age
rpc_period_task_interval|time|600s||USER||[1ms,1d]|housekeeping period
rpc_enable_reroute|bool|True||USER|||follow the server's move response
rpc_enable_congestion|bool|False||USER|||apply the black list to writes
rpc_enable_global_index|bool|False||USER|||route queries by global index
rpc_enable_force_srv_black_list|bool|False||USER|||use rpc_force_srv_black_list at login
rpc_force_srv_black_list|list|||USER|||ip:rpc_port;… never used for login
rpc_enable_direct_expire_route_entry|bool|False||USER|||expire at once on routing failure
rpc_enable_retry_request_info_log|bool|True||USER|||log retried requests
rpc_enable_async_pull_batch_tablets|bool|False||SYS|||background batch location pull
rpc_async_pull_batch_max_size|int|10|reboot|USER||[2,50]|batch size
rpc_async_pull_batch_max_times|int|0||SYS||[0,)|batches per entry
rpc_async_pull_batch_wait_interval|time|10ms||USER||[1ms, 1s]|wait between batches
enable_qa_mode|bool|False||SYS|||unlock test behaviour
qa_mode_mock_public_cloud_slb_addr|text|127.0.0.1:33045||USER|||fake VIP address
qa_mode_mock_public_cloud_vid|int|1||USER||[1,102400]|fake VIP id
`
