#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs in the new Debian of live/fleet_units_test.sh, once it has booted: puts the recipes of policy/fleet where
# their READMEs say, and looks at what their units do. It is host and collector at once. Only times become
# shorter, and the sizes of disks.
set -u
cd /
tmp=$(mktemp -d)
. /site/check.sh
recipes=/usr/share/miguard/fleet

within() { # seconds command...
    n=$(($1 * 5))
    shift
    while [ $n -gt 0 ]; do
        "$@" >/dev/null 2>&1 && return
        n=$((n - 1))
        sleep 0.2
    done
    "$@" || {
        journalctl -q --no-pager -n 15 -o cat -u "${unit:-*}"
        return 1
    }
}
active() { systemctl is-active -q "$1"; }
ended() { ! systemctl is-active -q "$1"; }
failed() { systemctl is-failed -q "$1"; }
# Each three seconds. An empty value takes all times of the timer away.
faster() { # timer
    mkdir -p "/etc/systemd/system/$1.d" && printf '%s\n' '[Timer]' OnBootSec= OnBootSec=1s OnUnitActiveSec=3s \
        RandomizedDelaySec=0 AccuracySec=100ms >"/etc/systemd/system/$1.d/test.conf"
}

mkdir -p /etc/miguard/fleet /etc/miguard/policy.d /var/log/miguard
cp /site/tls/*.pem /site/tls/*.key /etc/miguard/fleet
printf '127.0.0.1 collector.example host.example host\n' >>/etc/hosts

# ---- a policy by rsync ---------------------------------------------------------------------------

cp "$recipes"/rsync/miguard-* /etc/systemd/system
cp /site/release.pub /etc/miguard/bundle.pub
echo MIGUARD_BUNDLE_FROM=rsync://collector.example/miguard/ >/etc/miguard/bundle.env
printf '[miguard]\npath = /srv/policies\nuse chroot = no\n' >/etc/rsyncd.conf
offer() { # serial
    mkdir -p /srv/policies && cp /site/bundles/"$1"/policy.yaml /site/bundles/"$1"/policy.yaml.minisig /srv/policies
}
in_force() { cmp "/site/bundles/$1/policy.yaml" /etc/miguard/policy.d/50-bundle.yaml; }
fetches() {
    offer 1 && faster miguard-bundle-fetch.timer && systemctl daemon-reload && systemctl start rsync &&
        systemctl enable -q --now miguard-bundle-fetch.timer miguard-bundle-install.path && within 30 in_force 1
}
takes_the_next() { offer 2 && within 30 in_force 2; }
refuses_an_older() {
    offer 1 && within 30 failed miguard-bundle-install.service && in_force 2 &&
        journalctl -q -u miguard-bundle-install.service | grep "older than the installed 2"
}
fetches_as_nobody() {
    owner=$(stat -c %u /var/lib/private/miguard-bundle/policy.yaml)
    echo "$owner"
    [ "$owner" -ge 61184 ] && [ "$owner" -le 65519 ] && ! chroot --userspec="$owner:$owner" / sh -c ': >/etc/miguard/policy.d/x'
}
check "a bundle is fetched by the timer, and installed by the path unit" fetches
check "the next one, too" takes_the_next
check "an older one is refused, and the unit failed" refuses_an_older
check "it was fetched by a user without rights" fetches_as_nobody
systemctl disable -q --now miguard-bundle-fetch.timer miguard-bundle-install.path

# ---- rsyslog on a collector ----------------------------------------------------------------------

begin=$(date '+%F %T')
keeps_the_store() {
    cp "$recipes"/rsyslog/*.sh /etc/miguard/fleet && cp "$recipes"/rsyslog/miguard-* /etc/systemd/system &&
        mkdir -p /srv/miguard && mount -t tmpfs -o size=16m store /srv/miguard &&
        cp -r "$recipes/rsyslog/rsyslog.service.d" /etc/systemd/system &&
        sed -i 's/ 1048576 / 4096 /' /etc/systemd/system/miguard-store-space.service &&
        faster miguard-store-space.timer && cp "$recipes/rsyslog/collector.conf" /etc/rsyslog.d/50-miguard.conf &&
        systemctl daemon-reload && systemctl restart rsyslog && systemctl enable -q --now miguard-store-space.timer &&
        sleep 3 && active rsyslog.service && ss -Htln 'sport = :20514' | grep -q .
}
stops_the_collector() {
    head -c 14m /dev/zero >/srv/miguard/fill && within 30 ended rsyslog.service && within 5 ended syslog.socket &&
        sleep 3 && ended rsyslog.service
}
starts_the_collector() { rm /srv/miguard/fill && within 30 active rsyslog.service && active syslog.socket; }
check "the collector runs while there is room" keeps_the_store
check "it is stopped before the disk is full, and stays so" stops_the_collector
check "with room it is started again" starts_the_collector
systemctl disable -q --now miguard-store-space.timer

# ---- rsyslog on a host ---------------------------------------------------------------------------

# A socket that takes connections, and nobody who answers: the collector is gone in the handshake.
ends_dead_connections() {
    systemctl stop rsyslog.service syslog.socket && cp "$recipes/rsyslog/host-file.conf" /etc/rsyslog.d/50-miguard.conf &&
        sed -i 's/relp-silent.sh$/& 2/' /etc/systemd/system/miguard-relp-silent.service &&
        faster miguard-relp-silent.timer || return 1
    printf '[Socket]\nListenStream=20514\n' >/etc/systemd/system/mute.socket
    printf '[Service]\nExecStart=/bin/sleep infinity\n' >/etc/systemd/system/mute.service
    systemctl daemon-reload && systemctl start mute.socket && seq 3000 >/var/log/miguard/audit.log &&
        systemctl start rsyslog && systemctl enable -q --now miguard-relp-silent.timer &&
        within 40 sh -c "journalctl -q -u miguard-relp-silent.service | grep 'ended, silent'"
}
sends_the_log_again() {
    touch /var/lib/rsyslog/imfile-state:test && systemctl restart rsyslog && [ ! -e /var/lib/rsyslog/imfile-state:test ]
}
has_a_work_directory() { # the queue is on the disk
    ! journalctl -q -u rsyslog.service --since "$begin" | grep 'can not be accessed' &&
        within 10 sh -c 'ls /var/lib/rsyslog/miguard.0* || { ls -la /var/lib/rsyslog /var/spool/rsyslog; false; }'
}
check "a connection that is dead is ended" ends_dead_connections
check "what waits is on the disk" has_a_work_directory
check "at a start the log is sent from its beginning" sends_the_log_again
systemctl disable -q --now miguard-relp-silent.timer
systemctl stop rsyslog.service syslog.socket mute.socket mute.service

# ---- the journal ---------------------------------------------------------------------------------

record() { # number
    printf 'SYSLOG_IDENTIFIER=miguard\nMESSAGE=test\nMIGUARD_RECORD={"sequence":%s}\n' "$1" | logger --journald
}
came() { sh "$recipes/journal/collected.sh" records | grep -xF "{\"sequence\":$1}"; }
journal_comes() {
    cp "$recipes"/journal/journal-*.conf /etc/systemd &&
        cp -r "$recipes/journal/systemd-journal-upload.service.d" /etc/systemd/system &&
        cp -r "$recipes/journal/systemd-journal-remote.service.d" /etc/systemd/system && systemctl daemon-reload && record 1 &&
        systemctl enable -q --now systemd-journal-remote.socket systemd-journal-upload && within 40 came 1
}
journal_comes_again() {
    systemctl stop systemd-journal-remote.socket systemd-journal-remote && record 2 && sleep 12 &&
        systemctl start systemd-journal-remote.socket && within 40 came 2
}
upload_goes_on() { [ "$(systemctl show -P NRestarts systemd-journal-upload)" -gt 0 ]; }
unit=systemd-journal-remote.service
check "the journal comes to the collector" journal_comes
check "what was written while the collector was down comes, too" journal_comes_again
check "the upload was started again meanwhile" upload_goes_on

echo "$passed passed, $failed failed"
