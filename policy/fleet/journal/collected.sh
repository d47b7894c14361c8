#!/bin/sh
# SPDX-License-Identifier: MIT
# On the collector: prints what the journals that it received have of miguard, for `miguard fleet verify`:
# the records, byte by byte, or heads, one JSON object each.
#
#     collected.sh records|heads [FILE...]         (/var/log/journal/remote/*.journal*)
#
# Each file is read by itself. `journalctl -D FOLDER` merges the files by sequence number, boot and time, and of
# hosts that have one boot id it prints some entries and leaves out others, with no warning (systemd 252).
#
# Exit status: 0, or 3 when a file could not be read; the others are printed all the same.
usage='usage: collected.sh records|heads [FILE...]'

case ${1:-} in
records) format=cat fields=MIGUARD_RECORD ;;
heads) format=json fields=MIGUARD_CHAIN,MIGUARD_SEQUENCE,MIGUARD_HASH ;;
--help)
    echo "$usage"
    exit 0
    ;;
*)
    echo "$usage" >&2
    exit 2
    ;;
esac
shift
[ $# -gt 0 ] || set -- /var/log/journal/remote/*.journal*

# journalctl takes the name for a pattern, which could be one of several files.
status=0
read_file() {
    name=$(printf '%s\n' "$1" | sed 's/[][*?{}\\]/\\&/g')
    journalctl --quiet --all --file "$name" --identifier miguard --output $format --output-fields=$fields || {
        echo "$1: could not be read" >&2
        status=3
    }
}

# A file that was put aside, NAME@NUMBER.journal, is older than NAME.journal.
for file; do
    case ${file##*/} in *@*) read_file "$file" ;; esac
done
for file; do
    case ${file##*/} in *@*) ;; *) read_file "$file" ;; esac
done
exit $status
