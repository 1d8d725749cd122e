#!/bin/bash
# Starts obproxy and keeps it running, as proxy-admin.md §1.4 has it. Usage:
#   obproxyd.sh -c start|stop|status|checkalive [-n APP] [-p PORT] [-i IDC] [-e ENV]
#               [-u CONFIG_URL | -r -t IP:PORT;… -s CLUSTER]
# OBPROXY_LOCAL_IP is where the proxy listens, OBPROXYD_FIRST_WAIT_SEC how long the first check waits.

home=$(cd "$(dirname "$0")/.." && pwd -P) || exit 1
# The host that this is: what is stopped by name is stopped on all of it.
root=${home%/opt/taobao/install/obproxy-*}
verb='' app=${APP_NAME:-undefined} port=${OBPROXY_PORT:-2883} idc=${OBPROXY_IDC_NAME:-}
url=${OBPROXY_CONFIG_SERVER_URL:-} is_root_mode='' list='' cluster=''

while getopts 'c:n:p:i:e:u:rt:s:' option; do
  case $option in
    c) verb=$OPTARG ;;
    n) app=$OPTARG ;;
    p) port=$OPTARG ;;
    i) idc=$OPTARG ;;
    e) : ;;
    u) url=$OPTARG ;;
    r) is_root_mode=1 ;;
    t) list=$OPTARG ;;
    s) cluster=$OPTARG ;;
    *) exit 1 ;;
  esac
done

# Processes of this host by their name.
pids() {
  local pid
  for pid in $(pgrep -x "$1"); do
    case "$(readlink "/proc/$pid/cwd" 2>/dev/null)/" in
      "$root"/*) [ "$pid" = $$ ] || echo "$pid" ;;
    esac
  done
}

watchdogs() {
  local pid
  for pid in $(pids obproxyd.sh); do
    if tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -q -- ' -c watch '; then echo "$pid"; fi
  done
}

is_alive() {
  [ -n "$(pids obproxy)" ] &&
    timeout 2 bash -c "exec 3<>/dev/tcp/${OBPROXY_LOCAL_IP:-127.0.0.1}/$port" 2>/dev/null
}

where_clusters_are() {
  if [ -n "$is_root_mode" ]; then
    mode=(-r "$list" -c "$cluster" -o 'obproxy_config_server_url=')
  elif [ -n "$url" ]; then
    mode=(-o "obproxy_config_server_url=$url")
  else
    mode=()
  fi
}

first_start() {
  local options='server_detect_mode=0,enable_qos=true,monitor_stat_dump_interval=1s'
  options+=',query_digest_time_threshold=2ms,monitor_cost_ms_unit=true,enable_proxy_scramble=true'
  options+=',proxy_mem_limited=2G,log_dir_size_threshold=10G'
  [ -z "$idc" ] || options+=",proxy_idc_name=$idc"
  [ -z "${WORK_THREAD_NUM:-}" ] || options+=",work_thread_num=$WORK_THREAD_NUM"
  [ -z "${OBPROXY_EXTRA_OPT:-}" ] || options+=",$OBPROXY_EXTRA_OPT"
  ./bin/obproxy -p "$port" -n "$app" -o "$options" "${mode[@]}"
}

cd "$home" || exit 1
where_clusters_are
case $verb in
  start)
    if [ -n "$(watchdogs)" ]; then
      echo 'obproxyd is running'
      exit 0
    fi
    [ -n "$(pids obproxy)" ] || first_start
    setsid "$home/bin/obproxyd.sh" "$@" -c watch </dev/null >>log/obproxyd.log 2>&1 &
    echo 'obproxyd is started'
    ;;
  watch)
    sleep "${OBPROXYD_FIRST_WAIT_SEC:-8}"
    while :; do
      sleep 1
      is_alive || ./bin/obproxy -p "$port" -n "$app" "${mode[@]}"
    done
    ;;
  stop)
    for pid in $(watchdogs); do kill -9 "$pid"; done
    for pid in $(pids obproxy); do kill -TERM "$pid"; done
    for _ in $(seq 30); do
      [ -n "$(pids obproxy)" ] || break
      sleep 0.1
    done
    for pid in $(pids obproxy); do kill -9 "$pid"; done
    echo 'obproxy is stopped'
    ;;
  status)
    echo "obproxyd: $(watchdogs | tr '\n' ' ')obproxy: $(pids obproxy | tr '\n' ' ')"
    [ -n "$(watchdogs)" ] && [ -n "$(pids obproxy)" ]
    ;;
  checkalive)
    is_alive
    ;;
  *)
    echo 'usage: obproxyd.sh -c start|stop|status|checkalive' >&2
    exit 1
    ;;
esac
