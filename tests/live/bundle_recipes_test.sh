#!/bin/sh
# SPDX-License-Identifier: MIT
# The recipes that bring a bundle to many hosts: policy/fleet/ansible is run by ansible-playbook, and of
# policy/fleet/rsync what the units start, with the real programs where they are installed. Needs root: a
# policy lies where no other user may write.
set -u

cd "$(dirname "$0")/../.." || exit 3
if [ "$(id -u)" -ne 0 ]; then
    echo "skip: bundle_recipes_test.sh: a trusted folder needs root"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
fi
build=$PWD/${OUT:-build}
miguard=$build/miguard
recipes=$PWD/policy/fleet
tmp=$(mktemp -d /run/miguard-recipes-test.XXXXXX) || exit 3
trap 'rm -rf "$tmp"' EXIT
trap 'exit 3' HUP INT TERM
chmod 755 "$tmp"
. tests/support/check.sh
skipped=0
skip() {
    echo "skip: $1"
    skipped=$((skipped + 1))
}
unset MIGUARD_POLICY SOURCE_DATE_EPOCH

mkdir "$tmp/site"
cat >"$tmp/set.yaml" <<'END'
version: 1
rules:
  - name: no-changes
    match: {user: daemon, operation: ModifyInstance}
    decision: deny
tests:
  - name: daemon changes nothing
    given: {opened-as: {user: daemon}, operation: ModifyInstance}
    expect: {decision: deny, rule: no-changes}
  - name: daemon reads
    given: {opened-as: {user: daemon}, operation: GetInstance}
    expect: {decision: allow, rule: default}
END
"$miguard" key create --no-password "$tmp/site/release" >/dev/null || exit 3
bundle() { # serial
    "$miguard" policy bundle --key "$tmp/site/release.key" --serial "$1" --output "$tmp/site/policy.yaml" "$tmp/set.yaml" >/dev/null
}
bundle 1 || exit 3

# ---- Ansible ------------------------------------------------------------------------------------

play() { # options...
    ANSIBLE_LOCALHOST_WARNING=0 HOME=$tmp/home ANSIBLE_LOCAL_TEMP=$tmp/ansible ansible-playbook -i "host1,host2," \
        -c local -e ansible_python_interpreter=/usr/bin/python3 -e ansible_become=false \
        -e "miguard_bundle=$tmp/site/policy.yaml miguard_key=$tmp/site/release.pub" \
        -e "miguard_control_command=$miguard miguard_command=$miguard" \
        -e "miguard_key_place=$tmp/hosts/{{ inventory_hostname }}/bundle.pub" \
        -e "miguard_arrival=$tmp/hosts/{{ inventory_hostname }}/arrival" \
        -e "miguard_place=$tmp/hosts/{{ inventory_hostname }}/policy.d/50-bundle.yaml" "$@" "$recipes/ansible/playbook.yaml"
}
has_right_syntax() { play --syntax-check; }
make_hosts() {
    rm -rf "$tmp/hosts"
    mkdir -p "$tmp/home" "$tmp/hosts/host1/policy.d" "$tmp/hosts/host2/policy.d"
    chmod -R go-w "$tmp/hosts"
}
plays() {
    make_hosts
    play -e miguard_key_install=true && cmp "$tmp/site/policy.yaml" "$tmp/hosts/host1/policy.d/50-bundle.yaml" &&
        cmp "$tmp/site/policy.yaml" "$tmp/hosts/host2/policy.d/50-bundle.yaml"
}
changes_nothing_again() { play >"$tmp/out" && grep -q "host1 .*changed=0" "$tmp/out"; }
stops_a_changed_bundle() {
    cp "$tmp/site/policy.yaml" "$tmp/kept" && echo "# more" >>"$tmp/site/policy.yaml"
    play >"$tmp/out"
    status=$?
    mv "$tmp/kept" "$tmp/site/policy.yaml"
    [ $status -ne 0 ] && grep "changed after it was signed" "$tmp/out"
}

# ---- rsync --------------------------------------------------------------------------------------

command_of() { # unit
    sed -n 's/^ExecStart=//p' "$recipes/rsync/$1" | sed "s|\${MIGUARD_BUNDLE_FROM}|$tmp/site/|g
        s|/var/lib/miguard-bundle|$tmp/arrival|g
        s|/usr/bin/miguard policy install|$miguard policy install --key $tmp/site/release.pub --to $tmp/policy.d/50-bundle.yaml|"
}
fetches_and_installs() {
    rm -rf "$tmp/arrival" "$tmp/policy.d"
    mkdir "$tmp/arrival" "$tmp/policy.d" && chmod 755 "$tmp/policy.d"
    sh -ec "$(command_of miguard-bundle-fetch.service)" && sh -ec "$(command_of miguard-bundle-install.service)" &&
        cmp "$tmp/site/policy.yaml" "$tmp/policy.d/50-bundle.yaml"
}
takes_the_next_one() {
    sed -i 's/^version: 1/&\nwatch: true/' "$tmp/set.yaml" && bundle 2 && sh -ec "$(command_of miguard-bundle-fetch.service)" &&
        sh -ec "$(command_of miguard-bundle-install.service)" && grep -q "watch: true" "$tmp/policy.d/50-bundle.yaml"
}
refuses_the_last_one() {
    bundle 1 && sh -ec "$(command_of miguard-bundle-fetch.service)" && cp "$tmp/policy.d/50-bundle.yaml" "$tmp/kept" &&
        { sh -ec "$(command_of miguard-bundle-install.service)" 2>"$tmp/err"; [ $? -eq 1 ]; } &&
        grep "older than the installed 2" "$tmp/err" && cmp "$tmp/kept" "$tmp/policy.d/50-bundle.yaml"
}
# A path that is not there would be an error of this machine, not of the units.
units_are_right() {
    mkdir "$tmp/units" || return 1
    for unit in "$recipes"/rsync/miguard-bundle-* "$recipes"/rsyslog/miguard-*; do
        sed "s|/usr/bin/miguard|$miguard|; s|/usr/bin/rsync|/bin/true|" "$unit" >"$tmp/units/${unit##*/}"
    done
    systemd-analyze verify --man=no "$tmp"/units/* >"$tmp/out" 2>&1
    status=$?
    cat "$tmp/out"
    [ $status -eq 0 ] && ! grep "miguard-" "$tmp/out"
}

if command -v ansible-playbook >/dev/null; then
    check "the playbook is in order" has_right_syntax
    check "two hosts take the bundle" plays
    check "a second run changes nothing" changes_nothing_again
    check "a bundle that was changed reaches no host" stops_a_changed_bundle
else
    skip "policy/fleet/ansible: ansible-playbook is not installed"
fi
if command -v rsync >/dev/null; then
    check "a host fetches a bundle and installs it" fetches_and_installs
    check "it takes the next one" takes_the_next_one
    check "it refuses the one before" refuses_the_last_one
else
    skip "policy/fleet/rsync: rsync is not installed"
fi
if command -v systemd-analyze >/dev/null; then
    check "the units are in order" units_are_right
else
    skip "the units of policy/fleet: systemd-analyze is not installed"
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
