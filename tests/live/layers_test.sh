#!/bin/sh
# SPDX-License-Identifier: MIT
# The tables of src/README.md are true: who may use whom, which files need each other in a circle, and
# what mutable state there is. By the includes and by the symbols of the objects. `make check`
# runs it with OUT and CC.
set -u

: "${OUT:=build}" "${CC:=gcc}"
cd "$(dirname "$0")/../.." || exit 3
LC_ALL=C
export LC_ALL

tmp=$(mktemp -d "${TMPDIR:-/tmp}/miguard-layers-test.XXXXXX") || exit 3
trap 'rm -rf "$tmp"' EXIT
trap 'exit 3' HUP INT TERM
. tests/support/check.sh
skipped=0

page=src/README.md
folders="base model identity switch gate policy audit audit/file audit/sink guard core gateway shim
         shim/template preload host/object host/query host/mof host/serial
         host/server tools/policy tools/review tools/module tools/sign tools/cli"

# The rows of the table behind a heading, as columns with a tab between.
table() { # heading
    awk -v heading="## $1" '
        $0 == heading { on = 1; next }
        /^## / { on = 0 }
        on && /^\|/ && !/^\|---/ {
            if (!header++) next
            n = split($0, column, "|"); line = ""
            for (i = 2; i < n; i++) { gsub(/^ +| +$/, "", column[i]); line = line (i > 2 ? "\t" : "") column[i] }
            print line
        }' "$page"
}

sources() {
    find src -name '*.[ch]' ! -path 'src/probes/*' ! -name older_libc.h | sort
}

# ---- who may use whom ------------------------------------------------------------------------

table Folders | awk -F'\t' '{ n = split($3, use, " "); print $1, $1
    for (i = 1; i <= n; i++) print $1, use[i] }' >"$tmp/allowed"

every_folder_has_a_row() {
    find src -name '*.c' ! -path 'src/probes/*' | sed 's|^src/||; s|/[^/]*$||' | sort -u >"$tmp/there"
    table Folders | cut -f 1 | sort >"$tmp/rows"
    diff "$tmp/there" "$tmp/rows"
}

# Lines "file folder used", for each include. A public header is its own name, but for those of
# miguard/ without MI in them, which all may use.
included() {
    for file in $(sources); do
        folder=$(dirname "${file#src/}")
        sed -n 's/^ *# *include *["<]\([^">]*\)[">].*/\1/p' "$file" | while read -r name; do
            case $name in
            miguard.h | MI.h) echo "$file $folder $name" ;;
            miguard/host.h) echo "$file $folder MI.h" ;;
            miguard/*) ;;
            */*) [ ! -e "src/$name" ] || echo "$file $folder $(dirname "$name")" ;;
            esac
        done
    done
}

not_allowed() { # lines "who folder used"
    awk 'NR == FNR { may[$1 " " $2]; next } !(($2 " " $3) in may) { print; bad = 1 } END { exit bad }' \
        "$tmp/allowed" -
}

includes_keep_to_the_table() {
    included >"$tmp/included"
    [ "$(wc -l <"$tmp/included")" -gt 300 ] && not_allowed <"$tmp/included"
}

# Lines "D object symbol" and "U object symbol". preload stands in front of the C library's dlsym.
symbols() {
    find src -name '*.c' ! -path 'src/probes/*' | sort | while read -r source; do
        name=${source#src/}
        nm "$OUT/obj/${source%.c}.o" | awk -v name="${name%.c}" '
            $1 == "U" { print "U", name, $2 }
            NF == 3 && $2 ~ /^[TDBRV]$/ && $3 != "dlsym" { print "D", name, $3 }'
    done
}

symbols_keep_to_the_table() {
    awk '
        function folder(name) { sub(/\/[^\/]*$/, "", name); return name }
        # The core has set-up and log of its own, in place of those of libmiguard.
        NR == FNR && $1 == "D" && !($2 ~ /^core\// && $3 in by) { by[$3] = $2 }
        # The command calls the libraries as any program does, by what they export.
        NR != FNR && $1 == "U" && $3 in by && !($2 ~ /^tools\/cli\// && $3 ~ /^miguard_/) { print $2 ":" $3, folder($2), folder(by[$3]) }' \
        "$tmp/symbols" "$tmp/symbols" >"$tmp/used"
    [ "$(wc -l <"$tmp/used")" -gt 1000 ] && not_allowed <"$tmp/used"
}

# The guard and what is below it know no MI, directly or through another header.
no_mi_below_the_gateway() {
    for folder in $folders; do
        case $folder in gateway | shim | shim/* | preload | host/* | tools/cli | tools/module) continue ;; esac
        for file in src/"$folder"/*.[ch]; do
            # shellcheck disable=SC2086 # words of options
            ${CC:-gcc} -std=gnu17 -D_GNU_SOURCE -Iinclude -Isrc -M -MG "$file" 2>/dev/null |
                grep -Eq '(^|[ /])(MI|miguard)\.h( |$)' && echo "$file includes MI.h"
        done
    done >"$tmp/mi"
    ! grep . "$tmp/mi"
}

# ---- circles -----------------------------------------------------------------------------------

circles_are_named() {
    awk '
        NR == FNR && $1 == "D" && !($2 ~ /^core\// && $3 in by) { by[$3] = $2 }
        NR != FNR && $1 == "U" && $3 in by && $3 !~ /_ft$/ && by[$3] != $2 && !(($2, by[$3]) in edge) {
            edge[$2, by[$3]]; next_of[$2] = next_of[$2] " " by[$3]; node[$2]
        }
        function walk(from, stack, n, x, list, i, m) {
            stack[n = 1] = from
            while (n > 0) {
                x = stack[n--]; m = split(next_of[x], list, " ")
                for (i = 1; i <= m; i++) if (!((from, list[i]) in reach)) {
                    reach[from, list[i]]; stack[++n] = list[i]
                }
            }
        }
        END {
            for (x in node) walk(x)
            for (x in node) if ((x, x) in reach) for (y in node)
                if ((x, y) in reach && (y, x) in reach) print x, y
        }' "$tmp/symbols" "$tmp/symbols" | sort >"$tmp/circles"
    table Circles | cut -f 1 | awk '{ for (i = 1; i <= NF; i++) for (k = 1; k <= NF; k++) print $i, $k }' |
        sort >"$tmp/named"
    diff "$tmp/named" "$tmp/circles"
}

# ---- mutable state -----------------------------------------------------------------------------

# What the compiler puts into .data and .bss. Owners of locks (FORK_OWNER) are written once, before
# main(); DW.ref.* is the compiler's.
globals() { # folder pattern
    find src -name '*.c' ! -path 'src/probes/*' | sort | grep -E "$1" | while read -r source; do
        name=${source#src/}
        objdump -t "$OUT/obj/${source%.c}.o" | awk -v name="${name%.c}" '
            / O \.(bss|data)/ && !/\.data\.rel\.ro/ {
                symbol = $NF; sub(/\.[0-9]+$/, "", symbol)
                if (symbol !~ /_owner$/ && symbol !~ /^DW\.ref/ && symbol !~ /^__gcov|^_ZL|^__sancov|^\.L/) print name, symbol
            }'
    done | sort -u
}

state_is_listed() {
    globals '^src/(base|model|identity|switch|gate|policy|audit|guard|core|gateway|shim|preload|host)/' >"$tmp/globals"
    table 'Mutable state' | awk -F'\t' '{ n = split($2, name, " "); for (i = 1; i <= n; i++) print $1, name[i] }' |
        sort -u >"$tmp/listed"
    diff "$tmp/listed" "$tmp/globals"
}

every_state_has_a_reason() {
    ! table 'Mutable state' | awk -F'\t' '$3 == ""' | grep .
}

symbols >"$tmp/symbols"
check "each folder of src has a row" every_folder_has_a_row
check "includes keep to the table" includes_keep_to_the_table
check "symbols keep to the table" symbols_keep_to_the_table
check "no MI below the gateway" no_mi_below_the_gateway
check "each circle is named" circles_are_named
if nm "$OUT/obj/src/base/fork.o" | grep -Eq '__(asan|tsan|gcov|llvm)'; then
    echo "skip: mutable state: a sanitizer adds its own"
    skipped=1
else
    check "mutable state is listed" state_is_listed
fi
check "each mutable state has a reason" every_state_has_a_reason
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
