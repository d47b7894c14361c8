#!/bin/sh
# SPDX-License-Identifier: MIT
# RPM packages into build/rpm: `make rpm` runs it. Where the database of rpm does not know what is
# installed, as on Debian, what the build needs is looked for by the Makefile only.
# SOURCE_DATE_EPOCH is the date of the packages; two runs make the same bytes.
set -eu

: "${OUT:=build/rpm}"
cd "$(dirname "$0")/../.."
command -v rpmbuild >/dev/null || {
    echo "rpm: there is no rpmbuild here: apt-get install rpm, or dnf install rpm-build" >&2
    exit 3
}
version=$(sed -n 's/^VERSION *:= *//p' Makefile)
: "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct 2>/dev/null || stat -c %Y CHANGELOG.md)}"
export SOURCE_DATE_EPOCH
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES GNUMAKEFLAGS DESTDIR PREFIX LIBDIR

rm -rf "$OUT"
mkdir -p "$OUT/SOURCES"
top=$(cd "$OUT" && pwd)
tar -cf "$top/SOURCES/miguard-$version.tar" --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 \
    --transform="s|^|miguard-$version/|" --exclude='*.pyc' Makefile src include policy tests man \
    CHANGELOG.md CONTRIBUTING.md README.md SECURITY.md LICENSE
sed "s|@VERSION@|$version|" src/package/miguard.spec.in >"$top/miguard.spec"
nodeps=
[ -e /etc/redhat-release ] || nodeps=--nodeps
# shellcheck disable=SC2086 # a word or none
rpmbuild -bb $nodeps --define "_topdir $top" --define "_buildhost localhost" "$top/miguard.spec" \
    >"$top/log" 2>&1 || {
    tail -n 40 "$top/log" >&2
    exit 1
}
mv "$top"/RPMS/*/*.rpm "$top"
rm -rf "$top/BUILD" "$top/BUILDROOT" "$top/RPMS" "$top/SRPMS" "$top/SOURCES" "$top/SPECS"
ls "$OUT"/*.rpm
