# SPDX-License-Identifier: MIT
# The cross build for aarch64, for the scripts that run its tests in an emulator; they read this file
# by ".".
target=aarch64-linux-gnu
out=build/arm64
sysroot=$PWD/build/sysroot/$target

# build_for_arm64 MAKE-TARGET...; ends the script where something cannot be built.
# The programs look for loader and libraries in the folder that they were fetched to: qemu's own way
# of finding them (-L) would show the tests that folder in place of the root.
build_for_arm64() {
    flags=
    if [ -e "$sysroot/.packages" ]; then
        flags="-Wl,--dynamic-linker=$sysroot/lib/ld-linux-aarch64.so.1 -Wl,--disable-new-dtags"
        flags="$flags -Wl,-rpath,$sysroot/lib/$target:$sysroot/usr/lib/$target"
    fi
    # What fails is shown by function and line, for which -g1 does.
    make --no-print-directory -j"$(nproc)" CROSS=$target- OUT=$out LDFLAGS="$flags" CFLAGS=-g1 \
        "$@" >$out.log 2>&1 || {
        tail -n 40 $out.log
        echo "0 passed, 1 failed"
        exit 1
    }
}
