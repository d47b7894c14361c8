#!/bin/sh
# SPDX-License-Identifier: MIT
# `miguard policy bundle`, `verify-bundle` and `install`: one file that means what the set meant, signed
# for minisign(1) as well; what was changed, cut or is older is refused; and whatever ends an
# installation, the old policy or the new one stands there whole. Needs root: a policy lies where no
# other user may write.
set -u

cd "$(dirname "$0")/../.." || exit 3
if [ "$(id -u)" -ne 0 ]; then
    echo "skip: bundle_test.sh: a trusted folder needs root"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
fi
root=$PWD
miguard=$PWD/${OUT:-build}/miguard
tmp=$(mktemp -d /run/miguard-bundle-test.XXXXXX) || exit 3
disk=
trap '[ -z "$disk" ] || umount "$disk"; rm -rf "$tmp"' EXIT
trap 'exit 3' HUP INT TERM
chmod 755 "$tmp"
. tests/support/check.sh
skipped=0
skip() {
    echo "skip: $1"
    skipped=$((skipped + 1))
}
unset MIGUARD_POLICY SOURCE_DATE_EPOCH

# ---- a set of three files, and keys -------------------------------------------------------------

set=$tmp/set
mkdir "$set"
cat >"$set/10-base.yaml" <<'END'
# What all hosts have.

version: 1
# Refuse by default.
defaults:
  mode: permissive # on trial
  decision: deny
  audit: [deny]
audit:
  repeat-window: 5s
lists:
  admins: [root]
  readers: [daemon]
rules:
  # Administrators may.
  - name: admins
    match: {user: $admins}
    decision: allow
  - name: reads
    match: {operation: GetInstance, user: $readers}
    decision: allow # they only read
tests:
  - name: root may
    given: {opened-as: {user: root}, operation: GetInstance}
    expect: {decision: allow, rule: admins}
END
cat >"$set/20-web.yaml" <<'END'
# The web front ends.

version: 1
defaults: {mode: enforce}
lists:
  # The web server.
  web: [www-data]
# Rules of the web.
rules:
  - name: web
    match: {user: $web}
    decision: deny
    reason: "no: never"
clients:
  - provider: "libweb*.so"
    may: identify
tests:
  - name: daemon reads
    given: {opened-as: {user: daemon}, operation: GetInstance}
    expect: {decision: allow, rule: reads}
  - name: the default refuses
    given: {opened-as: {user: bin}, operation: GetInstance}
    expect: {decision: deny, rule: default}
  - name: web is refused
    given: {opened-as: {user: www-data}, operation: ModifyInstance}
    expect: {decision: deny, rule: web}
# The end of the second file.
END
cat >"$set/30-more.yaml" <<'END'
version: 1
audit:
  repeat-window: 30s
compare: [euid, ruid, suid, fsuid, rgid, egid, sgid, fsgid, groups, cap-effective, cap-permitted]
clients:
  - provider: "libstore*.so"
    may: impersonate
END

for name in site other; do
    "$miguard" key create --no-password "$tmp/$name" >/dev/null || exit 3
done

run() { # status args...: the command
    wanted=$1
    shift
    "$miguard" "$@" >"$tmp/out" 2>"$tmp/err"
    status=$?
    cat "$tmp/out" "$tmp/err"
    [ "$status" -eq "$wanted" ] || echo "exit $status, expected $wanted"
    [ "$status" -eq "$wanted" ]
}

bundle() { # serial file set...
    serial=$1 output=$2
    shift 2
    SOURCE_DATE_EPOCH=1700000000 "$miguard" policy bundle --key "$tmp/site.key" --serial "$serial" \
        --output "$output" "$@"
}

# ---- bundles ------------------------------------------------------------------------------------

means_the_same() {
    bundle 7 "$tmp/b.yaml" "$set" || return 1
    for file in "$set" "$tmp/b.yaml"; do
        "$miguard" policy show --json --policy "$file" 2>/dev/null |
            sed 's/"source":"[^"]*"//g; s/"files":\[[^]]*\]//'
    done | uniq | wc -l | grep -qx 1 || return 1
    "$miguard" policy test --coverage "$tmp/b.yaml" | grep "4 passed, 0 failed"
}

keeps_comments() {
    for text in "What all hosts have" "Refuse by default" "Administrators may" "they only read" \
        "The web front ends" "The web server" "Rules of the web" "The end of the second file"; do
        grep -q "# $text" "$tmp/b.yaml" || { echo "lost: $text"; return 1; }
    done
    ! grep "on trial" "$tmp/b.yaml" && grep -q "mode: enforce" "$tmp/b.yaml" # of what was replaced
}

is_canonical() { "$miguard" policy fmt --check "$tmp/b.yaml"; }

is_reproducible() {
    mkdir -p "$tmp/again" && bundle 7 "$tmp/again/b.yaml" "$set/10-base.yaml" "$set/20-web.yaml" \
        "$set/30-more.yaml" && cmp "$tmp/b.yaml" "$tmp/again/b.yaml" &&
        cmp "$tmp/b.yaml.minisig" "$tmp/again/b.yaml.minisig"
}

has_the_hash() {
    hash=$(sha256sum "$tmp/b.yaml" | cut -c1-64 | sha256sum | cut -c1-64)
    grep -qx "trusted comment: miguard-policy-bundle:1	file:b.yaml	serial:7	timestamp:1700000000	sha256:$hash" \
        "$tmp/b.yaml.minisig"
}

by_default_is_named_by_serial() {
    (cd "$tmp" && "$miguard" policy bundle --key site.key --serial 12 "$set" &&
        "$miguard" policy verify-bundle --key site.pub policy-12.yaml)
}

refuses_set() { # "message" file-text
    printf '%s\n' "$2" >"$tmp/bad.yaml"
    run 1 policy bundle --key "$tmp/site.key" --serial 1 --output "$tmp/no.yaml" "$tmp/bad.yaml" &&
        grep -q "$1" "$tmp/err" && [ ! -e "$tmp/no.yaml" ] && [ ! -e "$tmp/no.yaml.minisig" ]
}
refuses_errors() { refuses_set "unknown key" "version: 1
rulez: []"; }
refuses_warnings() { refuses_set "not in order" "version: 1
rules: [{name: a, decision: allow}, {name: b, match: {user: root}, decision: deny}]
tests: [{name: t, given: {opened-as: {user: root}, operation: GetInstance}, expect: {decision: allow}}]"; }
takes_warnings_when_asked() {
    run 0 policy bundle --key "$tmp/site.key" --serial 1 --output "$tmp/warned.yaml" --allow-warnings "$tmp/bad.yaml"
}
refuses_failing_tests() { refuses_set "expected decision deny" "version: 1
tests: [{name: t, given: {opened-as: {user: root}, operation: GetInstance}, expect: {decision: deny}}]"; }
refuses_no_tests() { refuses_set "has no test" "version: 1"; }
takes_no_tests_when_asked() {
    printf 'version: 1\n' >"$tmp/bad.yaml"
    run 0 policy bundle --key "$tmp/site.key" --serial 1 --output "$tmp/none.yaml" --without-tests \
        "$tmp/bad.yaml" && run 0 policy verify-bundle --key "$tmp/site.pub" "$tmp/none.yaml"
}
refuses_open_key() {
    cp "$tmp/site.key" "$tmp/open.key" && chmod 640 "$tmp/open.key" &&
        run 3 policy bundle --key "$tmp/open.key" --serial 1 --output "$tmp/no.yaml" "$set" &&
        grep -q "open to others" "$tmp/err" && [ ! -e "$tmp/no.yaml" ]
}
wants_options() {
    run 2 policy bundle --serial 1 "$set" && run 2 policy bundle --key "$tmp/site.key" "$set" &&
        run 2 policy bundle --key "$tmp/site.key" --serial 0 "$set" &&
        run 2 policy bundle --key "$tmp/site.key" --serial 1 --output "$tmp/x" "$set" &&
        ! SOURCE_DATE_EPOCH=yesterday bundle_at 1
}
bundle_at() {
    "$miguard" policy bundle --key "$tmp/site.key" --serial "$1" --output "$tmp/no.yaml" "$set"
}

# ---- verifying ----------------------------------------------------------------------------------

fresh() { cp "$tmp/b.yaml" "$tmp/v.yaml" && cp "$tmp/b.yaml.minisig" "$tmp/v.yaml.minisig"; }
refuses() { # reason
    run 1 policy verify-bundle --key "$tmp/site.pub" --json "$tmp/v.yaml" &&
        grep -q "\"ok\":false,\"reason\":\"$1\"" "$tmp/out" &&
        run 1 policy verify-bundle --key "$tmp/site.pub" "$tmp/v.yaml" && grep -q refused "$tmp/out"
}

verifies() {
    run 0 policy verify-bundle --key "$tmp/other.pub" --key "$tmp/site.pub" "$tmp/b.yaml" &&
        run 0 policy verify-bundle --key "$tmp/site.pub" --json "$tmp/b.yaml" &&
        grep -q '"ok":true,"reason":"good","name":"b.yaml","serial":7,"time":1700000000' "$tmp/out" &&
        grep -q '"tests":{"passed":4,"failed":0}' "$tmp/out"
}
unsigned() { fresh && rm "$tmp/v.yaml.minisig" && refuses unsigned; }
by_another_key() {
    fresh && run 1 policy verify-bundle --key "$tmp/other.pub" --json "$tmp/v.yaml" &&
        grep -q '"reason":"other-key"' "$tmp/out"
}
changed() { fresh && sed -i s/www-data/games/ "$tmp/v.yaml" && refuses changed; }
comment_changed() { fresh && sed -i s/serial:7/serial:8/ "$tmp/v.yaml.minisig" && refuses comment-changed; }
truncated() {
    size=$(stat -c %s "$tmp/b.yaml.minisig")
    for length in 0 1 60 150 $((size - 1)); do
        fresh && head -c "$length" "$tmp/b.yaml.minisig" >"$tmp/v.yaml.minisig" && refuses malformed ||
            return 1
    done
    fresh && head -c 300 "$tmp/b.yaml" >"$tmp/v.yaml" && refuses changed
}
misses_files() {
    run 3 policy verify-bundle --key "$tmp/none.pub" "$tmp/b.yaml" &&
        run 3 policy verify-bundle --key "$tmp/site.pub" "$tmp/nothing.yaml" &&
        run 2 policy verify-bundle "$tmp/b.yaml" && run 2 policy verify-bundle --key "$tmp/site.pub"
}

sign_by_minisign() { # "comment"
    minisign -S -s "$tmp/site.key" -m "$tmp/v.yaml" -x "$tmp/v.yaml.minisig" -t "$1"
}
minisign_verifies() {
    minisign -V -p "$tmp/site.pub" -m "$tmp/b.yaml" && ! minisign -V -p "$tmp/other.pub" -m "$tmp/b.yaml"
}
takes_minisigns() { # the comment as the manual page has it
    fresh && hash=$(sha256sum "$tmp/v.yaml" | cut -c1-64 | sha256sum | cut -c1-64) &&
        sign_by_minisign "miguard-policy-bundle:1	file:v.yaml	serial:9	timestamp:5	sha256:$hash" &&
        run 0 policy verify-bundle --key "$tmp/site.pub" "$tmp/v.yaml" && grep -q "serial 9" "$tmp/out"
}
not_a_bundle() { fresh && sign_by_minisign "timestamp:5	file:v.yaml" && refuses no-bundle; }
hash_differs() {
    fresh && sign_by_minisign "$(sed -n 's/trusted comment: //p' "$tmp/v.yaml.minisig" | tr a-f b-e)" >"$tmp/x"
    fresh && hash=$(echo | sha256sum | cut -c1-64) &&
        sign_by_minisign "miguard-policy-bundle:1	file:v.yaml	serial:9	timestamp:5	sha256:$hash" &&
        refuses hash-differs
}
tests_fail() {
    printf 'version: 1\ntests: [{name: t, given: {opened-as: {user: root}, operation: GetInstance}, expect: {decision: deny}}]\n' >"$tmp/v.yaml"
    hash=$(sha256sum "$tmp/v.yaml" | cut -c1-64 | sha256sum | cut -c1-64)
    sign_by_minisign "miguard-policy-bundle:1	file:v.yaml	serial:9	timestamp:5	sha256:$hash" && refuses tests-fail
}
older_kind() {
    fresh && minisign -S -l -s "$tmp/site.key" -m "$tmp/v.yaml" -x "$tmp/v.yaml.minisig" && refuses old-kind
}

# ---- installing ---------------------------------------------------------------------------------

policy=$tmp/p
place=$policy/50-bundle.yaml
start() {
    rm -rf "$policy"
    mkdir "$policy"
    chmod 755 "$policy"
    printf 'version: 1\nwatch: true\n' >"$policy/10-host.yaml"
    MIGUARD_POLICY=$policy
    export MIGUARD_POLICY
}
install() { # status args...
    wanted=$1
    shift
    run "$wanted" policy install --to "$place" "$@"
}
only_these() { # files of the folder
    [ "$(ls -A "$policy" | tr '\n' ' ')" = "$1 " ] || ls -lA "$policy"
    [ "$(ls -A "$policy" | tr '\n' ' ')" = "$1 " ]
}

installs() {
    start
    install 0 --key "$tmp/site.pub" "$tmp/b.yaml" && cmp "$tmp/b.yaml" "$place" &&
        cmp "$tmp/b.yaml.minisig" "$place.minisig" &&
        only_these "10-host.yaml 50-bundle.yaml 50-bundle.yaml.minisig" &&
        [ "$(stat -c '%a %u' "$place")" = "644 0" ]
}
prints_the_hash_of_the_set() {
    hash=$(sha256sum "$policy/10-host.yaml" "$place" | cut -c1-64 | sha256sum | cut -c1-64)
    install 0 --key "$tmp/site.pub" "$tmp/b.yaml" && grep -q "is up to date, serial 7; the policy has hash $hash" "$tmp/out" &&
        install 0 --key "$tmp/site.pub" --json "$tmp/b.yaml" && grep -q "\"policy-hash\":\"$hash\"" "$tmp/out" &&
        grep -q '"changed":false' "$tmp/out"
}
is_in_order() { # the signature beside it is no stray file
    "$miguard" policy check "$policy" 2>&1 | grep -i minisig && return 1
    "$miguard" policy check "$policy" 2>/dev/null
}
refuses_older() {
    start
    bundle 8 "$tmp/b8.yaml" "$set" && bundle 8 "$tmp/c8.yaml" "$set/10-base.yaml" "$set/20-web.yaml" || return 1
    install 0 --key "$tmp/site.pub" "$tmp/b8.yaml" && install 1 --key "$tmp/site.pub" "$tmp/b.yaml" &&
        grep -q "older than the installed 8" "$tmp/err" && cmp "$tmp/b8.yaml" "$place" &&
        install 1 --key "$tmp/site.pub" "$tmp/c8.yaml" && grep -q "same serial" "$tmp/err" &&
        cmp "$tmp/b8.yaml" "$place" && cmp "$tmp/b8.yaml.minisig" "$place.minisig" &&
        install 0 --allow-older --key "$tmp/site.pub" "$tmp/b.yaml" && cmp "$tmp/b.yaml" "$place"
}
wants_a_key() {
    start
    [ ! -e /etc/miguard/bundle.pub ] || return 0
    install 1 "$tmp/b.yaml" && grep -q "no key" "$tmp/err" && [ ! -e "$place" ]
}
trusts_the_key_file() {
    start
    cp "$tmp/site.pub" "$tmp/loose.pub" && chmod 666 "$tmp/loose.pub" &&
        install 3 --key "$tmp/loose.pub" "$tmp/b.yaml" && [ ! -e "$place" ]
}
refuses_changed_ones() {
    start
    fresh && echo "# more" >>"$tmp/v.yaml" && install 1 --key "$tmp/site.pub" "$tmp/v.yaml" &&
        install 1 --key "$tmp/other.pub" "$tmp/b.yaml" && rm "$tmp/v.yaml.minisig" &&
        install 1 --key "$tmp/site.pub" "$tmp/v.yaml" && only_these "10-host.yaml"
}
installs_unsigned() {
    start
    fresh && rm "$tmp/v.yaml.minisig" && install 0 --unsigned "$tmp/v.yaml" && only_these "10-host.yaml 50-bundle.yaml" &&
        install 0 --key "$tmp/site.pub" "$tmp/b.yaml" && grep -q "no signature beside it" "$tmp/err" &&
        install 1 --unsigned "$tmp/v.yaml" && grep -q "a signed bundle" "$tmp/err" &&
        install 0 --unsigned --allow-older "$tmp/v.yaml" && only_these "10-host.yaml 50-bundle.yaml"
}
reports_a_broken_signature() {
    start
    install 0 --key "$tmp/site.pub" "$tmp/b.yaml" && echo broken >"$place.minisig" &&
        install 0 --key "$tmp/site.pub" "$tmp/b.yaml" && grep -q "is not known" "$tmp/err" &&
        cmp "$tmp/b.yaml.minisig" "$place.minisig"
}
forged_serial_does_not_count() { # that of another key would lock the host out
    start
    SOURCE_DATE_EPOCH=1 "$miguard" policy bundle --key "$tmp/other.key" --serial 99 --output "$tmp/f.yaml" "$set" &&
        install 0 --key "$tmp/site.pub" "$tmp/b.yaml" && cp "$tmp/f.yaml.minisig" "$place.minisig" &&
        install 0 --key "$tmp/site.pub" "$tmp/b.yaml" && grep -q "signed by another key" "$tmp/err"
}
runs_tests_of_the_host() {
    start
    printf 'version: 1\ntests: [{name: host, given: {opened-as: {user: www-data}, operation: ModifyInstance}, expect: {decision: allow}}]\n' \
        >"$policy/10-host.yaml"
    install 1 --key "$tmp/site.pub" "$tmp/b.yaml" && grep -q "a test fails" "$tmp/err" && only_these "10-host.yaml"
}
refuses_errors_with_the_host() {
    start
    printf 'version: 1\nrules: [{name: web, decision: deny}]\n' >"$policy/10-host.yaml"
    install 1 --key "$tmp/site.pub" "$tmp/b.yaml" && grep -q "errors with the other" "$tmp/err" && only_these "10-host.yaml"
}
refuses_untrusted_folder() {
    start
    chmod 777 "$policy"
    install 3 --key "$tmp/site.pub" "$tmp/b.yaml" && only_these "10-host.yaml"
}
ends_what_was_cut_off() { # between the two renames
    start
    install 0 --key "$tmp/site.pub" "$tmp/b.yaml" && cp "$tmp/b8.yaml.minisig" "$place.minisig" &&
        install 0 --key "$tmp/site.pub" "$tmp/b8.yaml" && cmp "$tmp/b8.yaml" "$place"
}

# ---- whatever ends it ---------------------------------------------------------------------------

one_of_two() { # the policy is one of the bundles, and can be read
    cmp -s "$place" "$tmp/one.yaml" || cmp -s "$place" "$tmp/two.yaml" || {
        echo "half a policy"
        return 1
    }
}
prepare_two() {
    start
    bundle 20 "$tmp/one.yaml" "$set" && bundle 21 "$tmp/two.yaml" "$set/10-base.yaml" "$set/20-web.yaml" &&
        ! cmp -s "$tmp/one.yaml" "$tmp/two.yaml" && install 0 --key "$tmp/site.pub" "$tmp/one.yaml"
}
# The command is stopped by SIGKILL after a time that grows until it ends by itself.
is_whole_when_killed() {
    prepare_two || return 1
    rounds=${QUICK:+60}
    ends=0 kills=0 i=0
    while [ $i -lt "${rounds:-400}" ]; do
        next=$([ $((i % 2)) -eq 0 ] && echo two || echo one)
        timeout --foreground -s KILL "0.$(printf %04d $((i * 7 % 300 + 1)))" "$miguard" policy install --allow-older --to "$place" \
            --key "$tmp/site.pub" "$tmp/$next.yaml" >/dev/null 2>&1
        status=$?
        [ $status -eq 0 ] && ends=$((ends + 1))
        [ $status -eq 137 ] && kills=$((kills + 1))
        one_of_two || return 1
        i=$((i + 1))
    done
    echo "$kills killed, $ends ended"
    [ $kills -gt 0 ] && install 0 --allow-older --key "$tmp/site.pub" "$tmp/two.yaml" && cmp "$tmp/two.yaml" "$place" &&
        cmp "$tmp/two.yaml.minisig" "$place.minisig" &&
        only_these "10-host.yaml 50-bundle.yaml 50-bundle.yaml.minisig"
}
is_whole_at_each_call() { # strace(1) kills it at each system call that changes a file
    prepare_two || return 1
    for call in rename write fsync fchmod flock unlink; do
        for when in 1 2 3 4; do
            strace -f -qq -o /dev/null -e "trace=$call" -e "inject=$call:signal=KILL:when=$when" \
                "$miguard" policy install --allow-older --to "$place" --key "$tmp/site.pub" "$tmp/two.yaml" >/dev/null 2>&1
            one_of_two || return 1
            strace -f -qq -o /dev/null -e "trace=$call" -e "inject=$call:error=ENOSPC:when=$when" \
                "$miguard" policy install --allow-older --to "$place" --key "$tmp/site.pub" "$tmp/one.yaml" >/dev/null 2>&1
            one_of_two || return 1
        done
    done
    install 0 --allow-older --key "$tmp/site.pub" "$tmp/two.yaml" && cmp "$tmp/two.yaml" "$place"
}
is_whole_side_by_side() {
    prepare_two || return 1
    for i in 1 2 3 4 5 6 7 8; do
        "$miguard" policy install --allow-older --to "$place" --key "$tmp/site.pub" \
            "$tmp/$([ $((i % 2)) -eq 0 ] && echo two || echo one).yaml" >/dev/null 2>&1 &
    done
    wait
    one_of_two && install 0 --allow-older --key "$tmp/site.pub" "$tmp/one.yaml" && cmp "$tmp/one.yaml" "$place" &&
        only_these "10-host.yaml 50-bundle.yaml 50-bundle.yaml.minisig"
}
on_a_full_disk() {
    prepare_two || return 1
    disk=$tmp/disk
    mkdir "$disk" && mount -t tmpfs -o size=16k,mode=755 none "$disk" || { disk=; return 1; }
    cp "$policy/10-host.yaml" "$tmp/one.yaml" "$disk/" && dd if=/dev/zero of="$disk/fill" bs=1k 2>/dev/null
    MIGUARD_POLICY='' run 3 policy install --unsigned --to "$disk/one.yaml" "$tmp/two.yaml" &&
        cmp "$disk/one.yaml" "$tmp/one.yaml" && [ "$(ls -A "$disk" | tr '\n' ' ')" = "10-host.yaml fill one.yaml " ]
}
on_a_read_only_disk() {
    mount -o remount,ro "$disk" && rm -f "$tmp/x" || return 1
    MIGUARD_POLICY='' run 3 policy install --unsigned --to "$disk/one.yaml" "$tmp/two.yaml" &&
        grep -qi "read-only" "$tmp/err" && cmp "$disk/one.yaml" "$tmp/one.yaml"
}

check "the bundle means what the set means" means_the_same
check "comments stay with what they belong to" keeps_comments
check "it is in the canonical form" is_canonical
check "the same files make the same bytes and signature" is_reproducible
check "the comment has name, serial, time and the hash that records have" has_the_hash
check "without --output it is named by its serial" by_default_is_named_by_serial
check "a set with errors is refused" refuses_errors
check "a set with warnings is refused" refuses_warnings
check "a set with warnings is taken when asked" takes_warnings_when_asked
check "a set whose tests fail is refused" refuses_failing_tests
check "a set without tests is refused" refuses_no_tests
check "a set without tests is taken when asked" takes_no_tests_when_asked
check "a key that others can read is refused" refuses_open_key
check "wrong usage is refused" wants_options
check "a good bundle is verified, by one of several keys" verifies
check "one without a signature is refused" unsigned
check "one by another key is refused" by_another_key
check "one that was changed is refused" changed
check "one whose comment was changed is refused" comment_changed
check "one that was cut off is refused" truncated
check "missing files are reported" misses_files
if command -v minisign >/dev/null; then
    check "minisign verifies it" minisign_verifies
    check "what minisign signed is taken" takes_minisigns
    check "a signature that is not a bundle's is refused" not_a_bundle
    check "one whose hash differs is refused" hash_differs
    check "one whose tests fail is refused" tests_fail
    check "minisign's older kind of signature is refused" older_kind
else
    skip "bundles that minisign verifies and signs: minisign is not installed"
fi
check "a bundle is installed with its signature" installs
check "the hash of the whole policy is printed" prints_the_hash_of_the_set
check "the policy is in order with the signature in it" is_in_order
check "an older bundle is refused, and another one with the same serial" refuses_older
check "without a key nothing is installed" wants_a_key
check "a key file that others can write is not used" trusts_the_key_file
check "what is not signed by the key is not installed" refuses_changed_ones
check "an unsigned one is installed when asked, but not over a signed one" installs_unsigned
check "a broken signature is reported and replaced" reports_a_broken_signature
check "a serial that another key signed does not count" forged_serial_does_not_count
check "the tests of the host are run, too" runs_tests_of_the_host
check "errors with the files of the host are refused" refuses_errors_with_the_host
check "a folder that others can write is refused" refuses_untrusted_folder
check "an installation that was cut off is ended by the next" ends_what_was_cut_off
check "killed at any moment, one policy stands there whole" is_whole_when_killed
if command -v strace >/dev/null && strace -o /dev/null true 2>/dev/null; then
    check "killed or failing at each system call, one policy stands there whole" is_whole_at_each_call
else
    skip "killed at each system call: strace is not installed, or may not trace"
fi
check "side by side, one policy stands there whole" is_whole_side_by_side
if mkdir "$tmp/m" && mount -t tmpfs none "$tmp/m" 2>/dev/null; then
    umount "$tmp/m"
    check "on a full disk the old policy stays" on_a_full_disk
    check "on a read-only disk the old policy stays" on_a_read_only_disk
else
    skip "full and read-only disks: mount(2) is not permitted here"
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
