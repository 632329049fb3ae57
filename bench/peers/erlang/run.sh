#!/usr/bin/env bash
# Usage: run.sh local|million|registry|dynsup ...   (OUT=file to append the JSON lines)
# Needs Debian: erlang-base erlang-dev elixir. Nothing listens on a network.
set -u
here=$(cd "$(dirname "$0")" && pwd)
build=${BUILD:-$(mktemp -d)}
out=${OUT:-$build/erlang.jsonl}
mkdir -p "$build"
(cd "$here" && erlc +inline -o "$build" ./*.erl) || exit 1

figures() { grep --line-buffered '^{' | tee -a "$out"; }
erlang() { erl $flags +P 4000000 -noinput -pa "$build" -eval "$1" | figures; }
in_elixir() {
  ELIXIR_ERL_OPTIONS="$flags +P 4000000" elixir -pa "$build" "$here/registry.exs" "$@" | figures
}

for cfg in ${CFGS:-2:2 1:1}; do
  flags="+S $cfg ${XFLAGS:-}"
  export BENCH_CFG="S$cfg${XTAG:-}"
  for workload in "$@"; do
    case $workload in
      local) erlang 'bench:local([]).' ;;
      million) for kind in genserver plain; do erlang "bench:million([$kind])."; done ;;
      registry) in_elixir registry ;;
      dynsup) in_elixir dynsup 1000000 ;;
    esac
  done
done
