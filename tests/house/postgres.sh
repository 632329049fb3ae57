#!/usr/bin/env bash
# A private PostgreSQL server in a folder, for tests. It listens on a Unix socket in that folder and
# on a port of 127.0.0.1; nobody else's server is touched. Everybody who reaches it is trusted.
#
#   postgres.sh start DIR [durable]   makes and starts it, prints its connection string; starting
#                                     again after a stop keeps the port and the data
#   postgres.sh stop DIR [fast|immediate]   does nothing if it is not running; immediate = a crash
#   postgres.sh restart DIR           stop fast, then start; clients lose their connections
#   postgres.sh info DIR              prints the connection string
#
# fsync is off unless `durable` is said at the first start: the tests kill servers, not machines, so
# what the server acknowledged is in the page cache and survives an immediate stop.
# PostgreSQL refuses root: as root everything runs as the user postgres.
set -euo pipefail

die() {
  printf 'postgres.sh: %s\n' "$*" >&2
  exit 1
}
(($# >= 2)) || die "usage: postgres.sh start|stop|restart|info DIR"
command=$1
mkdir -p "$2"
folder=$(cd "$2" && pwd)
mode=${3:-}
((${#folder} < 80)) || die "the path $folder is too long for a Unix socket in it"

bin=/usr/lib/postgresql/15/bin
[[ -x $bin/pg_ctl ]] || die "PostgreSQL 15 is missing: apt-get install postgresql-15"
cd /  # a folder that the user postgres can enter

as_owner() {
  if ((EUID == 0)); then
    runuser -u postgres -- "$@"
  else
    "$@"
  fi
}
info() { echo "host=$folder port=$(<"$folder/port") user=postgres dbname=postgres"; }
running() { as_owner "$bin/pg_ctl" -D "$folder/data" status >/dev/null 2>&1; }

create() {
  if ((EUID == 0)); then chown postgres "$folder"; fi
  as_owner test -w "$folder" || die "the user postgres cannot enter $folder; use one below /tmp"
  as_owner "$bin/initdb" -D "$folder/data" -U postgres -A trust --locale=C --encoding=UTF8 \
    --no-sync >"$folder/initdb.log" || die "initdb failed; see $folder/initdb.log"
  {
    echo "listen_addresses = '127.0.0.1'"
    echo "unix_socket_directories = '$folder'"
    echo "max_connections = 300"
    echo "shared_buffers = 64MB"
    if [[ $mode != durable ]]; then
      echo "fsync = off"
      echo "full_page_writes = off"
    fi
  } >>"$folder/data/postgresql.conf"
}

start() {
  [[ -f $folder/data/PG_VERSION ]] || create
  if running; then
    info
    return
  fi
  # A port below the range that the kernel gives out. When it is taken the start fails, and the
  # first start tries another; a restart must keep the port and waits for it.
  local attempt
  for attempt in {1..20}; do
    if [[ ! -f $folder/started ]]; then
      echo $((20000 + (RANDOM * 32768 + RANDOM) % 12000)) >"$folder/port"
    fi
    if as_owner "$bin/pg_ctl" -D "$folder/data" -l "$folder/server.log" -w -t 60 -s \
      -o "-p $(<"$folder/port")" start </dev/null >/dev/null 2>&1; then
      touch "$folder/started"
      info
      return
    fi
    sleep 0.2
  done
  tail -n 20 "$folder/server.log" >&2
  die "the server in $folder does not start"
}

stop() {
  if [[ -f $folder/data/PG_VERSION ]] && running; then
    as_owner "$bin/pg_ctl" -D "$folder/data" -m "${1:-fast}" -w -t 60 -s stop
  fi
}

case $command in
  start) start ;;
  stop) stop "$mode" ;;
  restart)
    stop fast
    start
    ;;
  info) info ;;
  *) die "unknown command $command; use start, stop, restart or info" ;;
esac
