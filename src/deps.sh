#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs what the build and the tests need and this machine lacks; says nothing when all is there.
# With CROSS=aarch64-linux-gnu- what a build for that machine needs: its libraries go to
# build/sysroot, unless SYSROOT names a folder with them or they are installed beside this machine's.
set -u

: "${CROSS:=}" "${SYSROOT:=}"

missing=
need() { # name-for-apt name-for-dnf test...
    apt_name=$1 dnf_name=$2
    shift 2
    "$@" >/dev/null 2>&1 || missing="$missing $apt_name:$dnf_name"
}

need_libraries() { # of this machine
    need gcc gcc command -v gcc
    need libc6-dev glibc-devel test -e /usr/include/stdio.h
    need libcap-ng-dev libcap-ng-devel pkg-config --exists libcap-ng
    need libseccomp-dev libseccomp-devel pkg-config --exists libseccomp
    need libyaml-dev libyaml-devel pkg-config --exists yaml-0.1
    need libexpat1-dev expat-devel pkg-config --exists expat
    need libsodium-dev libsodium-devel pkg-config --exists libsodium
    need zlib1g-dev zlib-devel pkg-config --exists zlib
    need check check-devel pkg-config --exists check
    need libjansson-dev jansson-devel pkg-config --exists jansson
}

fetch_libraries() { # of the machine that is built for
    target=${CROSS%-}
    [ -z "$SYSROOT" ] || return 0
    PKG_CONFIG_LIBDIR=/usr/lib/$target/pkgconfig pkg-config --exists libcap-ng libseccomp yaml-0.1 \
        libsodium expat zlib check jansson && return 0
    sh src/sysroot.sh "$target" "build/sysroot/$target"
}

need make make command -v make
need pkgconf pkgconf-pkg-config command -v pkg-config
if [ -z "$CROSS" ]; then
    need_libraries
else
    compiler=gcc-$(echo "${CROSS%-}" | tr _ -)
    need "$compiler" "$compiler" command -v "${CROSS}gcc"
fi
[ -z "${NEED_QEMU_USER:-}" ] || need qemu-user qemu-user command -v qemu-aarch64
[ -z "${NEED_QEMU_SYSTEM:-}" ] || need qemu-system-arm qemu-system-aarch64 command -v qemu-system-aarch64
[ -z "${NEED_QEMU_SYSTEM:-}" ] || need cpio cpio command -v cpio
[ -z "${NEED_MUSL:-}" ] || need musl-tools musl-gcc command -v musl-gcc
[ -z "${NEED_CXX:-}" ] || need g++ gcc-c++ command -v g++
[ -z "${NEED_MANDOC:-}" ] || need mandoc mandoc command -v mandoc
[ -z "${NEED_VALGRIND:-}" ] || need valgrind valgrind command -v valgrind
[ -z "${NEED_JQ:-}" ] || need jq jq command -v jq
# The command reads logs of zstd(1) where this library is; a cross build does without.
[ -z "${NEED_ZSTD:-}" ] || [ -n "$CROSS" ] || need libzstd-dev libzstd-devel pkg-config --exists libzstd
[ -z "${NEED_ZSTD:-}" ] || need zstd zstd command -v zstd
# It says functions and lines of source where elfutils' library is.
[ -z "${NEED_LIBDW:-}" ] || [ -n "$CROSS" ] || need libdw-dev elfutils-devel pkg-config --exists libdw
# `miguard run --shell` edits lines where this header is.
[ -z "${NEED_LIBEDIT:-}" ] || [ -n "$CROSS" ] || need libedit-dev libedit-devel pkg-config --exists libedit
# `miguard audit load` is built where this header is, and tested with a database.
[ -z "${NEED_POSTGRESQL:-}" ] || [ -n "$CROSS" ] || need libpq-dev libpq-devel pkg-config --exists libpq
[ -z "${NEED_POSTGRESQL:-}" ] || need postgresql postgresql-server command -v psql
# Signatures are made and verified in both directions with this program.
[ -z "${NEED_MINISIGN:-}" ] || need minisign minisign command -v minisign
[ -z "${NEED_MINISIGN:-}" ] || need strace strace command -v strace
# The recipes that bring bundles to hosts.
[ -z "${NEED_RECIPES:-}" ] || need rsync rsync command -v rsync
[ -z "${NEED_RECIPES:-}" ] || need ansible-core ansible-core command -v ansible-playbook
# The recipes of policy/fleet are tested with these, on machines of namespaces.
[ -z "${NEED_FLEET:-}" ] || need iproute2 iproute test -e /sbin/ip
[ -z "${NEED_FLEET:-}" ] || need openssl openssl command -v openssl
[ -z "${NEED_FLEET:-}" ] || need systemd-journal-remote systemd-journal-remote test -e /lib/systemd/systemd-journal-upload
[ -z "${NEED_FLEET:-}" ] || need rsyslog-elasticsearch rsyslog-elasticsearch sh -c 'ls /usr/lib*/rsyslog/omelasticsearch.so /usr/lib/*/rsyslog/omelasticsearch.so | grep -q .'
[ -z "${NEED_FLEET:-}" ] || need audispd-plugins audispd-plugins test -e /sbin/audisp-remote
# The recipe of policy/fleet is tested with it.
[ -z "${NEED_POSTGRESQL:-}" ] || need rsyslog-relp rsyslog-relp sh -c 'ls /usr/lib*/rsyslog/imrelp.so /usr/lib/*/rsyslog/imrelp.so | grep -q .'
[ -z "${NEED_BROWSER:-}" ] || need chromium chromium command -v chromium
# The shells that completion is for; bash comes with the system.
[ -z "${NEED_SHELLS:-}" ] || need zsh zsh command -v zsh
[ -z "${NEED_SHELLS:-}" ] || need fish fish command -v fish
[ -z "${NEED_RPM:-}" ] || need rpm rpm-build command -v rpmbuild
# What reads schemas as editors do, and builds with CMake's files.
[ -z "${NEED_SCHEMA:-}" ] || need python3-jsonschema python3-jsonschema \
    sh -c 'python3 -c "import jsonschema" || /usr/bin/python3 -c "import jsonschema"'
[ -z "${NEED_SCHEMA:-}" ] || need python3-yaml python3-pyyaml \
    sh -c 'python3 -c "import yaml" || /usr/bin/python3 -c "import yaml"'
[ -z "${NEED_SCHEMA:-}" ] || need cmake cmake command -v cmake
# What reads profiles of AppArmor and modules of SELinux.
[ -z "${NEED_SCHEMA:-}" ] || need apparmor apparmor-parser test -x /usr/sbin/apparmor_parser
[ -z "${NEED_SCHEMA:-}" ] || need checkpolicy checkpolicy command -v checkmodule
# Packages, what looks at them and what makes a system to install them in.
[ -z "${NEED_DEB:-}" ] || need debhelper debhelper command -v dh
[ -z "${NEED_DEB:-}" ] || need lintian lintian command -v lintian
[ -z "${NEED_DEB:-}" ] || need debootstrap debootstrap test -x /usr/sbin/debootstrap
# A system that is booted, for units.
[ -z "${NEED_NSPAWN:-}" ] || need systemd-container systemd-container command -v systemd-nspawn
[ -z "${NEED_NSPAWN:-}" ] || need debootstrap debootstrap test -x /usr/sbin/debootstrap
# The daemons that records are sent to; journalctl comes with systemd, ausearch with auditd.
[ -z "${NEED_DAEMONS:-}" ] || need rsyslog rsyslog test -x /usr/sbin/rsyslogd
[ -z "${NEED_DAEMONS:-}" ] || need systemd systemd test -e /lib/systemd/systemd-journald
[ -z "${NEED_DAEMONS:-}" ] || need auditd audit test -e /usr/sbin/auditd
[ -z "${NEED_CLANG:-}" ] || need clang clang command -v clang
# The bindings of tests/examples.
[ -z "${NEED_BINDINGS:-}" ] || need rustc rust test -x /usr/bin/rustc
[ -z "${NEED_BINDINGS:-}" ] || need golang-go golang test -x /usr/bin/go
[ -z "${NEED_BINDINGS:-}" ] || need python3 python3 test -x /usr/bin/python3
# What checks the sources themselves.
[ -z "${NEED_ANALYSIS:-}" ] || need clang-format clang-tools-extra command -v clang-format
[ -z "${NEED_ANALYSIS:-}" ] || need clang-tidy clang-tools-extra command -v clang-tidy
[ -z "${NEED_ANALYSIS:-}" ] || need cppcheck cppcheck command -v cppcheck
[ -z "${NEED_ANALYSIS:-}" ] || need codespell codespell command -v codespell
[ -z "${NEED_ANALYSIS:-}" ] || need abigail-tools libabigail command -v abidiff
# libFuzzer and clang's sanitizers, which Debian packs apart from it.
[ -z "${NEED_CLANG:-}" ] || need libclang-rt-dev compiler-rt \
    sh -c 'test -e "$(clang -print-file-name=libclang_rt.fuzzer-$(uname -m).a)"'

# No distribution has the library of DuckDB, which `audit export --format parquet` loads: its package for
# Node.js has it, and is not installed but laid into the folder of the build.
[ -z "${NEED_DUCKDB:-}" ] || need npm npm command -v npm
fetch_duckdb() {
    [ "$(uname -m)" = x86_64 ] || return 0
    [ -e build/duckdb/node_modules/@duckdb/node-bindings-linux-x64/libduckdb.so ] && return 0
    npm install --no-audit --no-fund --ignore-scripts --prefix build/duckdb \
        @duckdb/node-bindings-linux-x64@1.5.6-r.1 >/dev/null && return 0
    echo "deps: npm has no @duckdb/node-bindings-linux-x64 here: the tests of Parquet are skipped" >&2
}

finish() {
    [ -z "$CROSS" ] || fetch_libraries
    [ -z "${NEED_DUCKDB:-}" ] || fetch_duckdb
    exit
}

[ -n "$missing" ] || finish

apt_list= dnf_list=
for pair in $missing; do
    apt_list="$apt_list ${pair%%:*}"
    dnf_list="$dnf_list ${pair##*:}"
done

if command -v apt-get >/dev/null 2>&1; then
    install="apt-get update -q && env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends$apt_list"
elif command -v dnf >/dev/null 2>&1; then
    install="dnf install -y$dnf_list"
else
    echo "deps: no apt-get and no dnf here; please install:$apt_list" >&2
    exit 3
fi

as_root=
if [ "$(id -u)" -ne 0 ]; then
    if ! sudo -n true 2>/dev/null; then
        echo "deps: missing:$apt_list; please run as root: sh -c '$install'" >&2
        exit 3
    fi
    as_root=sudo
fi
echo "deps: installing$apt_list"
$as_root sh -c "$install" >/dev/null || {
    echo "deps: this failed: $install" >&2
    exit 3
}
finish
