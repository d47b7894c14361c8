#!/bin/sh
# SPDX-License-Identifier: MIT
# Flat memory: `miguard run`, and `run --connect` with its `miguard serve`, print many instances of 20
# properties to a reader that is fast, or slow, in no more memory than a tenth of them takes.
# 100,000 instances, with QUICK=1 40,000, with FULL=1 a million. One line a check; `make check` runs it with OUT and CC.
set -u

: "${OUT:=build}" "${CC:=gcc}"
cd "$(dirname "$0")/../.." || exit 3
LC_ALL=C
export LC_ALL

tmp=$(mktemp -d "${TMPDIR:-/tmp}/miguard-flat-test.XXXXXX") || exit 3
server='' folder=''
# shellcheck disable=SC2154 # the trap reads it later
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; rm -rf "$tmp" ${folder:+"$folder"}' EXIT
trap 'exit 3' HUP INT TERM
. tests/support/check.sh

case $OUT in
*address* | *thread*)
    echo "skip: memory: a sanitizer's own grows"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
    ;;
esac

many=100000
[ -z "${QUICK:-}" ] || many=40000 # four times the memory that may be more, and more than read_slow reads first
[ -z "${FULL:-}" ] || many=1000000
few=$((many / 10))
growth=8192 # KiB

cat >"$tmp/wide.c" <<'EOF'
#include <MI.h>
#include <stdio.h>
#include <stdlib.h>

static void enumerate(void *self, MI_Context *context, const MI_Char *name_space,
                      const MI_Char *class_name, const MI_PropertySet *set, MI_Boolean keys_only,
                      const MI_Filter *filter)
{
    MI_Instance *wide = NULL;
    MI_Result result = MI_Context_NewDynamicInstance(context, class_name, 0, &wide);
    (void)self, (void)name_space, (void)set, (void)keys_only, (void)filter;

    for (unsigned i = 0; i < 20 && result == MI_RESULT_OK; i++) {
        MI_Value value = {.string = (MI_Char *)"some text of a usual length"};
        char name[16];
        snprintf(name, sizeof(name), "P%u", i);
        result = MI_Instance_AddElement(wide, name, &value, MI_STRING, i == 0 ? MI_FLAG_KEY : 0);
    }
    for (long left = atol(class_name + 5); left > 0 && result == MI_RESULT_OK; left--) {
        result = MI_Context_PostInstance(context, wide);
    }
    MI_Instance_Delete(wide);
    MI_Context_PostResult(context, result);
}

static MI_ProviderFT wide_ft = {.EnumerateInstances = enumerate};

MI_Module *MI_MAIN_CALL MI_Main(MI_Server *server)
{
    static MI_Module module = {.version = MI_MAKE_VERSION(1, 0, 0), .charSize = sizeof(MI_Char),
                               .dynamicProviderFT = &wide_ft};
    (void)server;
    return &module;
}
EOF
# shellcheck disable=SC2086 # CC may have options
$CC -std=gnu17 -O2 -fPIC -shared -Iinclude -o "$tmp/wide.so" "$tmp/wide.c" || exit 3

# The most memory that a process has had, in KiB; nothing once it has ended.
memory_of()
{
    sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$1/status" 2>/dev/null
}

# The same, as it ends.
most_of()
{
    most=0 now=0
    while [ -n "$now" ]; do
        most=$now
        sleep 0.05
        now=$(memory_of "$1")
    done
    echo "$most"
}

# The reader: all at once, or with pauses between which nothing is read.
read_fast()
{
    grep -c '^instance of'
}

read_slow()
{
    { sleep 1 && head -c 20000000 && sleep 1 && cat; } | read_fast
}

# A run with $3... in the background: reader $1, instances $2. Sets most and count.
run_one()
{
    reader=$1 instances=$2
    shift 2
    rm -f "$tmp/pipe"
    mkfifo "$tmp/pipe" || exit 3
    "$OUT/miguard" run "$@" enumerate root/test "Wide_$instances" >"$tmp/pipe" 2>"$tmp/errors" &
    client=$!
    "$reader" <"$tmp/pipe" >"$tmp/count" &
    counter=$!
    most=$(most_of "$client")
    wait "$client"
    status=$?
    wait "$counter"
    count=$(cat "$tmp/count")
}

# what, reader, arguments
flat()
{
    title=$1 by=$2
    shift 2
    run_one "$by" "$few" "$@"
    first=$most
    run_one "$by" "$many" "$@"
    echo "$title, $by: $few instances $first KiB, $many instances $most KiB"
    check "$title, $by: all $many come" test "$status:$count" = "0:$many"
    check "$title, $by: no more memory" test "$most" -gt 0 -a "$most" -le $((first + growth))
}

flat run read_fast --module "$tmp/wide.so" --audit "$tmp/audit.jsonl"
flat run read_slow --module "$tmp/wide.so" --audit "$tmp/audit.jsonl"

# A folder that no other user may write to, up to the root.
folder=$(mktemp -d "${XDG_RUNTIME_DIR:-/run}/miguard-flat-test.XXXXXX" 2>/dev/null)
if [ -z "$folder" ]; then
    echo "skip: run --connect and serve: no folder for the socket"
    echo "$passed passed, $failed failed, 1 skipped"
    exit $((failed > 0))
fi
"$OUT/miguard" serve --module "$tmp/wide.so" --audit "$tmp/audit.jsonl" --socket "$folder/socket" \
    --access all >"$tmp/server" 2>&1 &
server=$!
tries=0
until grep -q 'listening on' "$tmp/server" || [ "$tries" -ge 100 ]; do
    sleep 0.1
    tries=$((tries + 1))
done
for reader in read_fast read_slow; do
    run_one "$reader" "$few" --connect "$folder/socket"
    before=$(memory_of "$server")
    flat "run --connect" "$reader" --connect "$folder/socket"
    after=$(memory_of "$server")
    echo "serve, $reader: $before KiB, then $after KiB"
    check "serve, $reader: no more memory" test "${after:-0}" -gt 0 -a "${after:-0}" -le $((before + growth))
done

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
