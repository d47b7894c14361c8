#!/bin/sh
# SPDX-License-Identifier: MIT
# The RPM packages: built twice with the same bytes, installed below a folder of their own with a database
# of their own, verified, and removed without a trace. `make check-rpm` runs it, as root. On Debian the
# scripts of the packages and what they require are not tried: rpm there knows no other package.
set -u

cd "$(dirname "$0")/../.." || exit 3
LC_ALL=C
export LC_ALL
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES GNUMAKEFLAGS DESTDIR PREFIX LIBDIR
: "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct 2>/dev/null || stat -c %Y CHANGELOG.md)}"
export SOURCE_DATE_EPOCH

if ! command -v rpmbuild >/dev/null || [ "$(id -u)" -ne 0 ]; then
    echo "skip: the RPM packages: needs rpmbuild and root"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
fi
tmp=$(mktemp -d "${TMPDIR:-/tmp}/miguard-rpm-test.XXXXXX") || exit 3
trap 'rm -rf "$tmp"' EXIT
trap 'exit 3' HUP INT TERM
. tests/support/check.sh
version=$(sed -n 's/^VERSION *:= *//p' Makefile)
libdir=$(rpm --eval '%_libdir')

builds() {
    sh src/package/rpm.sh && [ "$(ls build/rpm/*.rpm | wc -l)" -eq 5 ]
}

builds_the_same() {
    mkdir "$tmp/elsewhere"
    tar -cf - Makefile src include policy tests man ./*.md LICENSE | tar -C "$tmp/elsewhere" -xf -
    (cd "$tmp/elsewhere" && TZ=Asia/Tokyo sh src/package/rpm.sh) || return 1
    (cd build/rpm && sha256sum -- *.rpm) >"$tmp/one"
    (cd "$tmp/elsewhere/build/rpm" && sha256sum -- *.rpm) >"$tmp/two"
    rm -rf "$tmp/elsewhere"
    diff "$tmp/one" "$tmp/two"
}

requires() { # package what
    rpm -qp --requires build/rpm/"$1-$version"-*.rpm >"$tmp/requires" && cat "$tmp/requires"
    grep -q "$2" "$tmp/requires"
}

below() { # command of rpm...
    rpm --root "$tmp/root" --nodeps --noscripts "$@"
}

installs() {
    mkdir -p "$tmp/root" && rpm --root "$tmp/root" --initdb &&
        (cd "$tmp/root" && find . ! -type d ! -path '*/rpm*' | sort) >"$tmp/before" &&
        below -i build/rpm/*.rpm && rpm --root "$tmp/root" -Va --nodeps
}

runs() {
    LD_LIBRARY_PATH=$tmp/root$libdir "$tmp/root/usr/bin/miguard" --version | grep "miguard $version"
}

removes() {
    below -e miguard miguard-devel libmiguard libmiguard-core libmiguard-host &&
        (cd "$tmp/root" && find . ! -type d ! -path '*/rpm*' | sort) >"$tmp/after" &&
        diff "$tmp/before" "$tmp/after"
}

check "the packages are built" builds
check "another build has the same bytes" builds_the_same
check "the command requires the library" requires miguard 'libmiguard.so.0(MIGUARD_0)'
check "the small library requires no libyaml" eval '! requires libmiguard-core "libyaml\|libsodium"'
check "they are installed, and verified" installs
check "the command runs" runs
check "they are removed, and nothing is left" removes

echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
