#!/usr/bin/env bash
# sanitized.sh address|thread PROGRAM [ARGUMENTS]: runs a test under its sanitizer. Every process
# that it starts, nodes and their guardians among them, reports into one folder, and any report
# fails the test: also that of a node which the test kills, or which is started again.
# CMake puts this before the tests of such a build; ctest, ./run and people use it alike.
set -uo pipefail
kind=$1
shift
house=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
reports=$(mktemp -d "${TMPDIR:-/tmp}/coterie-reports-XXXXXX")
trap 'rm -rf "$reports"' EXIT

under=()
case $kind in
  address)
    # Stacks are left and entered again: the copies of frames that detect_stack_use_after_return
    # makes are counted per thread, and run out when thousands of fibers are parked.
    export ASAN_OPTIONS="detect_stack_use_after_return=0:strict_string_checks=1:\
handle_sigill=1:log_path=$reports/report:${ASAN_OPTIONS:-}"
    ;;
  thread)
    export TSAN_OPTIONS="suppressions=$house/tsan.supp:second_deadlock_stack=1:\
log_path=$reports/report:${TSAN_OPTIONS:-}"
    # g++ 12's ThreadSanitizer cannot map its shadow where newer kernels put programs.
    under=(setarch "$(uname -m)" -R)
    ;;
  *)
    echo "sanitized.sh: '$kind' is neither address nor thread" >&2
    exit 2
    ;;
esac

status=0
"${under[@]}" "$@" || status=$?
if compgen -G "$reports/*" >/dev/null; then
  # One process may meet the same race often: the first reports tell.
  for report in "$reports"/*; do
    echo "== ${report##*.} reports:"
    head -n 400 "$report"
  done >&2
  ((status)) || status=1
fi
exit "$status"
