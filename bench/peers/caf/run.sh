#!/usr/bin/env bash
# CAF, the C++ Actor Framework, on this machine: builds caf_peer.cpp and runs it. First line: its
# version; then one a figure: name unit median least most runs. Needs Debian's libcaf-dev, or a CAF
# installed below CAF_DIR.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
from=()
[[ -z ${CAF_DIR:-} ]] || from=(-I"$CAF_DIR/include" -L"$CAF_DIR/lib" "-Wl,-rpath,$CAF_DIR/lib")
g++ -std=c++17 -O2 -pthread ${from[@]+"${from[@]}"} "$here/caf_peer.cpp" -o "$folder/caf_peer" \
  -lcaf_core
"$folder/caf_peer"
