#!/bin/sh
# SPDX-License-Identifier: MIT
# miguard-audit-record(5) has every action, code, reason and cause, and every field of the schema;
# miguard-audit(1) every option that the command knows. One line a check; `make check` runs it with
# OUT.
set -u

: "${OUT:=build}"
cd "$(dirname "$0")/../.." || exit 3
LC_ALL=C
export LC_ALL

tmp=$(mktemp -d "${TMPDIR:-/tmp}/miguard-audit-man.XXXXXX") || exit 3
trap 'rm -rf "$tmp"' EXIT
trap 'exit 3' HUP INT TERM
. tests/support/check.sh

plain() { # page
    sed -e 's/\\-/-/g' -e 's/\\&//g' -e 's/\\(dq/"/g' -e 's/\\e/\\/g' -e 's/ ,/,/g' "$1"
}
plain man/miguard-audit-record.5 >"$tmp/record" || exit 3
plain man/miguard-audit.1 >"$tmp/audit" || exit 3
plain man/miguard-fleet.1 >"$tmp/fleet" || exit 3
plain man/miguard-key.1 >"$tmp/key" || exit 3

list() { # the quoted texts of one X-map of event.h or fleet.h but for the sentence at the end of each row
    awk -v map="#define $1(X)" 'index($0, map) { on = 1 } on { print } on && !/\\$/ { exit }' \
        src/model/event.h src/tools/review/fleet.h | tr -d '\\\n' | grep -o 'X([^)]*)' | grep -o '"[A-Za-z0-9-]*"' | tr -d '"'
}

words_in() { # page map least
    list "$2" >"$tmp/words"
    [ "$(wc -l <"$tmp/words")" -ge "$3" ] || {
        echo "only $(wc -l <"$tmp/words") words found in $2"
        return 1
    }
    bad=0
    while read -r word; do
        grep -Eq "(^|[ \"])$word([ ,\"]|\$)" "$1" || {
            echo "missing: $word"
            bad=1
        }
    done <"$tmp/words"
    return $bad
}

# The leaves of the schema, in dots; what is below an identity or a named id is told with its parent.
fields() {
    jq -r 'def walk_properties(path): (.properties // {}) | to_entries[] |
               (path + [.key]) as $here |
               if .value.properties then (.value | walk_properties($here)) else $here | join(".") end;
           walk_properties([])' tests/data/audit-record.schema.json
}

fields_in() {
    fields >"$tmp/fields"
    [ "$(wc -l <"$tmp/fields")" -ge 40 ] || return 1
    bad=0
    while read -r field; do
        case $field in
        user.*) field=user ;;
        esac
        grep -Eq "(^|[ ])$field([ ,.]|\$)" "$tmp/record" || {
            echo "missing: $field"
            bad=1
        }
    done <"$tmp/fields"
    return $bad
}

commands() { # group, as its --help lists them
    "$OUT/miguard" $1 --help | sed -n 's/^  \([a-z][a-z]*\)  .*/\1/p'
}

commands_in() { # group, how many at least
    commands $1 >"$tmp/commands"
    [ "$(wc -l <"$tmp/commands")" -ge $2 ] || return 1
    bad=0
    while read -r command; do
        if ! grep -q "^\.Cm $1 $command\$" man/miguard-$1.1 ||
            ! grep -q "^\.Ss $command\$" man/miguard-$1.1; then
            echo "missing: $command"
            bad=1
        fi
    done <"$tmp/commands"
    return $bad
}

options_in() { # group
    bad=0
    for command in $(commands $1); do
        "$OUT/miguard" $1 $command --help >"$tmp/help" || return 1
        grep -oE -e '--[a-z][a-z-]+' "$tmp/help" | sort -u >"$tmp/options"
        while read -r option; do
            grep -q "Fl $option\|Fl ${option#-}\|[ =]$option" "$tmp/$1" || {
                echo "missing: $command $option"
                bad=1
            }
        done <"$tmp/options"
    done
    return $bad
}

check "every action and code is in the page" words_in "$tmp/record" AUDIT_ACTION_MAP 40
check "every reason is in the page" words_in "$tmp/record" AUDIT_REASON_MAP 15
check "every cause of loss is in the page" words_in "$tmp/record" AUDIT_LOSS_MAP 10
if command -v jq >/dev/null; then
    check "every field of the schema is in the page" fields_in
else
    echo "skip: the fields of the schema: jq is not installed"
fi
check "every command of miguard audit is in its page" commands_in audit 8
check "every option of miguard audit is in its page" options_in audit
check "every command of miguard fleet is in its page" commands_in fleet 1
check "every option of miguard fleet is in its page" options_in fleet
check "every command of miguard key is in its page" commands_in key 1
check "every option of miguard key is in its page" options_in key
check "every fact of miguard fleet verify is in its page" words_in "$tmp/fleet" FLEET_FACT_MAP 10
if command -v mandoc >/dev/null; then
    check "miguard-audit(1) is in order" mandoc -Tlint -Wwarning man/miguard-audit.1
    check "miguard-audit-record(5) is in order" mandoc -Tlint -Wwarning man/miguard-audit-record.5
else
    echo "skip: mandoc: not installed"
fi

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
