#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs one fuzz target for FUZZ_SECONDS; `make check-fuzz` runs some side by side, so its output is
# shown when it ends. Target NAME_fuzz has its seeds in the folders tests/data/NAME-*; new inputs go to
# build/fuzz/NAME, and what it finds lies in build/fuzz.
set -u

name=$(basename "$1" _fuzz)
own=build/fuzz/$name
mkdir -p "$own"
# shellcheck disable=SC2046 # folders
"$1" -max_total_time="$FUZZ_SECONDS" -max_len=70000 -timeout=10 -print_final_stats=1 \
    -artifact_prefix=build/fuzz/ "$own" $(ls -d tests/data/"$name"-*/ 2>/dev/null) \
    >"$own.txt" 2>&1
status=$?
if [ $status -ne 0 ]; then
    tail -n 60 "$own.txt"
    echo "==> $name: failed, exit status $status"
    exit 1
fi
echo "==> $name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$own.txt") inputs"
