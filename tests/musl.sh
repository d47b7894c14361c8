#!/bin/sh
# SPDX-License-Identifier: MIT
# `make check-musl`: every source of the libraries and the command compiles against musl, without a
# warning, and musl or one of the libraries that we link has each symbol that they use. No program
# is linked or run: Debian has libcap-ng, libseccomp, libyaml, libsodium, expat and jansson for glibc only.
set -u

cd "$(dirname "$0")/.." || exit 3
out=build/musl
passed=0 failed=0

finish() {
    echo "$passed passed, $failed failed${1:+, $1 skipped}"
    [ "$failed" -eq 0 ]
    exit
}

NEED_MUSL=1 sh src/deps.sh && command -v musl-gcc >/dev/null 2>&1 || {
    echo "skip: musl: its compiler (musl-tools) cannot be had here"
    finish 1
}

# Headers that do not belong to a C library; the others of this machine are glibc's.
headers=$out/include
rm -rf $headers
mkdir -p $headers
multiarch=/usr/include/$(gcc -print-multiarch)
for name in linux asm asm-generic cap-ng.h seccomp.h seccomp-syscalls.h yaml.h sodium.h sodium \
    jansson.h jansson_config.h zlib.h zconf.h expat.h expat_external.h; do
    for folder in /usr/include "$multiarch"; do
        [ ! -e "$folder/$name" ] || ln -sfn "$folder/$name" "$headers/$name"
    done
done

# The compiler's warnings are those of the Makefile. linux/ and musl both have some structures. Any file
# stands for the shim in the command, which would be linked.
make --no-print-directory -k -j"$(nproc)" CC=musl-gcc ZSTD= LIBDW= LIBEDIT= in_command=LICENSE OUT=$out OPTIMISE=-O0 HARDEN= \
    CFLAGS="-isystem $headers -fno-builtin" musl-objects >$out/log 2>&1
for source in $(find src -name '*.c' ! -path 'src/probes/*' | sort); do
    if [ -e "$out/obj/${source%.c}.o" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED: $source does not compile against musl"
        grep "^$source:.*error" $out/log | head -n 3
    fi
done

libc=$(musl-gcc -v 2>&1 | sed -n "s|^Reading specs from \(.*\)/musl-gcc.specs|\1/libc.so|p" | head -n 1)
libraries=$(pkg-config --libs-only-l libcap-ng libseccomp yaml-0.1 libsodium expat jansson zlib |
    tr ' ' '\n' | sed -n 's/^-l//p' | sort -u)
{
    nm -D --defined-only "$libc"
    for library in $libraries; do
        nm -D --defined-only "$(gcc -print-file-name="lib$library.so")"
    done
    nm -D --defined-only "$(gcc -print-file-name=libgcc_s.so.1)"
    find $out/obj/src -name '*.o' -exec nm --defined-only --extern-only {} +
} | awk 'NF == 3 { sub(/@.*/, "", $3); print $3 }' | sort -u >$out/there
echo _GLOBAL_OFFSET_TABLE_ >>$out/there # the linker's
find $out/obj/src -name '*.o' -exec nm --undefined-only {} + | awk 'NF == 2 { print $2 }' |
    sort -u | grep -vxF -f $out/there >$out/missing
if [ -s $out/missing ]; then
    failed=$((failed + 1))
    echo "FAILED: neither musl nor a library that we link has: $(tr '\n' ' ' <$out/missing)"
else
    passed=$((passed + 1))
fi
finish
