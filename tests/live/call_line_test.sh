#!/bin/sh
# SPDX-License-Identifier: MIT
# `miguard audit explain` says the function and line of source that a refused call came from, as long as
# the module's file is the one of the record, and nothing that a file holds does harm. A place is one row
# of a report, whatever path its module was loaded by. One line a check; `make check` runs it with OUT
# and CC.
set -u

: "${OUT:=build}" "${CC:=gcc}"
cd "$(dirname "$0")/../.." || exit 3
LC_ALL=C
export LC_ALL
unset MIGUARD_POLICY DEBUGINFOD_URLS

tmp=$(mktemp -d "${TMPDIR:-/tmp}/miguard-line-test.XXXXXX") || exit 3
trap 'rm -rf "$tmp"' EXIT
trap 'exit 3' HUP INT TERM
. tests/support/check.sh
skipped=0
miguard=$PWD/$OUT/miguard

finish() {
    printf '%d passed, %d failed, %d skipped\n' $passed $failed $skipped
    [ $failed -eq 0 ]
    exit
}

skip_all() { # why
    echo "skip: function and line of a call: $1"
    skipped=1
    finish
}
[ "$OUT" = build ] || skip_all "a sanitizer needs more memory than the child has; checked with the plain build"
if [ "$(id -u)" -ne 0 ] || ! "$miguard" doctor --json | tr -d ' \n' | grep -q '"name":"gate","works":true'; then
    skip_all "needs root and a gate"
fi

# The parameter makes the provider try to change its credentials behind the gate.
stray() { # log module
    "$miguard" run --report --audit "$1" --module "$2" invoke root/test MG_Impersonator Act Name=setfsuid \
        >/dev/null
}

explained() { # log: the first refusal of the gate
    timeout 60 "$miguard" audit explain "$id" "$1"
}

mkdir "$tmp/a" "$tmp/b"
cp "$OUT/providers/impersonator.so" "$tmp/a/libimp.so.1"
ln -s ../a/libimp.so.1 "$tmp/b/libimp.so"
stray "$tmp/log" "$tmp/a/libimp.so.1" && stray "$tmp/log" "$tmp/b/libimp.so" || skip_all "the provider does not run"
id=$("$miguard" audit search --decision deny --format json "$tmp/log" |
    sed -n 's/.*"id":"\([0-9a-f]*-[0-9]*\)".*/\1/p' | head -n 1)
# The call is inlined: the line is of the function that the compiler put into change_fsuid().
line=$(grep -n 'SYS_setfsuid, uid' tests/providers/impersonator.c | cut -d : -f 1)

if ! explained "$tmp/log" | grep -q '^Source '; then
    if pkg-config --exists libdw; then
        check "function and line are said" false
        finish
    fi
    skip_all "built without libdw"
fi

says_line() {
    explained "$tmp/log" >"$tmp/text" && cat "$tmp/text"
    grep -q "^Source  *change_fsuid at .*impersonator.c:$line\$" "$tmp/text"
}

says_nothing() { # what is in the place of the module
    explained "$tmp/log" >"$tmp/text" 2>"$tmp/errors" || return 1
    cat "$tmp/text" "$tmp/errors"
    ! grep -q '^Source' "$tmp/text" && grep -q '^Record ' "$tmp/text" && [ ! -s "$tmp/errors" ]
}

one_row() {
    "$miguard" audit report --json "$tmp/log" >"$tmp/report" || return 1
    grep -o '"[^"]*+0x[0-9a-f]* build [^"]*"' "$tmp/report" | tee "$tmp/rows"
    [ "$(wc -l <"$tmp/rows")" -eq 7 ] && [ "$(sort -u "$tmp/rows" | wc -l)" -eq 7 ]
}

module=$tmp/a/libimp.so.1
cp "$module" "$tmp/good"
put() { # command...: in place of the module
    rm -f "$module"
    "$@"
}

# The same code, as if built at another time: eight other bytes in the build id.
another() {
    objcopy --dump-section .note.gnu.build-id="$tmp/note" "$tmp/good" "$tmp/same" &&
        printf anotherx | dd of="$tmp/note" bs=1 seek=16 conv=notrunc status=none &&
        objcopy --update-section .note.gnu.build-id="$tmp/note" "$tmp/good" "$module"
}

# Other bytes here and there, of the same build id mostly: whatever is said, the command goes on.
damaged() {
    size=$(stat -c %s "$tmp/good")
    for seed in $(seq 1 "${DAMAGED:-40}"); do
        awk -v seed="$seed" -v size="$size" 'BEGIN {
            srand(seed)
            for (i = 0; i < 60; i++) print int(rand() * (i % 3 ? size : 4096)), int(rand() * 256)
        }' >"$tmp/places"
        cp "$tmp/good" "$module"
        while read -r at byte; do
            # shellcheck disable=SC2059 # the octal byte
            printf "\\$(printf %03o "$byte")" | dd of="$module" bs=1 seek="$at" conv=notrunc status=none
        done <"$tmp/places"
        explained "$tmp/log" >"$tmp/text" 2>"$tmp/errors" || return 1
        if [ -s "$tmp/errors" ] || ! grep -q '^Record ' "$tmp/text"; then
            echo "seed $seed:"
            cat "$tmp/text" "$tmp/errors"
            return 1
        fi
    done
}

# A record without a build id is about a file that has not changed since.
changed_since() {
    sed 's/,"build_id":"[0-9a-f]*"//' "$tmp/log" >"$tmp/old"
    explained "$tmp/old" | grep '^Source' && return 1 # the file is newer than the record
    sed 's/"@timestamp":"20/"@timestamp":"21/' "$tmp/old" >"$tmp/later"
    explained "$tmp/later" | grep "^Source  *change_fsuid at .*impersonator.c:$line\$"
}

check "function and line are said" says_line
check "a place is one row, whatever path its module was loaded by" one_row
put cp "$tmp/good" "$module"
check "without a build id the file must be older than the record" changed_since
put another
check "of another file nothing is said" says_nothing
put mkfifo "$module"
check "a pipe is not waited for" says_nothing
put ln -s /dev/zero "$module"
check "a device is not read" says_nothing
put sh -c "head -c 4096 '$tmp/good' >'$module'"
check "of a cut file nothing is said" says_nothing
put strip -o "$module" "$tmp/good"
check "a stripped file does no harm" explained "$tmp/log"
put true
check "of a file that is gone nothing is said" says_nothing
check "damaged files do no harm" damaged
finish
