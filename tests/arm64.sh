#!/bin/sh
# SPDX-License-Identifier: MIT
# `make check-arm64`: the libraries, the command, and tests cross built for aarch64, and the tests run
# under qemu-user, three for each two processors at a time: the unit tests, and those of tests/table and
# tests/fault of what another machine could do differently, which are identities, system calls, entry
# points, the layout of MI, threads. `make check-arm64-all` (FULL=1) runs the others, too. Where compiler,
# libraries or emulator cannot be had, that is one skipped test.
set -u

cd "$(dirname "$0")/.." || exit 3
full=${FULL:-}
unset FULL # it asks here for more tests, and a test for its long loops
. tests/support/arm64.sh

skip() {
    echo "skip: aarch64: $*"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
}

CROSS=$target- NEED_QEMU_USER=1 sh src/deps.sh ||
    skip "no cross compiler, libraries or emulator can be had here"

# Why a test is not run here.
left_out() { # test
    why=
    case $1 in
    table/cancel_test | table/denied_test | table/directory_test | table/fork_proof_test | \
        table/gate_* | fault/gate_* | table/sandbox_test | table/surroundings_test | \
        table/switch_bugs_test | table/switch_steps_test | table/home_test | \
        table/naive_daemons_test | fault/switch_fault_test | fault/library_memory_fault_test | \
        table/uring_test | table/wait_test)
        why="needs filters, namespaces or drops by a kernel of its own: see arm64_system.sh"
        ;;
    *)
        [ -n "$full" ] || {
            takes_long "$1" && why="takes minutes under the emulator; check-arm64-all runs it"
            same_everywhere "$1" &&
                why="no machine does that differently than its unit tests; check-arm64-all runs it"
        }
        ;;
    esac
    [ -n "$why" ]
}

takes_long() { # test
    case $1 in
    unit/audit_verify_test | fault/audit_file_fault_test | table/adopt_barrier_test | \
        table/fork_locks_test | table/identity_matrix_test | table/limits_test | table/bounding_test) ;;
    *) return 1 ;;
    esac
}

# What is done with texts and values: policies, records, instances, queries, parts of logs. The unit tests of the
# same sources run here, with this machine's `char`, sizes and hashes (audit_read_test and audit_scan_test those of
# logs); these have more rows, or fail each allocation.
same_everywhere() { # test
    case $1 in
    fault/audit_read_fault_test | fault/audit_review_fault_test | fault/audit_verify_fault_test | \
        fault/fleet_fault_test | fault/policy_*_fault_test | fault/host_*_fault_test | \
        table/audit_tamper* | table/fleet_test | table/policy_* | table/long_values_test | \
        unit/audit_narrow_test | table/name_spelling_test | table/terminal_output_test | table/host_association_test | \
        table/host_instance_model_test | table/host_query_test) ;;
    *) return 1 ;;
    esac
}

tests= skipped=0
for source in tests/unit/*_test.c tests/table/*_test.c tests/table/*/*_test.c tests/fault/*_test.c; do
    name=${source#tests/}
    name=${name%.c}
    if left_out "$name"; then
        echo "skip: $name: $why"
        skipped=$((skipped + 1))
    else
        tests="$tests $out/tests/$name"
    fi
done
# shellcheck disable=SC2086
build_for_arm64 everything $tests

# No kernel runs the command by itself here: a script has the emulator do it.
cat >$out/emulated <<EOF
#!/bin/sh
exec qemu-aarch64 $PWD/$out/miguard "\$@"
EOF
chmod +x $out/emulated

# run NAME RUNNER TEST...: with a folder of its own for what run.sh and the tests look for. The tests know the
# emulator by "qemu-" in RUNNER (tests/support/lacks.c).
run() {
    folder=$out/$1 runner=$2
    shift 2
    rm -rf "$folder"
    mkdir -p "$folder"
    ln -s ../emulated "$folder/miguard"
    ln -s ../providers "$folder/providers"
    OUT=$folder RUNNER=$runner JOBS=$jobs CK_EXCLUDE_TAGS=$tags QUICK=1 EMULATED=1 ONE_PROCESS=1 \
        CK_TIMEOUT_MULTIPLIER=5 QEMU_LD_PREFIX=/nonexistent sh tests/run.sh "$@" >"$folder/output" 2>&1
    grep -Ev '^[0-9]+ passed, ' "$folder/output"
}

tags=values
[ -z "$full" ] || tags=
jobs=$(($(nproc) * 3 / 2)) # a quarter of the time that programs take is waiting

# Those first that take longest here: the last one would run alone.
first= last=
for test in $tests; do
    case ${test##*/} in
    context_space_test) ;;
    host_flow_test | audit_rotate_test | completions_test | bounding_test | audit_scan_test | \
        identity_fault_test | host_server_fault_test | host_instance_test | host_instance_model_test | \
        fleet_test | audit_file_test | session_fault_test | binding_test | audit_sinks_test | \
        library_memory_fault_test | wrapped_random_test | functions_test)
        first="$first $test"
        ;;
    *) last="$last $test" ;;
    esac
done
# The emulator keeps a table of every page that a program reserves: with less address space, which
# the library asks for less of then, it is ten times as fast. One test is about just that space.
# That runs beside the others.
(tags= && run whole qemu-aarch64 $out/tests/unit/context_space_test) &
# shellcheck disable=SC2086 # words
run limited "prlimit --as=16000000000 qemu-aarch64" $first $last
wait

# The last lines of run.sh, which count a program without a result.
tail -qn 1 $out/limited/output $out/whole/output |
    awk -v s=$skipped '{p += $1; f += $3; s += $5}
         END {printf "%d passed, %d failed%s\n", p, f, s ? ", " s " skipped" : ""; exit f > 0}'
