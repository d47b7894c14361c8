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
usage() {
    echo "usage: collected.sh records|heads [FILE...]" >&2
    exit 2
}

what=${1:-}
case $what in
records) format=cat fields=MIGUARD_RECORD ;;
heads) format=json fields=MIGUARD_CHAIN,MIGUARD_SEQUENCE,MIGUARD_HASH ;;
*) usage ;;
esac
shift
[ $# -gt 0 ] || set -- /var/log/journal/remote/*.journal*

status=0
read_file() {
    journalctl --quiet --all --file "$1" --identifier miguard --output $format --output-fields=$fields || {
        echo "$1: could not be read" >&2
        status=3
    }
}

# A file that was put aside, NAME@NUMBER.journal, is older than NAME.journal.
for file; do
    case $file in *@*) read_file "$file" ;; esac
done
for file; do
    case $file in *@*) ;; *) read_file "$file" ;; esac
done
exit $status
