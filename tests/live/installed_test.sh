#!/bin/sh
# SPDX-License-Identifier: MIT
# After `make install` as root the commands of the README and any provider work without a further
# step, for root and for others, and run, audit and doctor look at the same log.
#
# In a mount namespace of its own: PREFIX is a folder of the test, /var/log and /etc/miguard are
# empty, nothing of the machine is touched.
set -u

: "${OUT:=build}"
cd "$(dirname "$0")/../.." || exit 3
LC_ALL=C
export LC_ALL OUT
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES GNUMAKEFLAGS DESTDIR PREFIX LIBDIR
unset MIGUARD_POLICY XDG_STATE_HOME

case $OUT in
build | build/clang) ;;
*)
    echo "skip: the installed command: what a sanitizer built needs its run-time library"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
    ;;
esac
if [ "$(id -u)" != 0 ] || ! command -v setpriv >/dev/null || ! unshare -m true 2>/dev/null; then
    echo "skip: the installed command: needs root, setpriv and a mount namespace"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
fi
if [ "${MIGUARD_INSTALLED:-}" = "" ]; then
    MIGUARD_INSTALLED=$(mktemp -d "${TMPDIR:-/tmp}/miguard-installed-test.XXXXXX") || exit 3
    export MIGUARD_INSTALLED
    trap 'rm -rf "$MIGUARD_INSTALLED"' EXIT
    trap 'exit 3' HUP INT TERM
    unshare -m --propagation private sh "$0"
    exit
fi

tmp=$MIGUARD_INSTALLED
chmod 755 "$tmp"
. tests/support/check.sh
mount -t tmpfs -o mode=755 tmpfs /mnt || exit 3 # homes: a policy may not lie below /tmp
[ ! -d /etc/miguard ] || mount -t tmpfs -o mode=755 tmpfs /etc/miguard || exit 3

# An empty /var/log, as on a new machine.
new_machine() {
    umount /var/log 2>/dev/null
    mount -t tmpfs -o mode=755 tmpfs /var/log || exit 3
}

install_it() {
    make CC="${CC:-gcc}" install PREFIX="$tmp/usr" >"$tmp/install" 2>&1 || {
        tail -n 20 "$tmp/install"
        return 1
    }
    rm -f "$OUT"/*.pc # they name the PREFIX of the test
    mkdir "$tmp/providers" && cp "$OUT"/providers/*.so "$tmp/providers"
}
new_machine
check "make install as root" install_it

LD_LIBRARY_PATH=$tmp/usr/lib
export LD_LIBRARY_PATH
miguard=$tmp/usr/bin/miguard

# as UID COMMAND...: with a home of its own, and nothing of root's.
as() {
    user=$1
    shift
    mkdir -p "/mnt/home.$user" && chown "$user:$user" "/mnt/home.$user" &&
        setpriv --reuid "$user" --regid "$user" --clear-groups --inh-caps=-all \
            env HOME="/mnt/home.$user" "$@"
}

says() { # status text command...
    wanted=$1 text=$2
    shift 2
    "$@" >"$tmp/out" 2>&1
    got=$?
    cat "$tmp/out"
    [ $got = "$wanted" ] || {
        echo "exit status $got, not $wanted"
        return 1
    }
    grep -q -- "$text" "$tmp/out"
}

act() { # command...: a request that takes a session and uses it
    "$@" run --module "$tmp/providers/impersonator.so" --module "$tmp/providers/file.so" \
        invoke root/test MG_Impersonator Act Name=setfsuid
}

serve() { # text command...
    text=$1
    shift
    act "$@" >"$tmp/out" 2>&1
    cat "$tmp/out"
    grep -q -- "$text" "$tmp/out"
}

is() { # mode:uid:gid path
    found=$(stat -c %a:%u:%g "$2") && [ "$found" = "$1" ] || {
        echo "$2 is $found, not $1"
        return 1
    }
}

count() { # path: records of sessions
    grep -c '"session-use"' "$1" 2>/dev/null
}

log=/var/log/miguard/audit.jsonl

# ---- root ----------------------------------------------------------------------------------------

made_nothing() {
    [ -z "$(find /var/log -mindepth 1)" ] || {
        find /var/log
        return 1
    }
}
check "root: doctor on a new machine" says 0 "yes  audit-log  *$log: " "$miguard" doctor
check "root: doctor made nothing" made_nothing
check "root: a provider works, and a misuse is refused" serve ACCESS_DENIED "$miguard"
check "root: the folder" is 750:0:0 /var/log/miguard
check "root: the log" is 640:0:0 $log
check "root: audit search" says 0 "REFUSED .*GetInstance" "$miguard" audit search --decision deny --start today
check "root: audit report" says 0 "refused  *1" "$miguard" audit report --start today
check "root: audit report --html" "$miguard" audit report --start today --html "$tmp/week.html"
check "root: audit suggest" says 0 . "$miguard" audit suggest
check "root: audit verify" says 0 . "$miguard" audit verify
explains() {
    id=$("$miguard" audit search --decision deny --format json | sed -n '1s/.*"id":"\([^"]*\)".*/\1/p')
    says 0 . "$miguard" audit explain "$id"
}
check "root: audit explain" explains
check "root: doctor with a log" says 0 "yes  audit-log  *$log: " "$miguard" doctor

mkdir /mnt/providers && cp "$OUT"/providers/*.so /mnt/providers
wrapped() { # who
    "$@" run --module /mnt/providers/impersonator.so --module /mnt/providers/file.so \
        invoke root/test MG_Impersonator Act Name=setfsuid >"$tmp/out" 2>&1
    cat "$tmp/out"
    grep -q ResultName "$tmp/out"
}
recorded() {
    "$miguard" audit search --start today --format json | grep -q '"action":"module-load".*"outcome":"success"'
}
check "root: wrap" says 0 "file.so: wrapped; the provider is /mnt/providers/file.so.unguarded" \
    "$miguard" wrap --all /mnt/providers
check "root: wrapped providers work" wrapped "$miguard"
check "root: they are recorded" recorded
check "other: they work" wrapped as 54321 "$miguard"
check "other: wrap --check" says 0 "file.so: wrapped, in order" as 54321 "$miguard" wrap --check --all /mnt/providers
check "root: unwrap" says 0 "file.so: unwrapped" "$miguard" unwrap --all /mnt/providers
check "root: a preloaded host finds the library" says 0 "^libmiguard-preload" env \
    LD_PRELOAD=libmiguard-preload.so sh -c 'grep -o "libmiguard-preload.*" /proc/self/maps'
rm -rf "/mnt/home.54321/.local"

new_machine
begins() {
    "$miguard" audit init >"$tmp/key" 2>"$tmp/out" || {
        cat "$tmp/out"
        return 1
    }
    chmod 600 "$tmp/key"
    is 750:0:0 /var/log/miguard
}
check "root: audit init on a new machine" begins
check "root: a provider works with it" serve ACCESS_DENIED "$miguard"
check "root: audit verify with the key" says 0 . "$miguard" audit verify --key "$tmp/key"

# ---- somebody else -------------------------------------------------------------------------------

nobody=54321
before=$(count $log)
own=/mnt/home.$nobody/.local/state/miguard/audit.jsonl
check "other: doctor names the log of that user" says 0 "yes  audit-log  *$own: " \
    as $nobody "$miguard" doctor
not_there() {
    [ ! -e "/mnt/home.$nobody/.local" ]
}
check "other: doctor made nothing" not_there
check "other: a provider works" serve 'ResultName' as $nobody "$miguard"
check "other: the folder" is 700:$nobody:$nobody "${own%/*}"
check "other: the log" is 640:$nobody:$nobody "$own"
check "other: audit search looks there" says 0 session-open as $nobody "$miguard" audit search
check "other: audit verify looks there" says 0 "^intact.* 3 records" as $nobody "$miguard" audit verify
check "other: doctor with a log" says 0 "yes  audit-log  *$own: " as $nobody "$miguard" doctor
unchanged() {
    [ "$(count $log)" = "$before" ]
}
check "other: root's log has nothing of it" unchanged
check "other: audit init begins that log" says 1 "chain is begun already" \
    as $nobody "$miguard" audit init

# A policy of that user's own: its log, in all of them.
home=/mnt/home.$nobody
mkdir "$home/log" && printf 'version: 1\naudit:\n  sinks:\n    - file: { path: %s }\n' \
    "$home/log/mine.jsonl" >"$home/p.yaml" && chown -R $nobody:$nobody "$home/log" "$home/p.yaml" &&
    chmod 755 "$home/log" && chmod 644 "$home/p.yaml"
with_policy() {
    as $nobody MIGUARD_POLICY="$home/p.yaml" "$@"
}
check "own policy: doctor" says 0 "yes  audit-log  *$home/log/mine.jsonl: " \
    with_policy "$miguard" doctor
check "own policy: run writes there" serve ResultName with_policy "$miguard"
check "own policy: the log" is 640:$nobody:$nobody "$home/log/mine.jsonl"
check "own policy: audit reads there" says 0 "^intact" with_policy "$miguard" audit verify

# Who may read the system's log and has none of its own reads that.
reader=54322
chgrp $reader /var/log/miguard $log
check "reader: audit search" says 0 "REFUSED .*GetInstance" as $reader "$miguard" audit search --decision deny

# ---- what cannot be ------------------------------------------------------------------------------

new_machine
chmod 1777 /var/log
check "sticky /var/log: run says why" says 3 "/var/log: the folder is writable by" \
    act "$miguard"
check "sticky /var/log: nothing is made" made_nothing
check "sticky /var/log: doctor says the same" says 1 \
    "no ! audit-log .*/var/log: the folder is writable by" "$miguard" doctor
chmod 755 /var/log

homeless() {
    setpriv --reuid 54323 --regid 54323 --clear-groups env -u HOME "$@"
}
check "no home: run says so" says 3 "no place for the audit log" act homeless "$miguard"
check "no home: audit says so" says 3 "name a FILE" homeless "$miguard" audit search
check "no home: doctor says so" says 1 "no ! audit-log" homeless "$miguard" doctor

umount /var/log
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
