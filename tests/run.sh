#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs test programs one after the other, through $RUNNER if set, each for $LIMIT seconds at most if
# that is set, and adds up what they say:
# Check's "NN%: Checks: N, Failures: N, Errors: N" or a line "N passed, N failed[, N skipped]".
# A program that fails without such a line counts as one failure. Exits 1 when anything failed.
set -u

: "${OUT:=build}" "${RUNNER:=}" "${LIMIT:=}"
export OUT
log=$OUT/tests/log
mkdir -p "$log"
totals=$log/totals
: >"$totals"

for program in "$@"; do
    name=$(basename "$program")
    output=$log/$name.txt
    case $program in
    *.sh) sh "$program" >"$output" 2>&1 ;;
    *) ${LIMIT:+timeout "$LIMIT"} $RUNNER "$program" >"$output" 2>&1 ;;
    esac
    status=$?
    awk -v name="$name" -v status="$status" '
        /%: Checks: [0-9]+, Failures: [0-9]+, Errors: [0-9]+/ {
            gsub(",", ""); bad = $5 + $7; passed += $3 - bad; failed += bad; seen = 1
        }
        /^[0-9]+ passed, [0-9]+ failed/ { passed += $1; failed += $3; skipped += $5; seen = 1 }
        /^skip: / { reasons++; print }
        END {
            if (skipped == 0) skipped = reasons
            if (status != 0 && failed == 0) failed = 1
            if (status == 0 && !seen) failed = 1
            printf "%-36s %d passed, %d failed%s\n", name, passed, failed,
                skipped ? ", " skipped " skipped" : ""
            print passed + 0, failed + 0, skipped + 0 >> totals
        }' totals="$totals" "$output"
    if [ "$status" -ne 0 ]; then
        echo "---- $name exited $status; its output:"
        tail -n 60 "$output"
        echo "----"
    fi
done

awk '{p += $1; f += $2; s += $3}
     END {printf "%d passed, %d failed%s\n", p, f, s ? ", " s " skipped" : ""; exit f > 0}' "$totals"
