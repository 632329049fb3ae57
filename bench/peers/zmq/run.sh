#!/usr/bin/env bash
# Raw libzmq on this machine: builds zmq_peer.cpp and runs it. One line a figure:
# name unit median least most runs.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
g++ -std=c++20 -O2 -pthread "$here/zmq_peer.cpp" -o "$folder/zmq_peer" -lzmq
"$folder/zmq_peer"
