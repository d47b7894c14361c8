#!/bin/sh
# SPDX-License-Identifier: MIT
# The rows of the bench and those of its baseline are the same: a row that is not in the baseline is
# compared with nothing, and one that no longer exists is never looked at. `make check` runs it with
# OUT.
set -u

: "${OUT:=build}"
cd "$(dirname "$0")/../.." || exit 3
LC_ALL=C
export LC_ALL

bench=$OUT/tests/bench/bench
if [ ! -x "$bench" ]; then
    echo "skip: rows of the bench: it was not built"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
fi
tmp=$(mktemp -d "${TMPDIR:-/tmp}/miguard-bench-rows.XXXXXX") || exit 3
trap 'rm -rf "$tmp"' EXIT
trap 'exit 3' HUP INT TERM
. tests/support/check.sh

"$bench" --list | sed 's/ .*//' | sort >"$tmp/rows"
sed -n 's/^ *"\([^"]*\)": .*/\1/p' tests/bench/baseline.json | grep -vx processor |
    sort >"$tmp/baseline"

# Nothing must be printed.
no_lines() { # command...
    lines=$("$@") || return 1
    printf '%s\n' "$lines"
    [ -z "$lines" ]
}

check "the bench has rows" test -s "$tmp/rows"
check "each row is in the baseline (make bench BENCH=--update-baseline)" \
    no_lines comm -23 "$tmp/rows" "$tmp/baseline"
check "each row of the baseline exists" no_lines comm -13 "$tmp/rows" "$tmp/baseline"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
