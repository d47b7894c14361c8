#!/bin/sh
# SPDX-License-Identifier: MIT
# Line and branch coverage of each source file after a run of `make check COVERAGE=1`, as text.
set -u

out=${1:?the build folder}
work=$(mktemp -d) || exit 3
trap 'rm -rf "$work"' EXIT

find "$out/obj/src" -name '*.gcda' | sort | while read -r data; do
    source=${data#"$out/obj/"}
    source=${source%.gcda}.c
    (cd "$work" && gcov -b -n -o "$OLDPWD/$data" "$OLDPWD/$source" 2>/dev/null) |
        awk -v want="$source" '
            /^File / { here = index($0, want) > 0 }
            here && /^Lines executed:/ { split($0, a, /[:% ]+/); lines = a[3]; of = a[5] }
            here && /^Taken at least once:/ { split($0, a, /[:% ]+/); taken = a[5]; branches = a[7] }
            END { if (of) print want, lines, of, taken + 0, branches + 0 }'
done | awk '
    { printf "%-34s lines %6.2f%% of %4d   branches %6.2f%% of %4d\n", $1, $2, $3, $4, $5
      split($1, part, "/"); l[part[2]] += $2 * $3; n[part[2]] += $3; b[part[2]] += $4 * $5; m[part[2]] += $5 }
    END { print ""
      for (folder in n) printf "%-34s lines %6.2f%% of %4d   branches %6.2f%% of %4d\n",
          "src/" folder, l[folder] / n[folder], n[folder], m[folder] ? b[folder] / m[folder] : 0, m[folder] }'
