#!/bin/sh
# SPDX-License-Identifier: MIT
# Two builds in two folders are bit-identical: libraries, archives and the command. `make check` runs
# it. With QUICK=1 the second build compiles one source of each folder, which stands for its neighbours with
# the same flags, takes the objects of the first for the others, and links all.
set -u

: "${OUT:=build}" "${CC:=gcc}"
cd "$(dirname "$0")/../.." || exit 3
tmp=$(mktemp -d "${TMPDIR:-/tmp}/miguard-reproducible-test.XXXXXX") || exit 3
trap 'rm -rf "$tmp"' EXIT
trap 'exit 3' HUP INT TERM
. tests/support/check.sh

case $OUT in
build) ;;
*)
    echo "skip: reproducible: asked of the plain build only"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
    ;;
esac

# The first build is the one that is there; the second one is in a folder with a longer name.
elsewhere=$tmp/another-folder-with-a-longer-name
copies_sources() {
    mkdir "$elsewhere" && cp -Rp Makefile src include policy man "$elsewhere" &&
        mkdir -p "$elsewhere/tests" && cp -Rp tests/providers "$elsewhere/tests"
}

# The objects but for one of each folder, the largest; and what make would not make anew, in its old order.
copies_objects() {
    mkdir -p "$elsewhere/build/obj" && cp -Rp "$OUT/obj/src" "$elsewhere/build/obj" &&
        find "$elsewhere/build/obj" -name '*.o' -printf '%h %s %p\n' | sort -k 1,1 -k 2,2rn |
        awk '$1 != folder { print $3 } { folder = $1 }' >"$tmp/anew" && [ -s "$tmp/anew" ] &&
        xargs rm <"$tmp/anew"
}

build_elsewhere() {
    copies_sources || return 1
    [ -z "${QUICK:-}" ] || copies_objects || return 1
    make --no-print-directory -C "$elsewhere" -j"$(nproc)" everything >"$tmp/log" 2>&1 || {
        tail -n 20 "$tmp/log"
        return 1
    }
}

# Where a folder is compiled in part: what would differ in one source alone.
no_time_of_compilation() {
    ! grep -rnE '__(DATE|TIME|TIMESTAMP)__' src include
}

compiled_anew() {
    find "$elsewhere/build/obj/src" -name '*.o' -newer "$tmp/anew" | sort >"$tmp/compiled"
    sort "$tmp/anew" | comm -23 - "$tmp/compiled" >"$tmp/not"
    ! grep . "$tmp/not"
}

check "it builds in another folder" build_elsewhere
[ -z "${QUICK:-}" ] || check "one source of each folder was compiled there" compiled_anew
check "no source has the time of its compilation in it" no_time_of_compilation
for file in libmiguard.so.0.1.0 libmiguard-host.so.0.1.0 libmiguard-core.so.0.1.0 \
    libmiguard.a libmiguard-host.a libmiguard-core.a miguard; do
    check "$file is the same" cmp "$OUT/$file" "$elsewhere/build/$file"
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
