#!/bin/sh
# SPDX-License-Identifier: MIT
# The JSON schema of policies, for editors: policy.schema.json.in with the operations, components, keys
# of match and sinks of the sources. CC is the compiler whose preprocessor reads them.
set -eu

cd "$(dirname "$0")/../.."
words=$(${CC:-gcc} -E -P -D_GNU_SOURCE -Iinclude -Isrc -x c src/package/policy_words.in | tr '\n' ' ' |
    sed 's/WORD/\n/g' | sed -n 's/^ *\([a-z]*\), *\("[^"]*"\)\(, *\([a-z_]*\)\)\{0,1\} *$/\1 \2 \4/p')

# The words of a kind, in quotes, with commas between them.
list() { # kind
    printf '%s\n' "$words" | awk -v kind="$1" '$1 == kind { printf "%s%s", n++ ? ", " : "", $2 }'
}

# A shape that the template does not define is left open.
match() {
    printf '%s\n' "$words" | while read -r kind key shape; do
        [ "$kind" = match ] || continue
        reference="\"\$ref\": \"#/\$defs/$shape\""
        grep -q "\"$shape\": {" src/package/policy.schema.json.in || reference=
        echo "$key: {$reference}"
    done | paste -s -d , | sed 's/,"/, "/g'
}

# Which of the keys a kind takes says `miguard policy check`.
sinks() {
    keys=$(list key | sed 's/, /\n/g' | sed 's/$/: {}/' | paste -s -d , | sed 's/,"/, "/g')
    list sink | sed 's/, /\n/g' | while read -r kind; do
        echo "$kind: {\"type\": [\"object\", \"null\"], \"additionalProperties\": false, \"properties\": {$keys}}"
    done | paste -s -d '~' | sed 's/~/, /g'
}

# A line of the template that is marked is there when the reader of policies has that key.
lacking() {
    sed -n 's/.* @NEEDS \([a-z-]*\)@$/\1/p' src/package/policy.schema.json.in | sort -u |
        while read -r key; do
            grep -qE "\"$key\"(, (true|false), [a-z_]+\}|, [a-z]+, [A-Z_]+, |\))" src/policy/schema*.c \
                src/model/match_keys.h || echo "/ @NEEDS $key@\$/d"
        done
}

for kind in operation group component match sink key; do
    [ -n "$(list $kind)" ] || {
        echo "policy schema: no word of the kind $kind in the sources" >&2
        exit 3
    }
done
lacking=$(lacking)
sed -e "$lacking" -e 's/ @NEEDS [a-z-]*@$//' -e "s|@OPERATIONS@|$(list operation)|; s|@GROUPS@|$(list group), |" \
    -e "s|@COMPONENTS@|$(list component)|; s|@MATCH@|$(match)|; s|@SINKS@|$(sinks)|" \
    src/package/policy.schema.json.in
