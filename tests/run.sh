#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs test programs, $JOBS at a time (1 by default), through $RUNNER if set, each for $LIMIT seconds at
# most if that is set, and adds up what they say:
# Check's "NN%: Checks: N, Failures: N, Errors: N" or a line "N passed, N failed[, N skipped]".
# A program that fails without such a line counts as one failure. Each line ends with the seconds that
# the program took. Behind many programs there is a table of those that took longest, with their seconds of
# processors: a large difference is a wait. Exits 1 when anything failed.
#
# CK_EXCLUDE_TAGS, which Check reads, leaves out parts of programs. That counts as one skipped test. The tag
# "values" is of what goes through many values, or up to a limit of size, with nothing that threads or another
# machine could do differently; the other tests of the same programs have those.
#
# A sanitizer looks for leaks at the end of each process and an emulator translates a program anew in each, and
# Check gives each test one. With ONE_PROCESS=1, programs whose tests leave nothing behind (one_process has the
# list) run in one: a fifth to a half of the time.
#
# As root the tests see an empty /var/log and no policy in /etc/miguard (a mount namespace of their
# own): a test that starts the guard with its defaults leaves nothing in this machine's log, and what
# an administrator wrote changes no result.
set -u

: "${OUT:=build}" "${RUNNER:=}" "${LIMIT:=}" "${JOBS:=1}" "${CK_EXCLUDE_TAGS:=}" "${ONE_PROCESS:=}"
export OUT LIMIT ONE_PROCESS
[ -z "$RUNNER" ] || export RUNNER # tests ask whether there is one
log=$OUT/tests/log
totals=$log/totals
slowest=$log/slowest

one_process() { # name
    case $1 in
    audit_encode_test | audit_explain_test | audit_export_test | audit_file_test | audit_html_test | \
        audit_query_test | audit_read_test | audit_record_test | audit_report_test | audit_scan_test | \
        audit_sinks_test | audit_suggest_test | audit_unpack_test | bench_frame_test | cim_name_test | \
        guarded_context_test | guarded_operation_test | guarded_server_test | host_class_test | \
        host_client_test | host_context_test | host_instance_test | host_limits_test | \
        host_operation_test | host_options_test | host_peer_test | host_server_test | host_value_test | \
        mi_wrappers_test | mof_test | policy_format_test | policy_lint_test | policy_load_test | \
        policy_selftest_test | policy_test) ;;
    *) return 1 ;;
    esac
}

run_one() { # program
    name=$(basename "$1")
    output=$log/$name.txt
    if [ -n "$ONE_PROCESS" ] && one_process "$name"; then
        export CK_FORK=no
        : "${LIMIT:=900}" # in one process Check ends no test that takes too long
    fi
    began=$(date +%s)
    case $1 in
    *.sh) sh "$1" >"$output" 2>&1 ;;
    *) ${LIMIT:+timeout "$LIMIT"} $RUNNER "$1" >"$output" 2>&1 ;;
    esac
    status=$?
    took=$(($(date +%s) - began))
    # The second line is of what this shell has waited for: "1m2.5s 0m0.1s".
    times >"$output.times"
    awk -v name="$name" -v took="$took" 'NR == 2 {
        gsub(/s/, ""); split($1, user, "m"); split($2, kernel, "m")
        print took, int((user[1] + kernel[1]) * 60 + user[2] + kernel[2] + 0.5), name }' \
        "$output.times" >>"$slowest"
    rm -f "$output.times"
    said=$(awk -v name="$name" -v status="$status" -v seconds="$took" '
        /%: Checks: [0-9]+, Failures: [0-9]+, Errors: [0-9]+/ {
            gsub(",", ""); bad = $5 + $7; passed += $3 - bad; failed += bad; seen = 1
        }
        /^[0-9]+ passed, [0-9]+ failed/ { passed += $1; failed += $3; skipped += $5; seen = 1 }
        /^skip: / { reasons++; print }
        END {
            if (skipped == 0) skipped = reasons
            if (status != 0 && failed == 0) failed = 1
            if (status == 0 && !seen) failed = 1
            printf "%-36s %d passed, %d failed%s, %d s\n", name, passed, failed,
                skipped ? ", " skipped " skipped" : "", seconds
            print passed + 0, failed + 0, skipped + 0 >> totals
        }' totals="$totals" "$output")
    if [ "$status" -ne 0 ]; then
        said="$said
---- $name exited $status; its output:
$(tail -n 60 "$output")
----"
    fi
    printf '%s\n' "$said" # at once: another program may end at the same time
}

# xargs(1) starts this script anew for each program.
if [ "${1:-}" = --one ]; then
    run_one "$2"
    exit 0
fi

if [ -z "${OWN_LOG:-}" ] && [ "$(id -u)" -eq 0 ] && unshare --mount true 2>/dev/null; then
    # shellcheck disable=SC2016 # words of the shell in the namespace
    OWN_LOG=1 exec unshare --mount --propagation private sh -c '
        mount -t tmpfs -o mode=755 tmpfs /var/log || exit 3
        [ ! -d /etc/miguard ] || mount -t tmpfs -o mode=755 tmpfs /etc/miguard || exit 3
        exec sh "$0" "$@"' "$0" "$@"
fi

mkdir -p "$log"
: >"$totals"
: >"$slowest"
printf '%s\n' "$@" | xargs -P "$JOBS" -n 1 sh "$0" --one

if [ $# -gt 20 ]; then
    echo "longest:  seconds  of processors"
    sort -rn "$slowest" | head -n 15 | awk '{ printf "  %14d %14d  %s\n", $1, $2, $3 }'
fi
skipped=0
if [ -n "$CK_EXCLUDE_TAGS" ]; then
    echo "skip: tests of the tag $CK_EXCLUDE_TAGS: left out here, see CONTRIBUTING.md"
    skipped=1
fi
# A program without a line of its own here did not run, or was ended with this script's xargs(1).
awk -v programs=$# -v s=$skipped '{p += $1; f += $2; s += $3}
     END {if (NR < programs) { printf "%d of %d programs have no result\n", programs - NR, programs; f += programs - NR }
         printf "%d passed, %d failed%s\n", p, f, s ? ", " s " skipped" : ""; exit f > 0}' "$totals"
