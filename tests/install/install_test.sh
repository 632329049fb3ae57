#!/usr/bin/env bash
# install_test.sh CMAKE BUILD COMPILER: installs the build into a folder of its own, then builds and
# runs project/ with nothing but find_package(coterie).
set -euo pipefail
cmake=$1 build=$2 compiler=$3
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

"$cmake" --install "$build" --prefix "$folder/prefix" >"$folder/install.log"
if grep -rnE '#include +"' "$folder/prefix/include"; then
  echo "an installed header includes one that is not installed" >&2
  exit 1
fi
if grep -rnF -e "$(cd "$here/../.." && pwd)" "$folder/prefix/lib"*/cmake \
  "$folder/prefix"/lib*/*/cmake 2>/dev/null; then
  echo "the package names the source tree" >&2
  exit 1
fi
# What the README shows is what is built here.
shown() { sed -n "/^\`\`\`$1\$/,/^\`\`\`\$/p" "$here/../../README.md" | sed '/^```/d'; }
diff <(shown cpp) <(sed 1,3d "$here/project/main.cpp")
diff <(shown cmake) "$here/project/CMakeLists.txt"
diff <(shown toml) "$here/project/cluster.toml"
cp -r "$here/project" "$folder/project"
"$cmake" -S "$folder/project" -B "$folder/build" -G Ninja -DCMAKE_PREFIX_PATH="$folder/prefix" \
  -DCMAKE_CXX_COMPILER="$compiler" -DCMAKE_BUILD_TYPE=Release
"$cmake" --build "$folder/build"

# A cluster of one node, with ports that are free here.
port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("", 0)); print(s.getsockname()[1])'
}
config=$folder/project/cluster.toml
sed -i -e "s/:7301/:$(port)/" -e "s/:7401/:$(port)/" "$config"
counters=$folder/build/counters
"$counters" --version
"$counters" node --config "$config" --name a &
node=$!
trap 'kill "$node" 2>/dev/null && wait "$node"; rm -rf "$folder"' EXIT
call() { "$counters" call --config "$config" --timeout 20s "$@"; }
for _ in $(seq 100); do
  "$counters" status --config "$config" >/dev/null && break
  kill -0 "$node"
  sleep 0.1
done
[[ $(call counters/visits add) == 1 ]]
[[ $(call counters/visits add '{"by": 41}') == 42 ]]
[[ $(call counters/visits get) == 42 ]]
kill "$node"
wait "$node"
trap 'rm -rf "$folder"' EXIT
