#!/bin/sh
# SPDX-License-Identifier: MIT
# The units of policy/fleet, run by a systemd: a new Debian is booted by systemd-nspawn, the recipes are put
# where their READMEs say, and each unit is seen to do its work (support/fleet_units_inside.sh, which runs
# there). `make check-fleet-units` runs it, as root; it needs Debian's archive. One line a check.
#
# The new Debian is made once, in build/package. The systemd in it sees nothing of this machine: it has users
# of its own, that are nobody here, its own network, /proc/sys for reading, and a cgroup of its own; and the
# program that starts it sees neither /tmp, /var and /run nor a disk that it could write to.
set -u

cd "$(dirname "$0")/../.." || exit 3
LC_ALL=C
export LC_ALL
unset MIGUARD_POLICY DESTDIR
skip_all() { # why
    echo "skip: the units of policy/fleet: $1"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
}
for program in debootstrap systemd-nspawn openssl; do
    command -v $program >/dev/null || skip_all "there is no $program here"
done
groups=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
[ -n "$groups" ] || skip_all "no cgroup2 is mounted"
if [ "$(id -u)" -ne 0 ] || ! unshare -mn true 2>/dev/null; then
    skip_all "needs root and namespaces"
fi

# ---- a new Debian --------------------------------------------------------------------------------

tmp=$(mktemp -d "${TMPDIR:-/tmp}/miguard-units-test.XXXXXX") || exit 3
group=$groups/miguard-units-$$
clean() {
    find "$group" -depth -type d -exec rmdir {} \; 2>/dev/null
    rm -rf "$tmp"
}
trap clean EXIT
trap 'exit 3' HUP INT TERM

suite=$(. /etc/os-release && echo "${VERSION_CODENAME:-stable}")
base=$PWD/build/package/$suite-units.tar
packages=systemd,systemd-sysv,dbus,systemd-journal-remote,rsyslog,rsyslog-relp,rsync,iproute2,openssl
packages=$packages,libcap-ng0,libjansson4,libseccomp2,libyaml-0-2,libsodium23,libexpat1,zlib1g,libzstd1
if [ ! -e "$base" ]; then
    mkdir -p build/package
    debootstrap --variant=minbase --include=$packages "$suite" "$tmp/base" >"$tmp/log" 2>&1 &&
        tar -C "$tmp/base" -cf "$base" . || {
        tail -n 5 "$tmp/log"
        rm -f "$base"
        skip_all "no new Debian could be made"
    }
    rm -rf "$tmp/base"
fi

# Two bundles of one key, and certificates of one CA.
prepare() { # folder
    miguard=$PWD/build/miguard
    mkdir -p "$1/bundles/1" "$1/bundles/2" "$1/tls" && cd "$1" || return 1
    "$miguard" key create --no-password release || return 1
    for serial in 1 2; do
        cat >set.yaml <<POLICY
version: 1
rules:
  - name: rule-$serial
    match: {user: daemon, operation: ModifyInstance}
    decision: deny
tests:
  - name: daemon changes nothing
    given: {opened-as: {user: daemon}, operation: ModifyInstance}
    expect: {decision: deny, rule: rule-$serial}
  - name: daemon reads
    given: {opened-as: {user: daemon}, operation: GetInstance}
    expect: {decision: allow, rule: default}
POLICY
        "$miguard" policy bundle --key release.key --serial $serial --output bundles/$serial/policy.yaml \
            set.yaml || return 1
    done
    cd tls && openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=ca 2>/dev/null || return 1
    for name in collector host; do
        openssl req -newkey rsa:2048 -nodes -keyout $name.key -out $name.csr -subj /CN=$name.example 2>/dev/null &&
            echo "subjectAltName=DNS:$name.example" >ext && openssl x509 -req -in $name.csr -CA ca.pem -CAkey ca.key \
            -CAcreateserial -days 2 -extfile ext -out $name.pem 2>/dev/null || return 1
    done
}
(prepare "$tmp/site") >"$tmp/log" 2>&1 || { cat "$tmp/log"; exit 3; }
make -s install DESTDIR="$tmp/files" PREFIX=/usr LIBDIR=/usr/lib >"$tmp/log" 2>&1 || { tail -n 5 "$tmp/log"; exit 3; }
cp tests/support/check.sh tests/support/fleet_units_inside.sh "$tmp/site"

# ---- boot ----------------------------------------------------------------------------------------

# In mounts of its own, which end with it.
boot() {
    mount --make-rprivate / && mount -t tmpfs -o mode=0755 units /mnt && mkdir /mnt/root /mnt/host || return 1
    tar -C /mnt/root -xf "$base" && cp -a "$tmp/files/." "$tmp/site" /mnt/root/ || return 1
    echo host >/mnt/root/etc/hostname
    chown -R 0:0 /mnt/root/site /mnt/root/usr && mount --bind "$tmp" /mnt/host || return 1
    cat >/mnt/root/etc/systemd/system/units-test.service <<'UNIT'
[Unit]
After=multi-user.target
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'exec sh /site/fleet_units_inside.sh >/result 2>&1'
ExecStopPost=/bin/systemctl --no-block poweroff
UNIT
    ln -s ../units-test.service /mnt/root/etc/systemd/system/multi-user.target.wants/ || return 1
    for folder in tmp var run home root srv; do
        mount -t tmpfs -o mode=0755 cover "/$folder" || return 1
    done
    for disk in $(awk '$1 ~ "^/dev/" && $2 != "/mnt/host" { print $2 }' /proc/mounts); do
        mount -o remount,bind,ro "$disk" 2>/dev/null # what was covered is not there
    done
    mkdir /run/systemd && ! [ -w / ] || return 1
    mkdir "$group" && echo "$$" >"$group/cgroup.procs" || return 1
    cd / && SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 timeout -k 10 400 systemd-nspawn -D /mnt/root \
        --machine=host --hostname=host --boot --register=no --keep-unit --private-network \
        --private-users=1879048192:65536 --private-users-ownership=chown --console=pipe \
        --kill-signal=SIGRTMIN+3 </dev/null >/mnt/host/boot 2>&1
    cp /mnt/root/result /mnt/host/result
}
export base tmp group
unshare -m sh -uc "$(sed -n '/^boot() {/,/^}/p' "$0")
boot"
if [ ! -s "$tmp/result" ]; then
    tail -n 20 "$tmp/boot"
    skip_all "systemd-nspawn does not boot it"
fi
cat "$tmp/result"
grep -q '^[0-9]* passed' "$tmp/result" || tail -n 20 "$tmp/boot"
grep -q '^[0-9]* passed, 0 failed' "$tmp/result"
