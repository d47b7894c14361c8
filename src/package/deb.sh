#!/bin/sh
# SPDX-License-Identifier: MIT
# Debian packages into build/deb: `make deb` runs it. The sources are copied to a folder of their own,
# with debian/ from src/package, and built by debhelper; OUT says where. Two runs make the same bytes,
# in whichever folder.
# DEBFULLNAME and DEBEMAIL are the maintainer of the packages; SOURCE_DATE_EPOCH their date.
set -eu

: "${OUT:=build/deb}"
cd "$(dirname "$0")/../.."
for program in dh dpkg-buildpackage; do
    command -v $program >/dev/null || {
        echo "deb: there is no $program here: apt-get install debhelper dpkg-dev" >&2
        exit 3
    }
done

version=$(sed -n 's/^VERSION *:= *//p' Makefile)
: "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct 2>/dev/null || stat -c %Y CHANGELOG.md)}"
maintainer="${DEBFULLNAME:-The miguard authors} <${DEBEMAIL:-maintainers@miguard.invalid}>"
export SOURCE_DATE_EPOCH
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES GNUMAKEFLAGS DESTDIR PREFIX LIBDIR

tree=$OUT/miguard-$version
rm -rf "$OUT"
mkdir -p "$tree"
tar -cf - --exclude='*.pyc' Makefile src include policy tests man ./*.md LICENSE |
    tar -C "$tree" -xf -
mkdir "$tree/debian"
cp -R src/package/debian/. "$tree/debian"
date=$(LC_ALL=C date -u -R -d "@$SOURCE_DATE_EPOCH")
sed 's/^$/./; s/^/ /' LICENSE | sed '1,/Permission/{/Permission/!d}' >"$OUT/license"
for file in control changelog copyright libmiguard0.symbols libmiguard-core0.symbols \
    libmiguard-host0.symbols; do
    sed -i -e "s|@MAINTAINER@|$maintainer|; s|@VERSION@|$version|; s|@DATE@|$date|" \
        -e "/@LICENSE@/{r $OUT/license" -e 'd}' "$tree/debian/$file"
done
cp src/package/miguard.sysusers "$tree/debian/miguard.sysusers"
cp src/package/miguard.tmpfiles "$tree/debian/miguard.tmpfiles"

# Packages of another day or folder have the same bytes: dpkg-deb takes the date of the changelog.
(cd "$tree" && DEB_BUILD_OPTIONS="${DEB_BUILD_OPTIONS:-} parallel=$(nproc)" \
    dpkg-buildpackage -b -us -uc >../log 2>&1) || {
    tail -n 40 "$OUT/log" >&2
    exit 1
}
rm -rf "$tree" "$OUT/license"
ls "$OUT"/*.deb
