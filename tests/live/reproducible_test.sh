#!/bin/sh
# SPDX-License-Identifier: MIT
# Two builds in two folders are bit-identical: libraries, archives and the command. `make check` runs
# it.
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
build_elsewhere() {
    mkdir "$elsewhere" && cp -r Makefile src include policy man "$elsewhere" &&
        mkdir -p "$elsewhere/tests" && cp -r tests/providers "$elsewhere/tests" &&
        make --no-print-directory -C "$elsewhere" -j"$(nproc)" everything
}

check "it builds in another folder" build_elsewhere
for file in libmiguard.so.0.1.0 libmiguard-host.so.0.1.0 libmiguard-core.so.0.1.0 \
    libmiguard.a libmiguard-host.a libmiguard-core.a miguard; do
    check "$file is the same" cmp "$OUT/$file" "$elsewhere/build/$file"
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
