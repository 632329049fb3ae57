#!/bin/sh
# Runs an example in an empty directory and compares its standard output with a file:
#   expect_output.sh PROGRAM EXPECTED
# Pids and UTC times, which differ from run to run, are compared as <pid> and <time>. What the node
# logs goes to standard error and is shown when the test fails. Of a document (EXPECTED.md) the
# Mermaid diagram is compared.
set -eu
program=$1
expected=$2
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
cd "$directory"
mkdir run

code=0
(cd run && "$program" >../printed 2>../logged) || code=$?
sed -E -e 's/<[0-9a-f]+\.[0-9]+\.[0-9]+>/<pid>/g' \
  -e 's/[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:]{8}(\.[0-9]+)?Z/<time>/g' printed >output
case $expected in
  *.md) sed -n '/^```mermaid$/,/^```$/{/^```/d;p}' "$expected" >wanted ;;
  *) cp "$expected" wanted ;;
esac

failed=0
if [ "$code" -ne 0 ]; then
  echo "$program ended with $code"
  failed=1
fi
if ! diff -u wanted output; then
  echo "$program does not print what $expected says"
  failed=1
fi
if [ -n "$(ls -A run)" ]; then
  echo "$program leaves files behind: $(ls -A run)"
  failed=1
fi
[ "$failed" -eq 0 ] || { echo "--- its log:"; cat logged; }
exit "$failed"
