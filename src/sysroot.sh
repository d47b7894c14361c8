#!/bin/sh
# SPDX-License-Identifier: MIT
# The libraries of another machine, for a cross build: sh src/sysroot.sh aarch64-linux-gnu FOLDER
# Has apt fetch Debian's packages for that machine and unpacks them below FOLDER. It uses this
# machine's sources and keys, but lists and a package state of its own: nothing is installed, no
# foreign architecture is added, and no rights are needed. More packages may be named behind FOLDER.
set -u

packages="libc6-dev libgcc-s1 libcap-ng-dev libseccomp-dev libyaml-dev libsodium-dev libexpat1-dev
    zlib1g-dev check libjansson-dev"

fail() {
    echo "sysroot: $*" >&2
    exit 3
}

[ $# -ge 2 ] || fail "usage: sysroot.sh TRIPLET FOLDER [PACKAGE...]"
triplet=$1 folder=$2
shift 2
case $triplet in
aarch64-linux-gnu) architecture=arm64 ;;
x86_64-linux-gnu) architecture=amd64 ;;
*) fail "which packages are for $triplet is not known here; give SYSROOT=FOLDER with its libraries" ;;
esac
command -v apt-get >/dev/null 2>&1 && command -v dpkg-deb >/dev/null 2>&1 ||
    fail "no apt-get here; give SYSROOT=FOLDER with the libraries for $triplet"

# What is there already stays: a build asks for less than a test that also needs a kernel.
done_with=$folder/.packages
there=" $(cat "$done_with" 2>/dev/null) " wanted=$there lacking=
for package in $packages "$@"; do
    case $there in
    *" $package "*) ;;
    *) lacking=1 wanted="$wanted$package " ;;
    esac
done
[ -n "$lacking" ] || exit 0
wanted=$(echo $wanted)

state=$folder.apt
mkdir -p "$folder" "$state/lists/partial" "$state/cache/archives/partial" || exit 3
folder=$(cd "$folder" && pwd) state=$(cd "$state" && pwd)
: >"$state/status"
cat >"$state/apt.conf" <<EOF
APT::Architecture "$architecture";
APT::Architectures { "$architecture"; };
APT::Sandbox::User "$(id -un)";
Acquire::Languages "none";
Dir::State "$state";
Dir::State::status "$state/status";
Dir::Cache "$state/cache";
EOF
echo "sysroot: fetching $wanted for $architecture"
export APT_CONFIG="$state/apt.conf"
apt-get update -q >"$state/log" 2>&1 # a source without that architecture is no matter
apt-get install -qy --download-only --no-install-recommends $wanted >>"$state/log" 2>&1 || {
    tail -n 5 "$state/log" >&2
    fail "apt-get has not all of these for $architecture: $wanted"
}
for package in "$state"/cache/archives/*.deb; do
    dpkg-deb -x "$package" "$folder" || fail "$package cannot be unpacked"
done
rm -rf "$state" "$folder/usr/share/doc" "$folder/usr/share/man" "$folder/usr/share/locale"

# Links that name a place from the root would lead out of the folder.
find "$folder" -type l -lname '/*' | while IFS= read -r link; do
    ln -sfrn "$folder$(readlink "$link")" "$link"
done
echo "$wanted" >"$done_with"
