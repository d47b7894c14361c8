#!/bin/sh
# SPDX-License-Identifier: MIT
# miguard-policy(5) has every key that the reader of policies knows, every component and operation,
# and an example that is a policy. One line a check; `make check` runs it with OUT.
set -u

: "${OUT:=build}"
cd "$(dirname "$0")/../.." || exit 3
LC_ALL=C
export LC_ALL

page=man/miguard-policy.5
tmp=$(mktemp -d "${TMPDIR:-/tmp}/miguard-policy-man.XXXXXX") || exit 3
trap 'rm -rf "$tmp"' EXIT
trap 'exit 3' HUP INT TERM
. tests/support/check.sh

# The page as plain text: no escapes.
sed -e 's/\\-/-/g' -e 's/\\&//g' -e 's/\\(dq/"/g' -e 's/\\e/\\/g' "$page" >"$tmp/page" || exit 3

# The rows of the tables of keys, {"name", needed, reader}, and those of match:, X(member, "name".
keys() {
    {
        grep -ohE '\{"[a-z-]+", (true|false), +[a-z_]+\}' src/policy/schema*.c |
            sed 's/^{"\([a-z-]*\)".*/\1/'
        sed -n 's/^ *X([a-z_]*, "\([a-z-]*\)", .*/\1/p' src/model/match_keys.h
    } | sort -u
}

key_documented() {
    grep -Eq "^\.It Cm (.* , )?$1( |\$)" "$tmp/page"
}

keys_documented() {
    keys >"$tmp/keys"
    [ "$(wc -l <"$tmp/keys")" -ge 40 ] || {
        echo "only $(wc -l <"$tmp/keys") keys found in src/policy/schema*.c and src/model/match_keys.h"
        return 1
    }
    bad=0
    while read -r key; do
        key_documented "$key" || {
            echo "missing: $key"
            bad=1
        }
    done <"$tmp/keys"
    return $bad
}

# Each key has its example or its error; a mapping or list stands for what is in it.
keys_have_errors() {
    awk '/^\.It Cm / { if (name != "" && !said) { print "no error: " name; bad = 1 }
                       name = $0; sub(/^\.It Cm /, "", name); said = 0 }
         /^\.Em Errors? / { said = 1 }
         /^\.Bl|^A mapping|^Whom|^Needed: (the call|what must come)|^Who uses it|^What the call/ {
             said = 1 }
         /^A list, see|^A sink: / { said = 1 }
         END { exit bad }' "$tmp/page"
}

words() { # the names of the components and operations
    sed -n 's/^ *X([0-9]*, [A-Z_]*, "\(.*\)").*/\1/p' include/miguard/identity.h
    sed -n 's/^ *X([A-Z_]*, "\([A-Za-z-]*\)", .*/\1/p' src/model/operation.h
}

words_documented() {
    words >"$tmp/words"
    [ "$(wc -l <"$tmp/words")" -ge 40 ] || return 1
    bad=0
    while read -r word; do
        grep -Eq "(^|[ ,])$word([ ,]|\$)" "$tmp/page" || {
            echo "missing: $word"
            bad=1
        }
    done <"$tmp/words"
    return $bad
}

example_is_a_policy() {
    awk '/^\.Ed/ { exit } on { print } /^\.Bd/ { on = 1 }' "$tmp/page" >"$tmp/example.yaml"
    [ -s "$tmp/example.yaml" ] && "$OUT/miguard" policy check - <"$tmp/example.yaml"
}

limit() { # name in draft.h
    sed -n "s/^ *DRAFT_MAX_$1 = \([0-9]*\).*/\1/p" src/policy/draft.h |
        sed 's/\([0-9]\)\([0-9][0-9][0-9]\)$/\1,\2/'
}

limits_documented() {
    for limit in "$(limit FILE) KiB a file" "$(limit FILES) files" "$(limit RULES) rules" \
        "$(limit TESTS) tests" "$(limit VALUES) values of one key" "$(limit DEPTH) levels"; do
        grep -q "$limit" "$tmp/page" || {
            echo "missing: $limit"
            return 1
        }
    done
    grep -qx "$(limit TEXT)" "$tmp/page" || grep -q "$(limit TEXT)\$" "$tmp/page"
}

shipped_in_page() {
    for word in policy/permissive.yaml policy/hardened.yaml /etc/miguard/miguard.yaml \
        /etc/miguard/policy.d; do
        grep -qF "$word" "$tmp/page" || return 1
    done
}

check "miguard-policy(5) has every key" keys_documented
check "and says for each what is reported for a wrong value" keys_have_errors
check "it has every component and operation" words_documented
check "its example is a policy, and its test passes" example_is_a_policy
check "it has the limits" limits_documented
check "it names the shipped files" shipped_in_page

printf '%d passed, %d failed\n' $passed $failed
[ $failed -eq 0 ]
