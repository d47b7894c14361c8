#!/bin/sh
# SPDX-License-Identifier: MIT
# `make check-arm64`: the libraries, the command and the unit tests cross built for aarch64, and the
# tests under qemu-user. Two at a time, since an emulator is slow. Where compiler, libraries or
# emulator cannot be had, that is one skipped test.
set -u

cd "$(dirname "$0")/.." || exit 3
. tests/support/arm64.sh

skip() {
    echo "skip: aarch64: $*"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
}

CROSS=$target- NEED_QEMU_USER=1 sh src/deps.sh ||
    skip "no cross compiler, libraries or emulator can be had here"

tests=
for source in tests/unit/*_test.c; do
    name=${source#tests/}
    tests="$tests $out/tests/${name%.c}"
done
# shellcheck disable=SC2086
build_for_arm64 everything $tests

# No kernel runs the command by itself here: a script has the emulator do it.
cat >$out/emulated <<EOF
#!/bin/sh
exec qemu-aarch64 $PWD/$out/miguard "\$@"
EOF
chmod +x $out/emulated

# shard NAME RUNNER TEST...: with a folder of its own for what run.sh and the tests look for.
shard() {
    folder=$out/$1 runner=$2
    shift 2
    rm -rf "$folder"
    mkdir -p "$folder"
    ln -s ../emulated "$folder/miguard"
    ln -s ../providers "$folder/providers"
    OUT=$folder RUNNER=$runner QUICK=1 CK_TIMEOUT_MULTIPLIER=5 QEMU_LD_PREFIX=/nonexistent \
        sh tests/run.sh "$@" >"$folder/output" 2>&1
}

# The emulator keeps a table of every page that a program reserves: with less address space, which
# the library asks for less of then, it is ten times as fast. One test is about just that space.
limited="prlimit --as=16000000000 qemu-aarch64"
first= second= skipped=0
for test in $tests; do
    case ${test##*/} in
    context_space_test) continue ;;
    audit_verify_test)
        if [ -z "${FULL:-}" ]; then
            echo "skip: ${test##*/}: takes minutes under the emulator; FULL=1 runs it"
            skipped=$((skipped + 1))
            continue
        fi
        ;;
    esac
    set -- "$second" "$first $test" # each in turn
    first=$1 second=$2
done
shard one "$limited" $first &
shard two "$limited" $second
shard three qemu-aarch64 $out/tests/unit/context_space_test
wait

cat $out/one/output $out/two/output $out/three/output | grep -Ev '^[0-9]+ passed, '
cat $out/one/tests/log/totals $out/two/tests/log/totals $out/three/tests/log/totals |
    awk -v s=$skipped '{p += $1; f += $2; s += $3}
         END {printf "%d passed, %d failed%s\n", p, f, s ? ", " s " skipped" : ""; exit f > 0}'
