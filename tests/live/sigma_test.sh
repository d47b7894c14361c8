#!/bin/sh
# SPDX-License-Identifier: MIT
# The Sigma rules for refusals (policy/sigma): their form, and that each reason of a refusal is in one
# of them, under names that records really have.
cd "$(dirname "$0")/../.." || exit 3
. tests/support/check.sh

skipped=0
tmp=$(mktemp -d) || exit 3
trap 'rm -rf "$tmp"' EXIT

rules=$(ls policy/sigma/*.yml)
each() { # function: of every rule
    bad=0
    for rule in $rules; do
        "$1" "$rule" || {
            echo "$rule"
            bad=1
        }
    done
    return $bad
}

there_are() {
    [ "$(echo "$rules" | wc -l)" -ge 10 ]
}
# What the specification asks for: https://github.com/SigmaHQ/sigma-specification
whole() {
    for key in title id status description author date logsource detection falsepositives level; do
        [ "$(grep -c "^$key:" "$1")" = 1 ] || return 1
    done
    grep -Eq '^id: [0-9a-f]{8}-[0-9a-f]{4}-[45][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$' "$1" &&
        grep -Eq '^status: (stable|test|experimental)$' "$1" &&
        grep -Eq '^level: (informational|low|medium|high|critical)$' "$1" &&
        grep -Eq '^date: 20[0-9]{2}-[0-9]{2}-[0-9]{2}$' "$1" &&
        [ "$(sed -n 's/^title: //p' "$1" | wc -m)" -le 111 ]
}
named() {
    basename "$1" | grep -Eq '^lnx_[a-z_]{6,}\.yml$' &&
        ! grep -q '	' "$1" && ! grep -q ' $' "$1"
}
# Each name of the condition is a block of the detection, and each block is in the condition.
conditions() {
    condition=$(sed -n 's/^  condition: //p' "$1")
    [ -n "$condition" ] || return 1
    for word in $(echo "$condition" | tr ' ' '\n' | grep -vxE 'and|or|not'); do
        grep -q "^  $word:\$" "$1" || return 1
    done
    for block in $(sed -n '/^detection:/,/^falsepositives:/s/^  \([a-z]*\):$/\1/p' "$1"); do
        echo " $condition " | grep -q " $block " || return 1
    done
}
fields() {
    for field in $(sed -n 's/^    \([a-z@._]*\):.*/\1/p' "$1"); do
        grep -q "\"$field\"," src/model/record_fields.h || return 1
    done
}
unique() {
    [ -z "$(cat $rules | grep '^id: ' | sort | uniq -d)" ] &&
        [ -z "$(cat $rules | grep '^title: ' | sort | uniq -d)" ]
}
words() { # map: the first text of each row
    awk -v map="#define $1(X)" 'index($0, map) { on = 1 } on { print } on && !/\\$/ { exit }' \
        src/model/event.h | tr -d '\\\n' | grep -o 'X([A-Z_]*, *"[a-z-]*"' | grep -o '"[a-z-]*"' | tr -d '"'
}
# What allows or says nothing is no refusal.
reasons() {
    words AUDIT_REASON_MAP | grep -vxE 'none|identity-match|client-given' | sort >"$tmp/reasons"
    awk '/^    event.reason:/ { on = 1; next } on && /^      - / { print $2; next } { on = 0 }' $rules |
        sort >"$tmp/asked"
    [ -s "$tmp/reasons" ] && cmp "$tmp/reasons" "$tmp/asked" || {
        diff "$tmp/reasons" "$tmp/asked"
        return 1
    }
}
actions() {
    words AUDIT_ACTION_MAP | sort >"$tmp/actions"
    awk '/^    event.action:/ { if (NF > 1) print $2; on = 1; next } on && /^      - / { print $2; next }
         { on = 0 }' $rules | sort -u | comm -23 - "$tmp/actions" >"$tmp/unknown"
    [ ! -s "$tmp/unknown" ] || {
        cat "$tmp/unknown"
        return 1
    }
}

check "there are rules" there_are
check "each has what the specification asks for" each whole
check "names and blanks" each named
check "conditions name what there is" each conditions
check "fields are those of records" each fields
check "ids and titles are unique" unique
check "each reason of a refusal is in one rule" reasons
check "actions are known" actions
if python3 -c 'import yaml' 2>/dev/null; then
    check "a YAML reader takes them" python3 -c '
import sys, yaml
for name in sys.argv[1:]:
    rule = yaml.safe_load(open(name))
    assert isinstance(rule["detection"], dict) and isinstance(rule["falsepositives"], list), name
' $rules
else
    echo "skip: a YAML reader: python3 has no yaml here"
    skipped=1
fi

echo "$passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ]
