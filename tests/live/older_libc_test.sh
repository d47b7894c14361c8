#!/bin/sh
# SPDX-License-Identifier: MIT
# The build where the C library is glibc 2.28, which lacks what src/probes looks for: each
# replacement of src/base/older_libc.h alone, and all of them at once with unit tests run. The
# numbers of system calls that the headers of Linux 4.18 do not have are taken away as well. What
# this cannot show is the behaviour of the older library itself; that its linker would find every
# symbol is read from the versions that the libraries ask for.
set -u

: "${OUT:=build}" "${CC:=gcc}"
cd "$(dirname "$0")/../.." || exit 3
LC_ALL=C
export LC_ALL CC
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES GNUMAKEFLAGS
oldest=2.28

case $OUT in
build | build/clang) ;;
*)
    printf 'skip: an older C library: not with what this build variant puts in\n'
    printf '0 passed, 0 failed, 1 skipped\n'
    exit 0
    ;;
esac
out=$OUT/older
tmp=$out/test
rm -rf "$tmp"
mkdir -p "$tmp"
. tests/support/check.sh

older_make() { # LACKS target...
    replaced=$1
    shift
    make --no-print-directory -k -j"$(nproc)" OUT="$out" OPTIMISE=-O0 HARDEN= LACKS="$replaced" \
        CFLAGS="-include tests/support/older_linux.h" "$@" >"$out/log" 2>&1 || {
        grep -E 'error|undefined|\*\*\*' "$out/log" | head -n 10
        return 1
    }
}

# The sources that a probe is about, and those alone: the others do not differ.
one_replaced() { # LACKS_NAME word
    objects=
    for source in $(grep -rlw --include='*.c' "$2" src --exclude-dir=probes); do
        objects="$objects $out/one/obj/${source%.c}.o"
    done
    [ -n "$objects" ] || {
        echo "no source uses $2"
        return 1
    }
    rm -rf "$out/one"
    # shellcheck disable=SC2086
    out=$out/one older_make_one "-D$1" $objects
}

older_make_one() {
    mkdir -p "$out"
    older_make "$@"
}

all= words=
for probe in src/probes/*.c; do
    name=$(basename "$probe" .c)
    lacks=LACKS_$(echo "$name" | tr a-z A-Z)
    case $name in
    clocklock) word=pthread_mutex_clocklock ;;
    getdents64) word=getdents64 ;;
    single_threaded) word=__libc_single_threaded ;;
    rseq) word=__rseq_offset ;;
    strerrordesc) word=strerrordesc_np ;;
    *) word=$name ;;
    esac
    check "built without $word" one_replaced "$lacks" "$word"
    all="$all -D$lacks" words="$words $word"
done

# The tests of what uses the replacements; FULL=1 runs all unit tests.
names="audit_test audit_file_test audit_read_test audit_rotate_test gate_test gateway_test
    log_folder_test policy_files_test policy_load_test switch_test"
[ -z "${FULL:-}" ] || names=$(basename -s .c tests/unit/*_test.c)
tests=
for name in $names; do
    tests="$tests $out/tests/unit/$name"
done
# shellcheck disable=SC2086
check "built without any of them" older_make "$all" everything $tests

# ---- what the linker of that library would look for ---------------------------------------------

libraries="$out/libmiguard.so $out/libmiguard-host.so $out/miguard"

asked_for() { # prints "symbol version", glibc's own
    for library in $libraries; do
        objdump -T "$library" || return 1
    done | sed -n 's/.*\*UND\*.*(\{0,1\}GLIBC_\([0-9.]*\))\{0,1\} *\([A-Za-z_0-9]*\)$/\2 \1/p' | sort -u
}

uses_none() {
    asked_for >"$tmp/asked" && [ -s "$tmp/asked" ] || return 1
    for word in $words; do
        ! grep "^$word " "$tmp/asked" || return 1
    done
}
check "no library asks for what was replaced" uses_none

# A symbol that moved between glibc's libraries has a newer version beside its old one. The four
# calls of stat(2) were in each program itself, from libc_nonshared.a, until 2.33.
there_in_the_oldest() {
    libc=$("$CC" -print-file-name=libc.so.6)
    objdump -T "$libc" | sed -n 's/.*(\{0,1\}GLIBC_\([0-9.]*\))\{0,1\} *\([A-Za-z_0-9]*\)$/\2 \1/p' >"$tmp/has"
    printf '%s 2.2.5\n' stat fstat lstat fstatat >>"$tmp/has"
    [ "$(wc -l <"$tmp/has")" -gt 1000 ] && sort -u "$tmp/asked" | awk -v oldest=$oldest '
        function newer(version, parts) {
            split(version, parts, ".")
            split(oldest, limit, ".")
            return parts[1] > limit[1] || (parts[1] == limit[1] && parts[2] + 0 > limit[2] + 0)
        }
        FNR == NR { if (!newer($2)) { old[$1] = 1 }; next }
        newer($2) && !($1 in old) { print "since " $2 ": " $1; bad = 1 }
        END { exit bad }' "$tmp/has" -
}
if ldd --version 2>&1 | head -n 1 | grep -qiE 'glibc|gnu libc'; then
    check "glibc $oldest has every symbol that is asked for" there_in_the_oldest
fi

# Without a word of the linker here, where that library is empty.
links_libdl() {
    rm -f "$out"/*.so.[0-9]*
    for name in libmiguard libmiguard-host; do
        make -n OUT="$out" "$out/$name.so" 2>&1 | tr '\n' ' ' | grep -q -- '-shared .*-ldl' || {
            echo "$name.so is not linked with libdl, where dlopen(3) is until glibc 2.34"
            return 1
        }
    done
}
check "the libraries are linked with libdl" links_libdl

# ---- and run ------------------------------------------------------------------------------------

# shellcheck disable=SC2086
OUT=$out QUICK=1 sh tests/run.sh $tests >"$tmp/run" 2>&1
sum=$(tail -n 1 "$tmp/run")
grep -v ' 0 failed' "$tmp/run" | grep -v '^skip: '
echo "unit tests without any of them: $sum"
run_failed=${sum#* passed, }
passed=$((passed + ${sum%% *})) failed=$((failed + ${run_failed%% *}))
skipped=$(grep -c '^skip: ' "$tmp/run")
grep '^skip: ' "$tmp/run"

printf '%d passed, %d failed' $passed $failed
[ "$skipped" -eq 0 ] || printf ', %d skipped' "$skipped"
echo
[ $failed -eq 0 ]
