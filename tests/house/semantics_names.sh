#!/bin/sh
# What the tables of docs/semantics.md say holds a rule exists: tests by name, whole suites
# (`Suite.*`), beginnings (`Name...`), programs of examples/ and of tests/process/compile_errors.
#   semantics_names.sh ROOT
set -eu
cd "$1"
known=$(mktemp)
trap 'rm -f "$known"' EXIT
# "Suite.Name" a line; a macro's arguments may stand on two lines.
cat tests/*/*.cpp | tr '\n' ' ' | grep -oE 'TEST(_F|_P)?\( *[A-Za-z0-9_]+, *[A-Za-z0-9_]+\)' |
  sed -E 's/TEST(_F|_P)?\( *([A-Za-z0-9_]+), *([A-Za-z0-9_]+)\)/\2.\3/' >"$known"

# The last column of tables of tests; of the cases, held here and between nodes, the last two.
tokens=$(awk -F'|' '
  /^\| ---/ { active = (header ~ /(test|held by|between nodes) \|$/); two = (header ~ /between/) }
  /^\|/ && !/^\| ---/ && active { print $(NF - 1); if (two) print $(NF - 2) }
  /^[^|]/ || /^$/ { active = 0 }
  { header = $0 }' docs/semantics.md |
  grep -oE '`[^`]+`' | tr -d '`' | sort -u)

failed=0
for token in $tokens; do
  case $token in
    example.*) [ -n "$(find examples -name "${token#example.}.cpp")" ] ;;
    compile_error.*)
      stem=${token#compile_error.}
      [ -n "$(find tests/process/compile_errors -name "${stem%\*}*.cpp")" ] ;;
    *_test) [ -n "$(find tests -name "$token.cpp")" ] ;;
    *.\*) grep -q "^${token%\*}" "$known" ;;
    *.*...) grep -q "^${token%...}" "$known" ;;
    *...) grep -q "\.${token%...}" "$known" ;;
    *.*) grep -qx "$token" "$known" ;;
    *) grep -q "\.$token\$" "$known" ;;
  esac || { echo "docs/semantics.md names $token, which does not exist"; failed=1; }
done
exit "$failed"
