#!/bin/sh
# SPDX-License-Identifier: MIT
# `miguard key create`: files that are never overwritten, passwords, and keys that minisign(1) takes as
# its own. tests/live/bundle_test.sh has what is signed with them.
set -u

cd "$(dirname "$0")/../.." || exit 3
miguard=$PWD/${OUT:-build}/miguard
tmp=$(mktemp -d "${TMPDIR:-/tmp}/miguard-sign-test.XXXXXX") || exit 3
trap 'rm -rf "$tmp"' EXIT
trap 'exit 3' HUP INT TERM
. tests/support/check.sh
skipped=0
umask 077
echo "a pass word" >"$tmp/password"

create() { # status args...
    wanted=$1
    shift
    "$miguard" key create "$@"
    status=$?
    [ "$status" -eq "$wanted" ] || echo "exit $status, expected $wanted"
    [ "$status" -eq "$wanted" ]
}

makes_two_files() {
    create 0 --no-password "$tmp/plain" && [ "$(stat -c %a "$tmp/plain.key")" = 600 ] &&
        [ "$(stat -c %a "$tmp/plain.pub")" = 644 ] && [ "$(wc -l <"$tmp/plain.pub")" -eq 2 ]
}

overwrites_neither() {
    cp "$tmp/plain.key" "$tmp/kept.key" && cp "$tmp/plain.pub" "$tmp/kept.pub" || return 1
    create 1 --no-password "$tmp/plain" && rm "$tmp/plain.key" &&
        create 1 --no-password "$tmp/plain" && [ ! -e "$tmp/plain.key" ] &&
        cp "$tmp/kept.key" "$tmp/plain.key" && rm "$tmp/plain.pub" &&
        create 1 --no-password "$tmp/plain" && [ ! -e "$tmp/plain.pub" ] &&
        cmp "$tmp/plain.key" "$tmp/kept.key" && cp "$tmp/kept.pub" "$tmp/plain.pub"
}

follows_no_link() {
    ln -s "$tmp/elsewhere" "$tmp/link.key"
    create 1 --no-password "$tmp/link" && [ ! -e "$tmp/elsewhere" ] && [ ! -e "$tmp/link.pub" ]
}

wants_a_password() { # without a terminal it cannot be asked for
    setsid -w "$miguard" key create "$tmp/none" </dev/null 2>"$tmp/err"
    [ $? -eq 3 ] && grep -- "--password-file" "$tmp/err" && [ ! -e "$tmp/none.key" ]
}

refuses_an_open_password() {
    cp "$tmp/password" "$tmp/open" && chmod 644 "$tmp/open"
    create 3 --password-file "$tmp/open" "$tmp/none" && [ ! -e "$tmp/none.key" ] && [ ! -e "$tmp/none.pub" ]
}

makes_an_encrypted_key() {
    create 0 --password-file "$tmp/password" "$tmp/locked" && grep -q encrypted "$tmp/locked.key"
}

# What is typed is not shown. script(1) has the terminal.
asks_on_the_terminal() { # first second
    { sleep 1; echo "$1"; sleep 1; echo "$2"; sleep 1; } |
        script -qec "$miguard key create $tmp/asked" "$tmp/typescript"
    grep -q "Password of" "$tmp/typescript" && ! grep -q "$1" "$tmp/typescript"
}
asks() {
    rm -f "$tmp"/asked.*
    asks_on_the_terminal typed-one typed-one && [ -s "$tmp/asked.key" ]
}
asks_twice() {
    rm -f "$tmp"/asked.*
    asks_on_the_terminal typed-one typed-two && [ ! -e "$tmp/asked.key" ] && grep differ "$tmp/typescript"
}

takes_usage() {
    create 2 && create 2 --no-password --password-file "$tmp/password" "$tmp/x" && create 2 a b
}

# ---- minisign(1) --------------------------------------------------------------------------------

minisign_signs() { # NAME "input"
    echo "$1" >"$tmp/file"
    printf '%s' "$2" | minisign -S -s "$tmp/$1.key" -m "$tmp/file" -t "by $1" &&
        minisign -V -p "$tmp/$1.pub" -m "$tmp/file" | grep "by $1"
}

check "two files, the secret one for its owner alone" makes_two_files
check "neither is overwritten" overwrites_neither
check "no link is followed" follows_no_link
check "without a terminal a password is wanted from a file" wants_a_password
check "a password that others can read is refused" refuses_an_open_password
check "an encrypted key is made" makes_an_encrypted_key
check "wrong usage is refused" takes_usage
if command -v script >/dev/null && [ -z "${EMULATED:-}" ]; then
    check "the password is asked for, and not shown" asks
    check "two passwords that differ make no key" asks_twice
else
    echo "skip: the password on a terminal: script(1) is not installed"
    skipped=$((skipped + 1))
fi
if command -v minisign >/dev/null; then
    check "minisign signs and verifies with a key that is not encrypted" minisign_signs plain ""
    check "minisign signs and verifies with an encrypted key" minisign_signs locked "a pass word
"
else
    echo "skip: minisign signs with our keys: minisign is not installed"
    skipped=$((skipped + 1))
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
