#!/bin/sh
# SPDX-License-Identifier: MIT
# The Debian packages: built twice with the same bytes, without a complaint of lintian, installed in a new
# Debian, used there by root and by others, and removed without a trace. `make check-deb` runs it, as
# root; it needs Debian's archive. One line a check.
#
# The new Debian is made once, in build/package, and used through an overlay that is thrown away.
set -u

cd "$(dirname "$0")/../.." || exit 3
LC_ALL=C
export LC_ALL
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES GNUMAKEFLAGS DESTDIR PREFIX LIBDIR MIGUARD_POLICY
: "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct 2>/dev/null || stat -c %Y CHANGELOG.md)}"
export SOURCE_DATE_EPOCH

skip_all() { # why
    echo "skip: the Debian packages: $1"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
}
for program in dh lintian debootstrap dpkg-buildpackage; do
    command -v $program >/dev/null || skip_all "there is no $program here"
done
if [ "$(id -u)" -ne 0 ] || ! unshare -m true 2>/dev/null; then
    skip_all "needs root and a mount namespace"
fi
if [ -z "${MIGUARD_DEB:-}" ]; then
    MIGUARD_DEB=$(mktemp -d "${TMPDIR:-/tmp}/miguard-deb-test.XXXXXX") || exit 3
    export MIGUARD_DEB
    trap 'rm -rf "$MIGUARD_DEB"' EXIT
    trap 'exit 3' HUP INT TERM
    unshare -m --propagation private sh "$0"
    exit
fi

tmp=$MIGUARD_DEB
. tests/support/check.sh
skipped=0
architecture=$(dpkg --print-architecture)
multiarch=$(dpkg-architecture -qDEB_HOST_MULTIARCH)
version=$(sed -n 's/^VERSION *:= *//p' Makefile)

# ---- building ------------------------------------------------------------------------------------

builds() {
    sh src/package/deb.sh && for package in libmiguard0 libmiguard-core0 libmiguard-host0 \
        libmiguard-preload libmiguard-dev miguard; do
        [ -s "build/deb/${package}_${version}_$architecture.deb" ] || return 1
    done
}

# Another folder, umask, time zone, and number of jobs.
builds_the_same() {
    mkdir "$tmp/elsewhere"
    tar -cf - Makefile src include policy tests man ./*.md LICENSE | tar -C "$tmp/elsewhere" -xf -
    (umask 077 && cd "$tmp/elsewhere" && TZ=Asia/Tokyo DEB_BUILD_OPTIONS=parallel=1 \
        sh src/package/deb.sh) || return 1
    (cd build/deb && sha256sum -- *.deb) >"$tmp/one"
    (cd "$tmp/elsewhere/build/deb" && sha256sum -- *.deb) >"$tmp/two"
    rm -rf "$tmp/elsewhere"
    [ "$(wc -l <"$tmp/one")" -ge 6 ] && diff "$tmp/one" "$tmp/two"
}

lintian_likes() {
    lintian --allow-root --fail-on error,warning --no-tag-display-limit build/deb/*.changes
}

multiarch_paths() {
    dpkg-deb -c "build/deb/libmiguard0_${version}_$architecture.deb" | awk '{ print $6 }' |
        grep '\.so' >"$tmp/paths"
    cat "$tmp/paths"
    ! grep -v "^./usr/lib/$multiarch/" "$tmp/paths" &&
        dpkg-deb -f "build/deb/libmiguard0_${version}_$architecture.deb" Multi-Arch | grep -qx same
}

check "the packages are built" builds
check "another build has the same bytes" builds_the_same
check "lintian has nothing to say" lintian_likes
check "libraries lie where several architectures can have theirs" multiarch_paths

# ---- a new Debian --------------------------------------------------------------------------------

suite=$(. /etc/os-release && echo "${VERSION_CODENAME:-stable}")
base=build/package/$suite
if [ ! -e "$base.tar" ]; then
    mkdir -p build/package
    debootstrap --variant=minbase "$suite" "$tmp/base" >"$tmp/log" 2>&1 &&
        tar -C "$tmp/base" -cf "$base.tar" . || {
        tail -n 5 "$tmp/log"
        rm -f "$base.tar"
        echo "skip: installing: no new Debian could be made"
        printf '%d passed, %d failed, 1 skipped\n' $passed $failed
        [ $failed -eq 0 ]
        exit
    }
    rm -rf "$tmp/base"
fi
root=$tmp/root
mkdir "$root"
mount -t tmpfs -o mode=755 tmpfs "$root" && tar -C "$root" -xf "$base.tar" || exit 3
cp /etc/resolv.conf "$root/etc/resolv.conf"
mount -t proc proc "$root/proc" && mount --rbind /dev "$root/dev" || exit 3
mkdir "$root/packages" "$root/providers"
cp build/deb/*.deb "$root/packages"
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod 755 "$root/usr/sbin/policy-rc.d"

inside() {
    chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C HOME=/ \
        DEBIAN_FRONTEND=noninteractive "$@"
}

all_files() { # what packages put there: not what dpkg, apt and ld.so keep of their own
    (cd "$root" && find . -xdev \( -path ./var/lib/dpkg -o -path ./var/lib/apt -o -path ./var/cache \
        -o -path ./var/log/apt -o -path ./packages -o -path ./providers -o -path ./tmp -o -path ./proc -o -path ./dev \
        -o -path ./run \) -prune -o -print) | grep -v '^./etc/\(ld.so.cache\|sub[gu]id-\|g\{0,1\}shadow-\{0,1\}\|group-\{0,1\}\|passwd-\)$' |
        grep -v '^./var/log/\(dpkg\|alternatives\).log$' | sort
}

installs() { # package...
    for package in "$@"; do
        echo "/packages/${package}_${version}_$architecture.deb"
    done | xargs chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C \
        DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends
}

says() { # status text command...
    wanted=$1 text=$2
    shift 2
    inside "$@" >"$tmp/out" 2>&1
    got=$?
    cat "$tmp/out"
    [ $got = "$wanted" ] && grep -q -- "$text" "$tmp/out"
}

updates() { # also what the packages depend on, so that a removal is compared with a system that has it
    inside apt-get -q update && inside apt-get install -qy --no-install-recommends libcap-ng0 \
        libseccomp2 libyaml-0-2 libsodium23 libexpat1 libjansson4 zlib1g systemd
}

group_reads() { # a user of the group miguard, who is not root, reads the log
    inside useradd -G miguard reader || return 1
    inside setpriv --reuid reader --regid reader --init-groups \
        env HOME=/nonexistent miguard audit search >"$tmp/out" 2>&1
    status=$?
    cat "$tmp/out"
    inside userdel reader
    [ $status -eq 0 ] && grep -q GetInstance "$tmp/out"
}

others_do_not() {
    ! inside setpriv --reuid 65534 --regid 65534 --clear-groups cat /var/log/miguard/audit.jsonl
}

served() { # text
    inside miguard run --module /providers/impersonator.so --module /providers/file.so \
        invoke root/test MG_Impersonator Act Name=setfsuid >"$tmp/out" 2>&1
    cat "$tmp/out"
    grep -q -- "$1" "$tmp/out"
}

nothing_left() {
    all_files >"$tmp/after"
    diff "$tmp/before" "$tmp/after"
}

if ! updates >"$tmp/log" 2>&1; then
    tail -n 5 "$tmp/log"
    echo "skip: installing: Debian's archive is not to be reached"
    printf '%d passed, %d failed, 1 skipped\n' $passed $failed
    [ $failed -eq 0 ]
    exit
fi
all_files >"$tmp/before"
check "a library alone can be installed" installs libmiguard-core0
check "all can be installed" installs libmiguard0 libmiguard-core0 libmiguard-host0 \
    libmiguard-preload libmiguard-dev miguard
check "the command runs" says 0 "miguard $version" miguard --version
check "the folder of the log is made for the group" says 0 '^2750 root miguard$' \
    stat -c '%a %U %G' /var/log/miguard
check "the timer is there and not enabled" says 1 'disabled' systemctl is-enabled miguard-verify.timer
check "the shipped policies are right" says 0 '' sh -c 'miguard policy check /usr/share/miguard/policy/hardened.yaml'
if [ -e build/providers/file.so ]; then
    cp build/providers/*.so "$root/providers"
    check "a provider works, and a misuse is refused" served ACCESS_DENIED
    check "who is in the group reads the log" group_reads
    check "who is not does not" others_do_not
    check "the log is intact" says 0 '^intact' miguard audit verify
    check "doctor finds it" says 0 'yes  audit-log' miguard doctor
fi
quickstart() { # as the page says: the packages and a C compiler
    inside apt-get install -qy --no-install-recommends gcc libc6-dev pkgconf >"$tmp/out" 2>&1 || return 1
    mkdir -p "$root/packages/sources/tests"
    cp -R tests/live tests/support "$root/packages/sources/tests"
    inside env QUICKSTART=/usr/share/man/man7/miguard-quickstart.7.gz \
        sh /packages/sources/tests/live/pages_test.sh
    status=$?
    rm -rf "$root/etc/miguard"
    inside apt-get purge --autoremove -qy gcc libc6-dev pkgconf >"$tmp/out" 2>&1
    return $status
}
check "miguard-quickstart(7) is true here" quickstart
check "ld.so finds the preloaded library" says 0 libmiguard-preload \
    env LD_PRELOAD=libmiguard-preload.so sh -c 'cat /proc/$$/maps'
check "a removal keeps the log" says 0 '' sh -c \
    'apt-get remove -qy miguard && [ -d /var/log/miguard ] && [ ! -e /usr/bin/miguard ]'
check "they are purged" inside apt-get purge --autoremove -qy miguard 'libmiguard*'
check "nothing is left" nothing_left

printf '%d passed, %d failed' $passed $failed
[ $skipped -eq 0 ] || printf ', %d skipped' $skipped
echo
[ $failed -eq 0 ]
