#!/bin/sh
# SPDX-License-Identifier: MIT
# Plain English: no comment, message, identifier or page has a word for which the trade has a better
# one, and each .c file begins with a comment on what it is for. Each hit is printed as file:line. One
# line a check; `make check` runs it.
set -u

cd "$(dirname "$0")/../.." || exit 3
LC_ALL=C
export LC_ALL

tmp=$(mktemp -d "${TMPDIR:-/tmp}/miguard-words.XXXXXX") || exit 3
trap 'rm -rf "$tmp"' EXIT
trap 'exit 3' HUP INT TERM
. tests/support/check.sh

# The words, and what stands in their place: reported, says, shows; other users, another user, the
# caller; background thread; log; sink; batch.
words="told tell tells telling nobody somebody whoever whomever keeper keepers ledger ledgers \
outlet outlets scratch"
# A phrase is written with _ between its words: missing, without; irreversibly; is available, can be
# read; must, will; not a; during.
phrases="is_none none_is for_good is_had be_had who_is_to what_is_no in_the_midst"

# Prints file:line and the words found there. A name in snake_case counts as its words, and a phrase
# may begin on the line before. The user nobody(65534) may be named as one: user nobody, =nobody.
hits() { # file...
    awk -v words="$words" -v phrases="$phrases" '
        BEGIN {
            count = split(words, word, " ")
            phrase_count = split(phrases, phrase, " ")
            for (i = 1; i <= phrase_count; i++) {
                gsub(/_/, " ", phrase[i])
            }
        }
        FNR == 1 { before = " " }
        {
            line = tolower($0)
            gsub(/user:? "?nobody|=nobody|"nobody"|-(as|client) nobody/, "", line)
            gsub(/[^a-z_ ]*[.,;:!?(){}][^a-z_ ]*/, " | ", line)
            gsub(/[^a-z|]+/, " ", line)
            line = " " line " "
            both = before line
            gsub(/  +/, " ", both)
            found = ""
            for (i = 1; i <= count; i++) {
                if (index(line, " " word[i] " ")) {
                    found = found " " word[i]
                }
            }
            for (i = 1; i <= phrase_count; i++) {
                if (index(both, " " phrase[i] " ") && !index(before, " " phrase[i] " ")) {
                    found = found " \"" phrase[i] "\""
                }
            }
            if (found != "") {
                print FILENAME ":" FNR ":" found
            }
            # No phrase has more than three words.
            last = split(line, part, " ")
            before = last > 1 ? " " part[last - 1] " " part[last] " " : before line
        }' "$@"
}

plain() { # file or folder
    find "$1" -type f ! -name MI.h | sort >"$tmp/files"
    [ -s "$tmp/files" ] || return 1
    # No path of this tree has a space.
    # shellcheck disable=SC2046
    hits $(cat "$tmp/files") >"$tmp/hits"
    cat "$tmp/hits"
    [ ! -s "$tmp/hits" ]
}

# What is searched for is found: as a word, in capitals, in a name and over two lines.
each_is_found() {
    for word in $words; do
        for text in "/* as $word */" "\"$(echo "$word" | tr a-z A-Z): it\"" "say_${word}_it(x);"; do
            echo "$text" >"$tmp/text"
            hits "$tmp/text" | grep -q ":1: $word\$" || {
                echo "not found: $text"
                return 1
            }
        done
    done
    for phrase in $phrases; do
        printf ' * so it %s.\n' "$(echo "$phrase" | sed 's/_/ /g')" >"$tmp/text"
        printf ' * so it %s.\n' "$(echo "$phrase" | sed 's/\(.*\)_/\1\n * /; s/_/ /g')" >"$tmp/two"
        [ "$(hits "$tmp/text" "$tmp/two" | grep -c ": \"")" -eq 2 ] || {
            echo "not found: $phrase"
            return 1
        }
    done
}

others_pass() {
    printf '%s\n' 'retell scratched foretold' 'it is. None of it' 'find -user nobody' 'User=nobody' \
        '{user: nobody}' 'Name = "nobody";' 'used-as nobody' '--client nobody' 'a good reason for goods' >"$tmp/text"
    hits "$tmp/text" >"$tmp/hits"
    cat "$tmp/hits"
    [ ! -s "$tmp/hits" ]
}

purpose() { # folder
    find "$1" -name '*.c' | sort >"$tmp/files"
    bad=0
    while read -r file; do
        case $(sed -n 2p "$file") in
        "/*"*) ;;
        *)
            echo "$file"
            bad=1
            ;;
        esac
    done <"$tmp/files"
    return $bad
}

check "each word is found, also in names, and each phrase, also over two lines" each_is_found
check "other words, and the user nobody, are not" others_pass
for place in README.md SECURITY.md CONTRIBUTING.md Makefile .ci include man policy src/*; do
    check "plain English: $place" plain "$place"
    case $place in
    src/*) check "each .c file says first what it is for: $place" purpose "$place" ;;
    esac
done

printf '%d passed, %d failed\n' $passed $failed
[ $failed -eq 0 ]
