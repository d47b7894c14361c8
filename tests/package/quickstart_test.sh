#!/bin/sh
# SPDX-License-Identifier: MIT
# miguard-quickstart(7) from the Debian packages: they are built, looked at by lintian, and installed in a
# new Debian, where the commands of the installed page are run one by one. One line a check; `make check`
# runs it, as root.
#
# The new Debian is made in a file system in memory, without a network, of this machine's packages: what
# is essential, a C compiler, and what those and ours depend on. deb_test.sh does more, with one from
# Debian's archive.
set -u

: "${OUT:=build}"
cd "$(dirname "$0")/../.." || exit 3
LC_ALL=C
export LC_ALL
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES GNUMAKEFLAGS DESTDIR PREFIX LIBDIR MIGUARD_POLICY

skip_all() { # why
    echo "skip: miguard-quickstart(7) from the packages: $1"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
}
[ "$OUT" = build ] || skip_all "checked with the plain build only"
for program in dh dpkg-buildpackage dpkg-query; do
    command -v $program >/dev/null || skip_all "there is no $program here"
done
dpkg-checkbuilddeps src/package/debian/control 2>/dev/null ||
    skip_all "$(dpkg-checkbuilddeps src/package/debian/control 2>&1 | sed 's/.*error: //')"
if [ "$(id -u)" -ne 0 ] || ! unshare -m true 2>/dev/null; then
    skip_all "needs root and a mount namespace"
fi
if [ -z "${MIGUARD_DEB:-}" ]; then
    MIGUARD_DEB=$(mktemp -d "${TMPDIR:-/tmp}/miguard-quickstart-test.XXXXXX") || exit 3
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
root=$tmp/root
built="libmiguard0 libmiguard-core0 libmiguard-host0 libmiguard-preload libmiguard-dev miguard"

skip() { # "what: why"
    echo "skip: $*"
    skipped=$((skipped + 1))
}

# Symbols for a debugger are packages of their own, which nothing here installs: with QUICK=1 neither they nor
# what they are made of are compiled, which is left to deb_test.sh.
builds() {
    DEB_BUILD_OPTIONS="${DEB_BUILD_OPTIONS:-}${QUICK:+ noautodbgsym}" \
        DEB_CFLAGS_STRIP="${DEB_CFLAGS_STRIP:-}${QUICK:+ -g}" OUT=$tmp/deb sh src/package/deb.sh
}

lintian_likes() {
    lintian --allow-root --fail-on error,warning --no-tag-display-limit "$tmp"/deb/*.changes
}

# ---- a new Debian --------------------------------------------------------------------------------

# The packages that these need, as installed here: of "a | b" the first that is, and for a virtual one
# who provides it.
closure() { # package...
    dpkg-query -W -f '${Package}\t${db:Status-Status}\t${Provides}\t${Pre-Depends}, ${Depends}\n' |
        awk -F '\t' -v wanted="$*" '
            function bare(name) { sub(/^ +/, "", name); sub(/[ :(].*/, "", name); return name }
            $2 == "installed" || $2 ~ /^triggers-/ {
                needs[$1] = $4
                count = split($3, names, ",")
                for (i = 1; i <= count; i++) provider[bare(names[i])] = $1
            }
            function add(alternatives,    list, many, k, name) {
                many = split(alternatives, list, "|")
                for (k = 1; k <= many; k++) {
                    name = bare(list[k])
                    if (!(name in needs) && name in provider) name = provider[name]
                    if (!(name in needs)) continue
                    if (!(name in taken)) { taken[name] = 1; queue[++last] = name }
                    return
                }
            }
            END {
                count = split(wanted, names, " ")
                for (i = 1; i <= count; i++) add(names[i])
                for (at = 1; at <= last; at++) {
                    count = split(needs[queue[at]], groups, ",")
                    for (i = 1; i <= count; i++) add(groups[i])
                }
                for (name in taken) print name
            }'
}

# What our packages need beside each other, as they say.
needed_by_ours() {
    for package in "$tmp"/deb/*.deb; do
        dpkg-deb -f "$package" Pre-Depends Depends | sed 's/^[A-Za-z-]*: //' | tr ',' '\n'
    done | sed 's/^ *//; s/[ |(].*//; s/:.*//' | grep -v miguard | sort -u
}

# Files and the entries in dpkg's database of each package; documents are left out, as in minbase images.
copies_packages() {
    essential=$(dpkg-query -W -f '${Essential} ${Package}\n' | sed -n 's/^yes //p')
    # shellcheck disable=SC2046,SC2086 # words
    closure $essential mawk gcc libc6-dev pkgconf $(needed_by_ours) | sort >"$tmp/packages"
    mount -t tmpfs -o mode=755 tmpfs "$root" || return 1
    # shellcheck disable=SC2046
    dpkg-query -L $(cat "$tmp/packages") | grep '^/' | grep -v '^/usr/share/\(doc\|man\|locale\|info\)/' |
        sort -u | while read -r file; do
        [ ! -e "$file" ] && [ ! -h "$file" ] || printf '.%s\n' "$file"
    done >"$tmp/files"
    for folder in bin sbin lib lib32 lib64 libx32; do # links to /usr/bin and others, which come later
        [ ! -h /$folder ] || mkdir -p "$root/$(readlink /$folder)"
    done
    tar -C / -cf - --no-recursion -T "$tmp/files" | tar -C "$root" -xf - --keep-directory-symlink || return 1
    mkdir -p "$root/var/lib/dpkg/info" "$root/var/lib/dpkg/updates" "$root/var/lib/dpkg/triggers"
    while read -r package; do
        dpkg-query -s "$package" | sed -e 's/^Status: .*/Status: install ok installed/' -e '/^Triggers-/d' && echo
        cp /var/lib/dpkg/info/"$package".* /var/lib/dpkg/info/"$package:$architecture".* \
            "$root/var/lib/dpkg/info" 2>/dev/null
    done <"$tmp/packages" >"$root/var/lib/dpkg/status"
    echo libc-bin >"$root/var/lib/dpkg/triggers/ldconfig"
}

# What the scripts of those packages leave: users, the names of alternatives, the loader's cache.
finishes() {
    for file in passwd group; do
        cp "$root/usr/share/base-passwd/$file.master" "$root/etc/$file" || return 1
    done
    rm -rf "$root/etc/miguard" "$root/var/log/miguard"
    ln -sf gcc "$root/usr/bin/cc" && ln -sf mawk "$root/usr/bin/awk" || return 1
    mkdir -p "$root/proc" "$root/dev" "$root/tmp" "$root/run" "$root/packages" &&
        chmod 1777 "$root/tmp" && mount -t proc proc "$root/proc" && mount --rbind /dev "$root/dev" || return 1
    printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d" && chmod 755 "$root/usr/sbin/policy-rc.d"
    inside ldconfig
}

inside() {
    chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/ DEBIAN_FRONTEND=noninteractive "$@"
}

makes_root() {
    mkdir "$root" && copies_packages && finishes && inside dpkg --audit &&
        ! inside sh -c 'command -v miguard || ls /usr/include/MI.h'
}

installs() {
    for package in $built; do
        cp "$tmp/deb/${package}"_*_"$architecture.deb" "$root/packages" || return 1
    done
    # shellcheck disable=SC2086
    inside sh -c 'dpkg -i /packages/*.deb' &&
        [ "$(inside dpkg-query -W -f '${db:Status-Status}\n' $built | sort -u)" = installed ]
}

quickstart() {
    mkdir -p "$root/packages/sources/tests"
    cp -R tests/live tests/support "$root/packages/sources/tests"
    inside env QUICKSTART=/usr/share/man/man7/miguard-quickstart.7.gz \
        sh /packages/sources/tests/live/pages_test.sh
}

purged() {
    # shellcheck disable=SC2086
    inside dpkg --purge $built && ! inside sh -c 'ls /usr/bin/miguard /usr/include/MI.h /usr/lib/*/libmiguard*'
}

finish() {
    printf '%d passed, %d failed' $passed $failed
    [ $skipped -eq 0 ] || printf ', %d skipped' $skipped
    echo
    [ $failed -eq 0 ]
    exit
}

check "the packages are built" builds
[ $failed -eq 0 ] || finish
if command -v lintian >/dev/null; then
    check "lintian has nothing to say" lintian_likes
else
    skip "lintian: there is none here"
fi
check "a new Debian is made of this machine's packages" makes_root
check "the packages are installed there" installs
check "miguard-quickstart(7), as installed, command by command" quickstart
check "they are purged" purged
finish
