#!/bin/sh
# SPDX-License-Identifier: MIT
# `make check-arm64-system`: tests cross built for aarch64 and run as root under Debian's kernel for
# that machine in qemu-system: seccomp filters, setresuid(2) and namespaces are the kernel's own
# there, which qemu-user cannot give (arm64.sh). The root of that machine is unpacked from Debian's
# packages into memory; nothing outlives it. Run are the tests of what the library asks of a kernel,
# with QUICK=1, and EMULATED=1 for those that take longest. FULL=1 runs the others, too, and
# TESTS="unit/gate_test table/wait_test" only those. MEMORY=3072 is in MiB, MINUTES=90 ends the
# machine. Where kernel, compiler or emulator cannot be had, that is one skipped test.
set -u

cd "$(dirname "$0")/.." || exit 3
. tests/support/arm64.sh
: "${TESTS:=}" "${MEMORY:=3072}"
full=${FULL:-}
unset FULL # it asks here for more tests, and a test for its long loops
: "${MINUTES:=${full:+900}}"
: "${MINUTES:=90}"
image=$PWD/$out/system

skip() {
    echo "skip: aarch64 in qemu-system: $*"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
}

CROSS=$target- NEED_QEMU_SYSTEM=1 sh src/deps.sh ||
    skip "no cross compiler, libraries, emulator or cpio can be had here"
# The kernel needs something that makes its initramfs: the smallest, which is not used.
sh src/sysroot.sh $target "$sysroot" linux-image-arm64 tiny-initramfs busybox-static \
    base-passwd coreutils dash findutils grep jq mawk sed util-linux >"$out.packages" 2>&1 || {
    tail -n 3 "$out.packages"
    skip "Debian's kernel and programs for it cannot be had here"
}
for kernel in "$sysroot"/boot/vmlinuz-*; do :; done
[ -e "$kernel" ] || skip "the package of the kernel has none"

# The gate, switches, drops, forks and sessions. What takes longest comes first. Not
# fault/identity_fault_test: its kernel is the test's own, and arm64.sh runs it.
of_the_kernel="table/denied_test table/gate_signals_test fault/switch_fault_test
    table/identity_matrix_test table/adopt_barrier_test live/drop_test table/gate_close_test
    live/policy_gateway_test unit/gate_test table/fork_locks_test table/gate_fast_test
    fault/gate_fault_test fault/library_memory_fault_test table/gate_ways_test fault/session_fault_test table/fork_proof_test
    fault/fork_fault_test table/switch_bugs_test table/switch_steps_test table/uring_test table/sandbox_test
    unit/switch_test unit/switch_scope_test unit/identity_test unit/gateway_test
    unit/binding_test table/home_test table/naive_daemons_test live/gate_cli_test live/drop_gateway_test live/switch_userns_test live/abort_record_test"

# What has only to do with the machine that builds, or takes hours when each instruction is emulated.
left_out() { # test
    case ${1##*/} in
    audit_daemons_test) why="the daemons that take records are not in its root" ;;
    audit_html_test) why="there is no browser for it" ;;
    contexts_test | lifetime_test | switch_storm_test) why="runs for hours under an emulator" ;;
    *) return 1 ;;
    esac
}

others() {
    for source in tests/unit/*_test.c tests/table/*_test.c tests/table/*/*_test.c tests/fault/*_test.c tests/live/*_test.c; do
        name=${source#tests/}
        case " $(echo $of_the_kernel) " in
        *" ${name%.c} "*) ;;
        *) echo "${name%.c}" ;;
        esac
    done
}

tests= skipped=0
for name in ${TESTS:-$of_the_kernel $([ -z "$full" ] || others)}; do
    if [ -z "$TESTS" ] && left_out "$name"; then
        echo "skip: $name: $why"
        skipped=$((skipped + 1))
    else
        tests="$tests $out/tests/$name"
    fi
done
# shellcheck disable=SC2086
build_for_arm64 everything $out/tests/nss/libnss_mgtest.so.2 $tests

# ---- its root -----------------------------------------------------------------------------------

unpack_programs() {
    (cd "$sysroot" && find bin sbin usr/bin usr/sbin lib usr/lib \( -path lib/modules -o \
        -path 'usr/lib/linux-image-*' \) -prune -o \( -type f -o -type l \) ! -name '*.a' \
        ! -name '*.o' -print | cpio -pdm --quiet "$image")
    [ -e "$image/bin/sh" ] || ln -s dash "$image/bin/sh"
    ln -s mawk "$image/usr/bin/awk"
    # The tests name loader and libraries by the folder that they were fetched to.
    mkdir -p "$image${sysroot%/*}"
    ln -s / "$image$sysroot"
}

unpack_project() {
    mkdir -p "$image$PWD"
    find Makefile ./*.md src include tests policy man -type f | cpio -pdm --quiet "$image$PWD"
    # shellcheck disable=SC2086
    find $out/libmiguard* $out/miguard $out/providers $out/tests/nss $tests ! -name '*.d' |
        cpio -pdm --quiet "$image$PWD"
    find "$image$PWD/$out" -type f -exec $target-strip -g {} + 2>/dev/null
}

# Nothing asks a network for names there; the users are those of a fresh Debian.
write_settings() {
    mkdir -p "$image/etc" "$image/var/log" "$image/root"
    sed 's/:\*:/:x:/' "$sysroot/usr/share/base-passwd/passwd.master" >"$image/etc/passwd"
    sed 's/:\*:/:x:/' "$sysroot/usr/share/base-passwd/group.master" >"$image/etc/group"
    printf 'passwd: files\ngroup: files\nshadow: files\n' >"$image/etc/nsswitch.conf"
    echo "127.0.0.1 localhost" >"$image/etc/hosts"
}

# Two tests at a time, since it has two processors. Each says on the console what it found as soon
# as it is done: what is known when the machine's time is up is not lost.
write_init() {
    cat >"$image/init" <<EOF
#!/bin/busybox sh
busybox=/bin/busybox
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp LC_ALL=C
chmod 0755 /
\$busybox mkdir -p /proc /sys /dev /run /tmp
\$busybox mount -t proc proc /proc
\$busybox mount -t sysfs sys /sys
\$busybox mount -t devtmpfs dev /dev
\$busybox mkdir -p /dev/shm /dev/pts
\$busybox mount -t tmpfs shm /dev/shm
\$busybox mount -t devpts pts /dev/pts
\$busybox mount -t tmpfs -o mode=755 run /run
chmod 1777 /tmp # of the root, which is memory, too: the project may lie there
\$busybox ln -s /proc/self/fd /dev/fd
\$busybox ip link set lo up
\$busybox hostname arm64
cd $PWD
export QUICK=1 EMULATED=1 CK_TIMEOUT_MULTIPLIER=20 LIMIT=2700
echo "==> \$(uname -srm), \$(nproc) processors"
OUT=$out JOBS=2 sh tests/run.sh $(echo $tests) 2>&1
echo "==> end"
\$busybox poweroff -f
EOF
    chmod +x "$image/init"
}

rm -rf "$image"
mkdir -p "$image"
unpack_programs && unpack_project && write_settings && write_init || exit 3
(cd "$image" && find . | cpio -o -H newc --quiet -R 0:0) | gzip -1 >"$image.cpio.gz" || exit 3
rm -rf "$image"

# Debian's kernel signs its return addresses, and the architecture's way of it takes the emulator
# longer than all else: the processor has one of its own.
timeout "${MINUTES}m" qemu-system-aarch64 -M virt -cpu max,pauth-impdef=on -smp 2 -m "$MEMORY" \
    -nographic -no-reboot -nic none -kernel "$kernel" -initrd "$image.cpio.gz" \
    -append "console=ttyAMA0 quiet loglevel=1 panic=-1" </dev/null 2>&1 |
    sed -u 's/\r*$//' | tee "$image.output" | sed -u '0,/^==> Linux/{/^==> Linux/!d}
                                                       /^[0-9]* passed, [0-9]* failed/d'
rm -f "$image.cpio.gz"

# A test that was not done counts as failed.
if ! grep -q '^==> end$' "$image.output"; then
    grep -q '^==> Linux' "$image.output" || tail -n 40 "$image.output" # it said nothing yet
    echo "FAILED: the machine did not come to its end within $MINUTES minutes"
fi
awk -v s=$skipped -v tests="$(echo $tests | wc -w)" '
    /^[a-z0-9_]+ +[0-9]+ passed, [0-9]+ failed/ {p += $2; f += $4; s += $6; ran++}
    END {
        f += tests - ran
        printf "%d passed, %d failed%s\n", p, f, s ? ", " s " skipped" : ""; exit f > 0
    }' "$image.output"
