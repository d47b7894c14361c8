#!/bin/sh
# SPDX-License-Identifier: MIT
# The libraries are binary-compatible with the last release: abidiff (libabigail) against the files in
# tests/data/abi. A function may be added; nothing may change or go. `sh tests/live/abi_test.sh write`
# writes the files anew, at a release that breaks the interface on purpose. `make check` runs it.
set -u

: "${OUT:=build}"
cd "$(dirname "$0")/../.." || exit 3
tmp=$(mktemp -d "${TMPDIR:-/tmp}/miguard-abi-test.XXXXXX") || exit 3
trap 'rm -rf "$tmp"' EXIT
trap 'exit 3' HUP INT TERM
. tests/support/check.sh

skip() {
    echo "skip: binary interface: $*"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
}

command -v abidiff >/dev/null 2>&1 || skip "abidiff is missing (NEED_ANALYSIS=1 sh src/deps.sh)"
[ "$(uname -m)" = x86_64 ] || skip "the files are of x86_64"
case $OUT in
build) ;;
*) skip "the files are of a plain build" ;;
esac

describe() { # library file
    abidw --no-corpus-path --no-comp-dir-path --no-show-locs --drop-private-types \
        --headers-dir include --out-file "$2" "$OUT/$1.so"
}

if [ "${1:-}" = write ]; then
    for library in libmiguard libmiguard-host; do
        describe $library "$tmp/abi" && gzip -9nc "$tmp/abi" >tests/data/abi/$library.abi.gz || exit 3
    done
    exit
fi

# abidiff's bits: 1 and 2 are errors of its own, 4 is any change, 8 an incompatible one.
same() { # library
    gzip -dc "tests/data/abi/$1.abi.gz" >"$tmp/$1.abi" || return 1
    abidiff --no-added-syms --drop-private-types --headers-dir2 include "$tmp/$1.abi" "$OUT/$1.so"
}

# The comparison finds what it is for: a function is gone, a structure is longer.
finds_a_change() {
    printf '%s\n' 'struct s { int a; };' 'int f(struct s *s) { return s->a; }' 'int g(void) { return 1; }' >"$tmp/one.c"
    printf '%s\n' 'struct s { long b; int a; };' 'int f(struct s *s) { return s->a; }' >"$tmp/two.c"
    for name in one two; do
        gcc -g -shared -fPIC -o "$tmp/$name.so" "$tmp/$name.c" || return 1
    done
    ! abidiff "$tmp/one.so" "$tmp/two.so"
}

check "libmiguard is compatible" same libmiguard
check "libmiguard-host is compatible" same libmiguard-host
check "a change is found" finds_a_change
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
