#!/bin/sh
# SPDX-License-Identifier: MIT
# `miguard policy edit`: what is saved, what is not, and that nothing half-written, wrong or another
# user's file ever stands in the place of the policy. The editors are scripts. Needs root: a policy
# lies where no other user may write.
set -u

cd "$(dirname "$0")/../.." || exit 3
if [ "$(id -u)" -ne 0 ]; then
    echo "skip: policy_edit_test.sh: a trusted folder needs root"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
fi
miguard=$PWD/${OUT:-build}/miguard
tmp=$(mktemp -d /run/miguard-edit-test.XXXXXX) || exit 3
trap 'rm -rf "$tmp"' EXIT
trap 'exit 3' HUP INT TERM
chmod 755 "$tmp"
. tests/support/check.sh
TMPDIR=$tmp/copies
policy=$tmp/p
MIGUARD_POLICY=$policy
export TMPDIR MIGUARD_POLICY

good='rules: [{name: a, decision: allow}]'
failing='tests: [{name: t, given: {opened-as: {user: root}, operation: SessionClose}, expect: {decision: deny}}]'

# An editor that writes what the file `N`, the number of its run, has. $1: the copy.
cat >"$tmp/editor" <<'END'
#!/bin/sh
[ "$1" = --word ] && shift
count=$(($(cat "$0.count") + 1))
echo $count >"$0.count"
[ -x "$0.do" ] && "$0.do" "$1"
[ -e "$0.$count" ] && cat "$0.$count" >"$1"
exit 0
END
chmod 755 "$tmp/editor"

start() {
    rm -rf "$policy" "$TMPDIR" "$tmp"/editor.*
    mkdir "$policy" "$TMPDIR"
    chmod 755 "$policy"
    printf 'version: 1\n' >"$policy/a.yaml"
    printf 'version: 1\nrules: [{name: b, decision: deny}]\n' >"$policy/b.yaml"
    chmod 640 "$policy/a.yaml"
    chown 0:4 "$policy/a.yaml"
    echo 0 >"$tmp/editor.count"
    rm -f "$tmp/editor.do"
}

types() { # number "text": what the editor writes in that run
    printf 'version: 1\n%s\n' "$2" >"$tmp/editor.$1"
}

edit() { # status "input" args...
    wanted=$1 input=$2
    shift 2
    printf "$input" | VISUAL="$tmp/editor --word" "$miguard" policy edit "$@"
    status=$?
    [ "$status" -eq "$wanted" ] || echo "exit $status, expected $wanted"
    [ "$status" -eq "$wanted" ]
}

has() { grep -qF "$1" "$policy/a.yaml"; }

no_files_left() { # beside the policy
    [ "$(ls -A "$policy" | tr '\n' ' ')" = "a.yaml b.yaml " ] || ls -lA "$policy"
    [ "$(ls -A "$policy" | tr '\n' ' ')" = "a.yaml b.yaml " ]
}

saves() {
    start
    types 1 "$good"
    edit 0 "" "$policy/a.yaml" && has "$good" && no_files_left &&
        [ "$(stat -c '%a %u %g' "$policy/a.yaml")" = "640 0 4" ] && [ -z "$(ls -A "$TMPDIR")" ]
}

leaves_unchanged() {
    start
    before=$(stat -c '%i %Y' "$policy/a.yaml")
    edit 0 "" "$policy/a.yaml" | grep "is as it was" &&
        [ "$before" = "$(stat -c '%i %Y' "$policy/a.yaml")" ] && no_files_left
}

refuses_errors() { # "x" and the end of the input alike
    start
    types 1 'rulez: []'
    edit 1 "$1" "$policy/a.yaml" 2>"$tmp/err" && ! has rulez && no_files_left &&
        grep -F "$policy/a.yaml:2:1: error: unknown key" "$tmp/err" &&
        grep -rqF rulez "$TMPDIR" && ! grep -F "save:" "$tmp/err"
}

does_not_save_errors() { # Q is not offered, and no answer
    start
    types 1 'rulez: []'
    edit 1 'Q\nx\n' "$policy/a.yaml" && ! has rulez
}

edits_again() {
    start
    types 1 'rulez: []'
    types 2 "$good"
    edit 0 'what\ne\n' "$policy/a.yaml" && has "$good" && no_files_left
}

runs_tests() {
    start
    types 1 "$good
$failing"
    edit 1 'x\n' "$policy/a.yaml" 2>"$tmp/err" && ! has "$good" && no_files_left &&
        grep "expected decision deny, got allow" "$tmp/err"
}

saves_failing_tests_when_asked() {
    start
    types 1 "$good
$failing"
    edit 0 'Q\n' "$policy/a.yaml" && has "$failing" && no_files_left
}

sees_the_other_files() {
    start
    types 1 'rules: [{name: b, decision: allow}]'
    edit 1 'x\n' "$policy/a.yaml" 2>"$tmp/err" && no_files_left &&
        grep -F "duplicate rule name \"b\"" "$tmp/err" && grep -F "at $policy/a.yaml:2" "$tmp/err" &&
        ! grep -F ".a.yaml.new" "$tmp/err"
}

locks() {
    start
    types 1 "$good"
    cat >"$tmp/editor.do" <<END
#!/bin/sh
[ "\$(cat "$tmp/editor.count")" = 1 ] || exit 0
"$miguard" policy edit "$policy/a.yaml" </dev/null 2>"$tmp/second"
echo \$? >>"$tmp/second"
END
    chmod 755 "$tmp/editor.do"
    edit 0 "" "$policy/a.yaml" && has "$good" && no_files_left &&
        [ "$(cat "$tmp/editor.count")" = 1 ] && grep -F "is being edited; try again later" "$tmp/second" &&
        grep -x 3 "$tmp/second"
}

takes_an_old_lock() { # whose holder was killed
    start
    types 1 "$good"
    : >"$policy/.a.yaml.lock"
    : >"$policy/.a.yaml.new"
    edit 0 "" "$policy/a.yaml" && has "$good" && no_files_left
}

sees_a_change_meanwhile() {
    start
    types 1 "$good"
    printf '#!/bin/sh\necho "# changed" >>%s\n' "$policy/a.yaml" >"$tmp/editor.do"
    chmod 755 "$tmp/editor.do"
    edit 1 "" "$policy/a.yaml" && has "# changed" && ! has "$good" && no_files_left
}

takes_what_an_editor_renames() {
    start
    types 1 "$good"
    printf '#!/bin/sh\nrm "$1"; echo >"$1.tmp"; mv "$1.tmp" "$1"\n' >"$tmp/editor.do"
    chmod 755 "$tmp/editor.do"
    edit 0 "" "$policy/a.yaml" && has "$good"
}

takes_no_link() {
    start
    printf '#!/bin/sh\nln -sf /etc/passwd "$1"\n' >"$tmp/editor.do"
    chmod 755 "$tmp/editor.do"
    edit 3 "" "$policy/a.yaml" && ! has root: && no_files_left
}

replaces_what_a_link_names() {
    start
    types 1 "$good"
    ln -s p/a.yaml "$tmp/link.yaml"
    edit 0 "" "$tmp/link.yaml" && has "$good" && [ -L "$tmp/link.yaml" ]
}

makes_a_new_file() {
    start
    types 1 "$good"
    edit 0 "" "$policy/c.yaml" && grep -qF "$good" "$policy/c.yaml" &&
        [ "$(stat -c %a "$policy/c.yaml")" = 644 ]
}

refuses() { # "message" path
    start
    edit 3 "" "$2" 2>"$tmp/err"
    grep -F "$1" "$tmp/err" && [ "$(cat "$tmp/editor.count")" = 0 ]
}

refuses_a_folder_of_others() {
    start
    chmod 777 "$policy"
    edit 3 "" "$policy/a.yaml" 2>"$tmp/err"
    grep -F "writable by" "$tmp/err" && [ "$(cat "$tmp/editor.count")" = 0 ]
}

refuses_a_file_of_others() {
    start
    chown 12345 "$policy/a.yaml"
    edit 3 "" "$policy/a.yaml" 2>"$tmp/err"
    grep -F "12345" "$tmp/err" && [ "$(cat "$tmp/editor.count")" = 0 ]
}

failing_editor() {
    start
    VISUAL=false "$miguard" policy edit "$policy/a.yaml"
    [ $? -eq 3 ] && no_files_left && VISUAL=/no/such/editor "$miguard" policy edit "$policy/a.yaml"
    [ $? -eq 3 ] && no_files_left
}

no_default_of_a_folder() {
    start
    edit 2 "" 2>"$tmp/err"
    grep -F "which file of $policy?" "$tmp/err"
}

default_is_the_policy() {
    start
    types 1 "$good"
    (MIGUARD_POLICY=$policy/a.yaml && edit 0 "") && has "$good"
}

check "it saves, with owner and mode" saves
check "it leaves alone what was not changed" leaves_unchanged
check "errors are not saved, by x" refuses_errors 'x\n'
check "errors are not saved, by the end of the input" refuses_errors ''
check "errors cannot be saved" does_not_save_errors
check "it edits again" edits_again
check "it runs the tests" runs_tests
check "it saves failing tests when asked" saves_failing_tests_when_asked
check "it sees the other files of the policy" sees_the_other_files
check "one edits at a time" locks
check "a lock that was left is taken" takes_an_old_lock
check "a change meanwhile is not lost" sees_a_change_meanwhile
check "an editor may rename" takes_what_an_editor_renames
check "a link in place of the copy is not followed" takes_no_link
check "what a link names is replaced" replaces_what_a_link_names
check "a new file" makes_a_new_file
check "no such folder" refuses "No such file or directory" "$policy/x/y.yaml"
check "a folder is no file" refuses "not a file" "$policy"
check "a folder that others may write" refuses_a_folder_of_others
check "a file of another user" refuses_a_file_of_others
check "an editor that fails" failing_editor
check "a folder needs a file" no_default_of_a_folder
check "the default" default_is_the_policy
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
