#!/bin/sh
# SPDX-License-Identifier: MIT
# What `make install` installs beside the build: the schemas, CMake's files, the bill of materials, and
# what systemd reads. install.sh VERSION SOVERSION, with the variables of the Makefile.
set -eu

version=$1 soversion=$2
cd "$(dirname "$0")/../.."
: "${DESTDIR:=}" "${PREFIX:=/usr/local}" "${LIBDIR:=$PREFIX/lib}" "${SYSTEMDDIR:=$PREFIX/lib}"

filled() { # template target
    install -d "$(dirname "$DESTDIR$2")"
    sed -e "s|@VERSION@|$version|g; s|@SOVERSION@|$soversion|g; s|@PREFIX@|$PREFIX|g" \
        -e "s|@TO_INCLUDE@|$(realpath -m --relative-to="$LIBDIR" "$PREFIX/include")|g" \
        "src/package/$1" >"$DESTDIR$2"
    chmod 644 "$DESTDIR$2"
}

filled miguardConfig.cmake.in "$LIBDIR/cmake/miguard/miguardConfig.cmake"
filled miguardConfigVersion.cmake.in "$LIBDIR/cmake/miguard/miguardConfigVersion.cmake"
filled miguard.sysusers "$SYSTEMDDIR/sysusers.d/miguard.conf"
filled miguard.tmpfiles "$SYSTEMDDIR/tmpfiles.d/miguard.conf"
filled miguard-verify.service "$SYSTEMDDIR/systemd/system/miguard-verify.service"
filled miguard-verify.timer "$SYSTEMDDIR/systemd/system/miguard-verify.timer"

share=$DESTDIR$PREFIX/share
install -d "$share/miguard" "$share/doc/miguard"
install -m 644 src/package/architecture.svg "$share/doc/miguard"
install -m 644 tests/data/audit-record.schema.json "$share/miguard"
sh src/package/policy_schema.sh >"$share/miguard/policy.schema.json"
sh src/package/sbom.sh "$version" >"$share/doc/miguard/miguard.spdx.json"
chmod 644 "$share/miguard/policy.schema.json" "$share/doc/miguard/miguard.spdx.json"
