/**
 * The catalogue of coded errors. Who is to blame, whether to try again, and how it reads to a MySQL
 * client and to a caller of the API follow from the code alone; nobody maps by message text.
 * Numbers of MySQL errors: proxy-protocol.md §8, proxy-admin.md §2.7.
 */

export type Blame = 'client' | 'proxy' | 'server' | 'operator' | 'network'

type FaultEntry = {
  readonly blame: Blame
  readonly retryable: boolean
  readonly mysql?: { readonly errno: number; readonly state: string }
  readonly http?: number
  /** `{name}` is replaced by a fact of that name. */
  readonly says: string
  readonly remedy: string
}

export const FAULTS = {
  'login.access-denied': {
    blame: 'client',
    retryable: false,
    mysql: { errno: 1045, state: '42000' },
    says: "Access denied for user '{user}'@'{host}' (using password: {using})",
    remedy: 'check user, tenant, cluster and password',
  },
  'login.compression': {
    blame: 'client',
    retryable: false,
    mysql: { errno: 1043, state: '08S01' },
    says: 'Bad handshake: compression was asked for and not offered',
    remedy: 'connect without compression, or with a driver that reads what is offered',
  },
  'login.unknown-cluster': {
    blame: 'client',
    retryable: false,
    mysql: { errno: 4669, state: 'HY000' },
    says: "cluster '{cluster}' not exist",
    remedy: 'use user@tenant#cluster with a cluster that this proxy is linked to',
  },
  'login.timeout': {
    blame: 'client',
    retryable: true,
    mysql: { errno: 1159, state: '08S01' },
    says: 'no complete login within {seconds} s',
    remedy: 'connect again and log in at once',
  },
  'request.timeout': {
    blame: 'client',
    retryable: true,
    mysql: { errno: 1159, state: '08S01' },
    says: 'Got timeout reading communication packets: no rest of the command within {seconds} s',
    remedy: 'connect again and send commands whole',
  },
  'login.too-many': {
    blame: 'operator',
    retryable: true,
    mysql: { errno: 1203, state: '42000' },
    says: 'Too many sessions',
    remedy: 'raise client_max_connections or close sessions',
  },
  'login.too-many-logins': {
    blame: 'operator',
    retryable: true,
    mysql: { errno: 1040, state: '08004' },
    says: 'Too many connections: {most} clients are logging in already',
    remedy: 'connect again, or raise client_login_max_connections',
  },
  'login.too-many-of-address': {
    blame: 'client',
    retryable: true,
    mysql: { errno: 1040, state: '08004' },
    says: 'Too many connections: {most} clients of {address} are logging in already',
    remedy: 'log in sooner after connecting, or raise client_login_max_connections_per_ip',
  },
  'login.too-long': {
    blame: 'client',
    retryable: false,
    mysql: { errno: 1835, state: 'HY000' },
    says: 'Malformed communication packet: login of more than {bytes} bytes',
    remedy: 'send fewer connection attributes, or raise client_login_max_size',
  },
  'protocol.malformed': {
    blame: 'client',
    retryable: false,
    mysql: { errno: 1835, state: 'HY000' },
    says: 'Malformed communication packet: {detail}',
    remedy: 'check the driver; only the MySQL 4.1 protocol is spoken here',
  },
  'protocol.unsupported-command': {
    blame: 'client',
    retryable: false,
    mysql: { errno: 1235, state: '0A000' },
    says: 'Not supported feature or function',
    remedy: 'this command is not supported through the proxy',
  },
  'route.not-prepared': {
    blame: 'client',
    retryable: false,
    mysql: { errno: 1295, state: 'HY000' },
    says: 'EXPLAIN ROUTE is not supported in the prepared statement protocol',
    remedy: 'send it as a text',
  },
  'route.unroutable': {
    blame: 'client',
    retryable: false,
    mysql: { errno: 1235, state: '0A000' },
    says: 'Not supported, bad route request: the first statement of a transaction names no table',
    remedy:
      'begin the transaction with a statement of a table, or turn enable_bad_route_reject off',
  },
  'route.no-server': {
    blame: 'server',
    retryable: true,
    mysql: { errno: 10013, state: 'HY000' },
    http: 503,
    says: 'Fail to build connection to observer: no server of tenant {tenant} could be reached',
    remedy: 'bring an OBServer of the tenant back',
  },
  'metadata.busy': {
    blame: 'proxy',
    retryable: true,
    says: '{most} questions wait for an answer of {server} already',
    remedy: 'look at the load of that server, and for logins to many tenants at once',
  },
  'metadata.crowded': {
    blame: 'operator',
    retryable: true,
    says: '{server} is not asked: {most} connections to its OB cluster are in use',
    remedy: 'raise mysql_client_num',
  },
  'metadata.late': {
    blame: 'server',
    retryable: true,
    says: 'a question waited {seconds} s for its turn at {server}',
    remedy: 'look at the load of that server',
  },
  'server.lost-reading': {
    blame: 'server',
    retryable: false,
    mysql: { errno: 10014, state: 'HY000' },
    says: 'An unexpected connection event received while proxy reading response',
    remedy: 'connect again; check whether the last statement took effect',
  },
  'server.lost-transaction': {
    blame: 'server',
    retryable: true,
    // Drivers and frameworks know this number as "run the transaction again".
    mysql: { errno: 1213, state: '40001' },
    says: 'The server of this transaction was lost, the transaction is rolled back; try restarting transaction{also}',
    remedy: 'run the transaction again from its beginning',
  },
  'server.lost-commit': {
    blame: 'server',
    retryable: false,
    mysql: { errno: 10014, state: '08007' },
    says: 'An unexpected connection event received while proxy reading response: whether the transaction was committed is unknown',
    remedy: 'connect again and look whether its changes are there before you run it again',
  },
  'session.state-lost': {
    blame: 'server',
    retryable: false,
    mysql: { errno: 10014, state: 'HY000' },
    says: 'A server of this session was lost, and with it {what}',
    remedy: 'make it again, or connect again',
  },
  'session.memory': {
    blame: 'client',
    retryable: false,
    mysql: { errno: 4080, state: 'HY013' },
    says: 'exceed memory limit: a session keeps at most {bytes} bytes of variables and statements',
    remedy: 'keep less in the session, or raise client_max_memory_size',
  },
  'session.not-owner': {
    blame: 'client',
    retryable: false,
    mysql: { errno: 1095, state: 'HY000' },
    says: 'You are not owner of thread {id}',
    remedy: 'log in as the same user, or as one with SUPER',
  },
  'session.no-server': {
    blame: 'client',
    retryable: true,
    mysql: { errno: 4637, state: 'HY000' },
    says: 'last session is invalid',
    remedy: 'run a statement first',
  },
  'session.idle': {
    blame: 'client',
    retryable: true,
    mysql: { errno: 10022, state: 'HY000' },
    says: 'OBProxy inactivity timeout: no command within {seconds} s',
    remedy: 'connect again; raise wait_timeout for connections that are kept',
  },
  'session.evicted': {
    blame: 'operator',
    retryable: true,
    // Pools know this state as a lost connection and take another one.
    mysql: { errno: 1152, state: '08S01' },
    says: 'This session will be disconnected: it was the least recently used one, and another client came',
    remedy: 'connect again; raise client_max_connections',
  },
  'session.init-sql': {
    blame: 'operator',
    retryable: false,
    mysql: { errno: 8006, state: 'HY000' },
    says: 'send init sql to observer failed: error {errno}, {left} statements of it have not run',
    remedy: 'correct init_sql for this tenant',
  },
  'session.prescribed': {
    blame: 'operator',
    retryable: false,
    mysql: { errno: 4179, state: 'HY000' },
    says: 'set {name} is not allowed: this proxy is set to {service}',
    remedy: 'use a proxy that is not, or change obproxy_read_only and obproxy_read_consistency',
  },
  'route.targets-lost': {
    blame: 'operator',
    retryable: true,
    mysql: { errno: 4179, state: 'HY000' },
    says: 'Not allow to route to target db server: none that target_db_server names can be reached',
    remedy: 'bring one of them back, or name others',
  },
  'route.not-a-server': {
    blame: 'client',
    retryable: false,
    mysql: { errno: 4179, state: 'HY000' },
    says: 'Not allow to route to target db server: {address} is no server of tenant {tenant}',
    remedy: 'SELECT @obproxy_route_addr shows how an address is written; 0 ends it',
  },
  'statement.unknown': {
    blame: 'client',
    retryable: false,
    mysql: { errno: 1243, state: 'HY000' },
    says: 'Unknown prepared statement handle',
    remedy: 'prepare it on this connection',
  },
  'statement.none': {
    blame: 'client',
    retryable: false,
    mysql: { errno: 4201, state: 'HY000' },
    says: 'hash map/set entry not exist',
    remedy: 'prepare it on this connection',
  },
  'statement.other-server': {
    blame: 'client',
    retryable: false,
    mysql: { errno: 1235, state: '0A000' },
    says: 'send piece info or fetch cursor target server is not the trans server',
    remedy: 'end the transaction first',
  },
  'cursor.unknown': {
    blame: 'client',
    retryable: false,
    mysql: { errno: 5931, state: 'HY000' },
    says: 'fetch out of sequence',
    remedy: 'execute the statement with a cursor first',
  },
  'server.timeout': {
    blame: 'server',
    retryable: false,
    mysql: { errno: 10015, state: 'HY000' },
    says: 'An timeout event received while obproxy reading response',
    remedy: 'connect again; raise ob_query_timeout for long statements',
  },
  'proxy.draining': {
    blame: 'operator',
    retryable: true,
    mysql: { errno: 1053, state: '08S01' },
    says: 'Server shutdown in progress',
    remedy: 'connect again, to another node',
  },
  'proxy.internal': {
    blame: 'proxy',
    retryable: false,
    mysql: { errno: 10001, state: 'HY000' },
    says: 'An internal error occured in obproxy',
    remedy: 'report it with the log of this time',
  },
  'admin.unknown-statement': {
    blame: 'client',
    retryable: false,
    mysql: { errno: 5010, state: '21000' },
    says: 'Unknown operator, bad internal cmd',
    remedy: 'see the admin statements of the manual',
  },
  'config.unknown-parameter': {
    blame: 'operator',
    retryable: false,
    mysql: { errno: 5099, state: '42000' },
    says: "System config unknown: '{name}'",
    remedy: 'SHOW PROXYCONFIG lists the names',
  },
  'config.invalid-value': {
    blame: 'operator',
    retryable: false,
    mysql: { errno: 4147, state: 'HY000' },
    says: "Invalid config: '{name}' {detail}",
    remedy: 'SHOW PROXYCONFIG LIKE shows what it is for and its range',
  },
  'config.read-only': {
    blame: 'operator',
    retryable: false,
    mysql: { errno: 1235, state: '0A000' },
    says: "Not supported feature or function: '{name}' cannot be changed",
    remedy: 'set it at start',
  },
  'proxyro.unreachable': {
    blame: 'network',
    retryable: true,
    says: 'no root service of OB cluster {cluster} answers: {reason}',
    remedy: 'look at its servers and at the way there, then repeat the operation',
  },
  'proxyro.refused': {
    blame: 'operator',
    retryable: false,
    says: 'OB cluster {cluster} lets proxyro in with none of the passwords that it may have',
    remedy: 'set the password of proxyro there to the one under {reference}',
  },
  'proxyro.not-changed': {
    blame: 'server',
    retryable: false,
    says: 'OB cluster {cluster} does not change the password of proxyro: error {errno}',
    remedy:
      'set it there as an administrator to the one under {reference}, then repeat the operation',
  },
  'config.level': {
    blame: 'operator',
    retryable: false,
    mysql: { errno: 1235, state: '0A000' },
    says: "Not supported feature or function: '{name}' {detail}",
    remedy:
      'SHOW PROXYCONFIG tells by config_level LEVEL_VIP what can be set below the global level; where, the text says',
  },
  'config.frozen': {
    blame: 'operator',
    retryable: true,
    mysql: { errno: 1290, state: 'HY000' },
    says: 'parameters cannot be changed while another process of this proxy takes over',
    remedy: 'connect again and repeat it; SHOW PROXYINFO UPGRADE tells how far it is',
  },
  'config.proxy-id': {
    blame: 'operator',
    retryable: false,
    mysql: { errno: 10025, state: 'HY000' },
    says: "Invalid config: 'proxy_id' is at most {most} while client_session_id_version is 1",
    remedy: 'set client_session_id_version=2 first, on every node behind this address',
  },
  'config.damaged': {
    blame: 'operator',
    retryable: false,
    says: '{file} is damaged',
    remedy: 'restore it, or remove it to start from defaults',
  },
  'config.not-written': {
    blame: 'operator',
    retryable: true,
    mysql: { errno: 1026, state: 'HY000' },
    says: 'configuration under {folder} could not be written, the old values are kept: {reason}',
    remedy: 'make room or mend the permissions, then try again',
  },
  'tls.required': {
    blame: 'client',
    retryable: false,
    mysql: { errno: 3159, state: 'HY000' },
    says: 'Connections using insecure transport are prohibited: ssl_attributes demands TLS',
    remedy: 'connect with TLS',
  },
  'tls.password-in-clear': {
    blame: 'operator',
    retryable: false,
    mysql: { errno: 2061, state: 'HY000' },
    says: 'Authentication requires secure connection: the client would send its password as it is, and the server of this proxy is reached without TLS',
    remedy: 'set enable_server_ssl and give the server TLS, or connect to the proxy without TLS',
  },
  'tls.unreadable': {
    blame: 'operator',
    retryable: true,
    mysql: { errno: 4147, state: 'HY000' },
    says: "Invalid config: '{name}' file {file} cannot be read: {reason}",
    remedy: 'put the file in place, readable for the proxy, then set the parameter again',
  },
  'tls.unusable': {
    blame: 'operator',
    retryable: false,
    mysql: { errno: 4147, state: 'HY000' },
    says: "Invalid config: '{name}' file {file} {reason}",
    remedy: 'put a valid PEM file in place, then set the parameter again',
  },
  'tls.mismatch': {
    blame: 'operator',
    retryable: false,
    mysql: { errno: 4147, state: 'HY000' },
    says: 'Invalid config: the key in {key} is not of the certificate in {certificate}',
    remedy: 'set ssl_certificate_file and ssl_private_key_file to a pair, in one statement',
  },
  'admin.no-tables': {
    blame: 'client',
    retryable: false,
    mysql: { errno: 5010, state: '21000' },
    says: 'Unknown operator, bad internal cmd: tenant proxysys is the proxy itself and has no tables',
    remedy: 'log in as a user of an OB cluster: user@tenant#cluster',
  },
  'admin.no-entry': {
    blame: 'client',
    retryable: false,
    mysql: { errno: 4018, state: 'HY000' },
    says: "Entry not exist: '{name}'",
    remedy: 'SHOW PROXYRESOURCE lists the OB clusters in use',
  },
  'admin.argument': {
    blame: 'client',
    retryable: false,
    mysql: { errno: 1210, state: 'HY000' },
    says: 'Invalid argument: {wanted} expected',
    remedy: 'see the admin statements of the manual',
  },
  'session.unknown': {
    blame: 'client',
    retryable: false,
    mysql: { errno: 1094, state: 'HY000' },
    says: 'Unknown thread id: {id}',
    remedy: 'SHOW PROCESSLIST lists the ids of this node',
  },
  'session.killed': {
    blame: 'operator',
    retryable: false,
    mysql: { errno: 1317, state: '70100' },
    says: 'Query execution was interrupted',
    remedy: 'connect again',
  },
  'order.malformed': {
    blame: 'client',
    retryable: false,
    says: 'the order cannot be read: {detail}',
    remedy: 'send it as contract/command encodes it',
  },
  'order.schema': {
    blame: 'client',
    retryable: false,
    says: 'the order has schema {schema}, this node reads up to {newest}',
    remedy: 'upgrade the node or send an older order',
  },
  'order.not-ours': {
    blame: 'client',
    retryable: false,
    says: 'the order has no entry for instance {instance}',
    remedy: 'send it to the instances that it names',
  },
  'order.incomplete': {
    blame: 'client',
    retryable: false,
    says: 'the order to {verb} has no {part}',
    remedy: 'plan the step again',
  },
  'order.fenced': {
    blame: 'client',
    retryable: false,
    says: 'the order of fence {fence} is older than fence {seen} that this node has seen',
    remedy: 'a newer operation has the node; plan this one again',
  },
  'order.expired': {
    blame: 'client',
    retryable: false,
    says: 'the order expired {seconds} s ago',
    remedy: 'send it again with a later expiry',
  },
  'node.usage': {
    blame: 'client',
    retryable: false,
    says: 'no such node command: {command}',
    remedy: 'see obproxy node help',
  },
  'node.no-identity': {
    blame: 'operator',
    retryable: false,
    says: 'OBFLEET_INSTANCE_ID is not set',
    remedy: 'set it in /etc/obfleet/node.env',
  },
  'node.busy': {
    blame: 'operator',
    retryable: true,
    says: 'another command has held this node for {seconds} s',
    remedy: 'wait for it to end, then try again',
  },
  'node.state-damaged': {
    blame: 'operator',
    retryable: false,
    says: '{file} is damaged: {reason}',
    remedy: 'restore it, or remove it and send the last order again with a higher fence',
  },
  'node.not-written': {
    blame: 'operator',
    retryable: true,
    says: '{file} could not be written, the old one is kept: {reason}',
    remedy: 'make room or mend the permissions, then try again',
  },
  'node.not-installed': {
    blame: 'operator',
    retryable: false,
    says: 'no proxy is installed in {home}',
    remedy: 'install first',
  },
  'node.other-node': {
    blame: 'operator',
    retryable: false,
    says: 'this host carries node {found}, not node {wanted}',
    remedy: 'uninstall that node first',
  },
  'node.foreign-process': {
    blame: 'operator',
    retryable: false,
    says: 'process {pid} runs {path}, which is not the proxy of this node',
    remedy: 'stop it and remove its automatic start',
  },
  'node.home-occupied': {
    blame: 'operator',
    retryable: false,
    says: '{home} is not empty and is not ours',
    remedy: 'move its content away or choose another install path',
  },
  'node.port-in-use': {
    blame: 'operator',
    retryable: true,
    says: '{address}:{port} is in use by another process',
    remedy: 'free the port or choose another one',
  },
  'node.disk-full': {
    blame: 'operator',
    retryable: true,
    says: '{folder} has not enough room: {detail}',
    remedy: 'make room, then try again',
  },
  'node.going-down': {
    blame: 'operator',
    retryable: true,
    says: 'the machine shuts down; the verb ended with {code}',
    remedy: 'none: the order is sent again',
  },
  'node.init-failed': {
    blame: 'operator',
    retryable: true,
    says: '{action} of {unit} failed: {reason}',
    remedy: 'look at the status of the unit on the node',
  },
  'node.not-ready': {
    blame: 'operator',
    retryable: true,
    says: 'the proxy is not ready after {seconds} s: {reason}',
    remedy: 'look at {log}, then start again',
  },
  'node.crash-loop': {
    blame: 'operator',
    retryable: true,
    says: 'the proxy ended {times} times while it started: {reason}',
    remedy: 'look at {log}, then start again',
  },
  'node.not-stopped': {
    blame: 'operator',
    retryable: true,
    says: 'the proxy still runs {seconds} s after it was told to stop, pid {pid}',
    remedy: 'stop again, or end the process by hand',
  },
  'node.admin-refused': {
    blame: 'operator',
    retryable: false,
    says: 'root@proxysys cannot log in at {address}: {reason}',
    remedy: 'compare the secret with the password that the proxy has',
  },
  'node.parameter-refused': {
    blame: 'operator',
    retryable: false,
    says: "the proxy refused parameter '{name}': {reason}",
    remedy: 'correct the value and plan the step again',
  },
  'node.not-running': {
    blame: 'operator',
    retryable: true,
    says: 'the proxy does not run, so it cannot be told to {verb}',
    remedy: 'start the node first',
  },
  'node.hot-refused': {
    blame: 'operator',
    retryable: true,
    says: 'the proxy cannot be restarted hot: {reason}',
    remedy: 'try again when that has changed, or force it',
  },
  'node.no-log-place': {
    blame: 'operator',
    retryable: true,
    says: 'the logs cannot be handed over: {reason}',
    remedy: 'check the way from this host to the API and to the object storage, then try again',
  },
  'node.memory-short': {
    blame: 'operator',
    retryable: true,
    says: 'the proxy has {used} MB and {available} MB are available, too little for two of it',
    remedy: 'free memory on the host, drain the node first, or force it',
  },
  'node.hot-restart-failed': {
    blame: 'proxy',
    retryable: true,
    says: 'no new process took the proxy over within {seconds} s: {reason}; {now}',
    remedy: 'look at the log of the proxy, then try again or force it',
  },
  'node.command-not-taken': {
    blame: 'proxy',
    retryable: true,
    says: 'the proxy did not go {command} within {seconds} s; it says that it is {status}',
    remedy: 'look at the log of the proxy, then try again',
  },
  'node.not-drained': {
    blame: 'operator',
    retryable: true,
    says: '{clients} clients are left after {seconds} s',
    remedy:
      'the node stays drained: drain it again to wait on, undrain it, or restart it without them',
  },
  'node.not-an-upgrade': {
    blame: 'operator',
    retryable: false,
    says: 'version {to} is older than {from}, which is installed',
    remedy: 'revert goes back to the version before, within a day',
  },
  'node.no-backup': {
    blame: 'operator',
    retryable: false,
    says: 'the node cannot go back to an earlier version: {reason}',
    remedy: 'install that version anew',
  },
  'node.wrong-version': {
    blame: 'proxy',
    retryable: false,
    says: 'the proxy says that it is version {found}, wanted is {wanted}',
    remedy: 'register the right package, then try again',
  },
  'node.upgrade-undone': {
    blame: 'proxy',
    retryable: true,
    says: 'the change to version {to} failed: {reason}; the node is as it was, version {from}',
    remedy: 'look at the log of the proxy, then try again',
  },
  'node.upgrade-stuck': {
    blame: 'proxy',
    retryable: true,
    says: 'the change to version {to} failed: {reason}; and the node is not as it was: {why}',
    remedy: 'send any order: it first goes on with the way back',
  },
  'node.not-takeable': {
    blame: 'operator',
    retryable: true,
    says: 'the proxy cannot be taken over: {reason}; nothing was changed',
    remedy: 'mend that, and look with dryRun=true before the next try',
  },
  'node.start-by-hand': {
    blame: 'operator',
    retryable: true,
    says: 'what starts the proxy at a boot cannot be switched off: {places}; nothing was changed',
    remedy:
      'take these lines or units out by hand, or give the full path of what they start in a line of its own, then try again',
  },
  'node.take-over-undone': {
    blame: 'proxy',
    retryable: true,
    says: 'the take-over failed: {reason}; the proxy is as it was found',
    remedy: 'look at the log of the node, then try again',
  },
  'node.take-over-stuck': {
    blame: 'proxy',
    retryable: true,
    says: 'the proxy could not be given back as it was found: {why}',
    remedy: 'send any order: it first goes on with the way back',
  },
  'node.not-as-found': {
    blame: 'operator',
    retryable: false,
    says: 'the proxy cannot be given back as it was found: {reason}',
    remedy: 'release it, so that it runs on as it is',
  },
  'node.proxy-id': {
    blame: 'proxy',
    retryable: true,
    says: 'the proxy has proxy_id {found}, wanted is {wanted}',
    remedy: 'restart the node',
  },
  'node.internal': {
    blame: 'proxy',
    retryable: false,
    says: 'the command failed: {reason}',
    remedy: 'report it with the node log of this time',
  },
  'secret.unreadable': {
    blame: 'operator',
    retryable: true,
    says: 'secret {reference} cannot be read: {reason}',
    remedy: 'check that it exists and that this instance may read it',
  },
  'package.forbidden-url': {
    blame: 'client',
    retryable: false,
    says: 'packages are not taken from {url}: {reason}',
    remedy: 'use spool:<file name>, an https or an s3 URL',
  },
  'package.unavailable': {
    blame: 'operator',
    retryable: true,
    says: 'package {file} cannot be fetched: {reason}',
    remedy: 'check the place it comes from, then try again',
  },
  'package.mismatch': {
    blame: 'operator',
    retryable: false,
    says: 'package {file} is not the registered one: {detail}',
    remedy: 'register the package again, or put the right file in place',
  },
  'package.damaged': {
    blame: 'operator',
    retryable: false,
    says: 'package {file} cannot be unpacked: {reason}',
    remedy: 'build and register it again',
  },
  'package.unsafe': {
    blame: 'client',
    retryable: false,
    says: 'package {file} is refused: {reason}',
    remedy: 'build it with plain files under its own folders only',
  },
} as const satisfies Record<string, FaultEntry>

export type FaultCode = keyof typeof FAULTS

/** A coded error with the facts of this case; `message` is the catalogue's text with the facts filled in. */
export class Fault extends Error {
  readonly code: FaultCode
  readonly facts: Readonly<Record<string, string | number>>

  constructor(
    code: FaultCode,
    facts: Readonly<Record<string, string | number>> = {},
    options?: ErrorOptions,
  ) {
    super(fill(FAULTS[code].says, facts), options)
    this.name = 'Fault'
    this.code = code
    this.facts = facts
  }

  get entry(): FaultEntry {
    return FAULTS[this.code]
  }
}

function fill(template: string, facts: Readonly<Record<string, string | number>>): string {
  return template.replace(/\{(\w+)\}/g, (whole, name: string) => String(facts[name] ?? whole))
}
