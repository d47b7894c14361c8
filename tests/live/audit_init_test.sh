#!/bin/sh
# SPDX-License-Identifier: MIT
# `miguard audit init` as it is called: a log begins when its key was taken, and not before.
set -u

: "${OUT:=build}"
cd "$(dirname "$0")/../.." || exit 3
tmp=$(mktemp -d "${TMPDIR:-/tmp}/miguard-init-test.XXXXXX") || exit 3
policy_folder=$(mktemp -d /run/miguard-init-test.XXXXXX 2>/dev/null || mktemp -d "$OUT/init-test.XXXXXX") || exit 3
policy=$(realpath "$policy_folder")/policy.yaml # a folder like /tmp is none for a policy
trap 'umount "$tmp/full" 2>/dev/null; rm -rf "$tmp" "$policy_folder"' EXIT
trap 'exit 3' HUP INT TERM
. tests/support/check.sh
miguard=$(realpath "$OUT/miguard") || exit 3
skipped=0

init() {
    "$miguard" audit init "$@"
}

# What is left when nothing was begun: neither a state nor anything that a program takes for one.
nothing() { # LOG
    ! [ -e "$1.state" ] && ! [ -e "$1.state.new" ]
}

refused() { # STATUS COMMAND...
    expected=$1
    shift
    "$@" 2>"$tmp/err"
    status=$?
    cat "$tmp/err"
    [ $status -eq "$expected" ] && grep -q "nothing was begun" "$tmp/err"
}

into_closed_pipe() { # LOG READER
    { init "$1" || echo $? >"$tmp/status"; } 2>"$tmp/err" | sh -c "$2"
    cat "$tmp/err"
    [ "$(cat "$tmp/status")" = 3 ] && grep -q "nothing was begun" "$tmp/err" && nothing "$1"
}

into_slow_pipe() { # LOG
    init "$1" | { sleep 0.5; cat >"$tmp/slow.key"; }
    [ -s "$1.state" ] && grep -q '^miguard-audit-key-1:' "$tmp/slow.key"
}

verifies() { # LOG KEY
    printf 'version: 1\naudit: {sinks: [{file: {path: %s, chain: required}}]}\n' "$1" >"$policy"
    chmod 600 "$policy" "$2"
    "$miguard" run --policy "$policy" --module "$OUT/providers/account.so" \
        enumerate root/test MG_UserAccount >/dev/null && "$miguard" audit verify --key "$2" "$1"
}

into_file() { # LOG KEY
    init "$1" >"$2" && verifies "$1" "$2"
}

# The same key as text and as JSON; none is null.
as_json() { # FOLDER
    mkdir -p "$1" && init --json "$1/a" >"$1/key.json" && init --no-key --json "$1/b" >"$1/none.json" &&
        sed 's/.*"key": "\([^"]*\)".*/\1/' "$1/key.json" >"$1/key" &&
        grep -q "^{\"log\": \"$1/a\", \"key\": \"miguard-audit-key-1:" "$1/key.json" &&
        [ "$(cat "$1/none.json")" = "{\"log\": \"$1/b\", \"key\": null}" ] && verifies "$1/a" "$1/key"
}

check "the key as JSON" as_json "$tmp/json"
check "a reader that ends at once" into_closed_pipe "$tmp/a" true
check "a reader that reads nothing" into_closed_pipe "$tmp/a" 'sleep 0.3'
check "a reader that closes its end" into_closed_pipe "$tmp/a" 'exec <&-; sleep 0.3'
check "a reader that is late" into_slow_pipe "$tmp/slow"
check "and its key fits" verifies "$tmp/slow" "$tmp/slow.key"

gone() { # how the descriptors are set
    refused 3 sh -c "'$miguard' audit init '$tmp/a' $1" && nothing "$tmp/a"
}
check "a full device" gone '>/dev/full'
check "closed standard output" gone '>&-'
check "closed standard input and output" gone '<&- >&-'
check "a key file" into_file "$tmp/b" "$tmp/b.key"
no_stderr() {
    init "$tmp/c" >"$tmp/c.key" 2>&-
    verifies "$tmp/c" "$tmp/c.key" && ! grep -a -q "chain is begun" "$tmp/c.state"
}
check "closed standard error gets into no file" no_stderr

# A state that waits for the reader of its key is no log, whatever happens then.
waiting() { # LOG SIGNAL
    rm -f "$tmp/pipe"
    mkfifo "$tmp/pipe"
    sleep 30 <"$tmp/pipe" &
    reader=$!
    "$miguard" audit init "$1" >"$tmp/pipe" 2>"$tmp/err" &
    writer=$!
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        [ -e "$1.state" ] && break
        sleep 0.1
    done
    sleep 0.2
    kill "-$2" $writer
    wait $writer
    kill $reader
    wait $reader
    true
}
interrupted() {
    waiting "$tmp/d" TERM
    nothing "$tmp/d"
}
check "who is interrupted leaves nothing" interrupted
killed() {
    waiting "$tmp/e" KILL
    [ -e "$tmp/e.state" ] || return 1
    if verifies "$tmp/e" "$tmp/slow.key" 2>"$tmp/err"; then
        return 1
    fi
    cat "$tmp/err"
    grep -q "did not come to its end" "$tmp/err"
}
check "who is killed leaves what nobody takes" killed
check "and what the next one replaces" into_file "$tmp/e" "$tmp/e.key"

aside() {
    init "$tmp/b" >"$tmp/again" 2>&1 && return 1
    { init --aside "$tmp/b" || true; } 2>"$tmp/err" | true
    cat "$tmp/err"
    "$miguard" audit verify --key "$tmp/b.key" "$tmp/b" && ! ls -d "$tmp"/b.aside* 2>/dev/null
}
check "with --aside the log is back in its place" aside

mkdir "$tmp/full"
if mount -t tmpfs -o size=16k,mode=700 none "$tmp/full" 2>/dev/null; then
    head -c 16384 /dev/zero >"$tmp/full/rest" 2>/dev/null
    : >"$tmp/full/key" 2>/dev/null
    full_state() {
        init "$tmp/full/log" >"$tmp/full.key"
        [ $? -eq 3 ] && [ ! -s "$tmp/full.key" ] && nothing "$tmp/full/log"
    }
    check "a key file on a full disk" gone ">>'$tmp/full/key'"
    check "a log on a full disk" full_state
    mount -o remount,size=4m "$tmp/full"
    check "and again with room" into_file "$tmp/full/log" "$tmp/full.key"
else
    echo "skip: a full disk: no tmpfs can be mounted here"
    skipped=1
fi

echo "$passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ]
