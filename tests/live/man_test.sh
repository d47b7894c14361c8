#!/bin/sh
# SPDX-License-Identifier: MIT
# Each manual page is read without a complaint, fits a terminal of 80 columns, and shows the words that
# its source has. One line a check; `make check` runs it.
set -u

cd "$(dirname "$0")/../.." || exit 3
LC_ALL=C
export LC_ALL

tmp=$(mktemp -d "${TMPDIR:-/tmp}/miguard-man-test.XXXXXX") || exit 3
trap 'rm -rf "$tmp"' EXIT
trap 'exit 3' HUP INT TERM
. tests/support/check.sh
skipped=0

have() {
    command -v "$1" >/dev/null 2>&1
}

# As ASCII, so that a byte is a column; col(1) takes out what prints bold.
by_mandoc() { # page
    mandoc -T ascii -O width=80 "$1"
}
by_groff() {
    groff -mdoc -T ascii -P -c -rLL=80n "$1" 2>&1
}

fits() { # formatter page
    "$1" "$2" | sed "s/.$(printf '\b')//g; s/$(printf '\033')\[[0-9;]*m//g" >"$tmp/text"
    awk 'length > 80 { print "line " NR ", " length ": " $0; bad = 1 } END { exit bad || NR < 40 }' "$tmp/text"
}

mandoc_likes() { # page
    mandoc -T lint -W warning "$1"
}

man_likes() {
    MANWIDTH=80 man --warnings -l "$1" 2>"$tmp/warnings" >/dev/null
    cat "$tmp/warnings"
    [ ! -s "$tmp/warnings" ]
}

# "No" and "In" are macros of mdoc(7): as the first word behind another one they vanish from a heading.
# An optional part in brackets that is not closed takes in all that follows on its line.
words_stay() { # page
    awk '/^\.(It|Ss|Sh|Em|Sy|Ql|Bd|D1|Dl) (No|In|An|At|Do|So|As|Er|Es|Up|Ex|St|Ad|Ap|Pa) [a-z]/ &&
             !/^\.It (Ad|An|At|Ap|Er|Ex|In|Pa|St) / { print FILENAME ":" FNR ": " $0; bad = 1 }
         /Op - Ns Ar [A-Z]+ ,/ { print FILENAME ":" FNR ": an open bracket: " $0; bad = 1 }
         END { exit bad }' "$1"
}

eaten_words_are_found() {
    printf '%s\n' '.It No proof is a refusal' >"$tmp/one"
    printf '%s\n' '.It Fl -pid Ar N Ns Op - Ns Ar M , Fl -tid Ar N' >"$tmp/two"
    printf '%s\n' '.It \&No proof' '.Pq Dv MADV_WIPEONFORK , No see Xr madvise 2 .' >"$tmp/right"
    ! words_stay "$tmp/one" && ! words_stay "$tmp/two" && words_stay "$tmp/right"
}

check "words that mdoc takes for macros are found" eaten_words_are_found
for page in man/*.[1-8]; do
    check "$page: no word is taken for a macro" words_stay "$page"
    if have mandoc; then
        check "$page: mandoc has nothing to say" mandoc_likes "$page"
        check "$page: mandoc's lines fit 80 columns" fits by_mandoc "$page"
    fi
    if have man; then
        check "$page: man has nothing to say" man_likes "$page"
    fi
    if have groff && [ -e /usr/share/groff/current/tmac/mdoc.tmac ]; then
        check "$page: groff's lines fit 80 columns" fits by_groff "$page"
    fi
    if ! have mandoc && ! have man; then
        echo "skip: reading $page: neither mandoc nor man is installed"
        skipped=$((skipped + 1))
    fi
done

printf '%d passed, %d failed, %d skipped\n' $passed $failed $skipped
[ $failed -eq 0 ]
