#!/bin/sh
# SPDX-License-Identifier: MIT
# On the collector: stops UNITS while less than KIB are free below FOLDER, and starts them when twice that is.
# miguard-store-space.timer runs it.
#
#     store-space.sh FOLDER KIB UNIT...
#
# omfile (rsyslog 8.2302) throws away what it cannot write, and the host has its receipt all the same. A
# collector that is stopped in time gives no receipts: the records wait on the hosts.
[ $# -ge 3 ] || { echo "usage: store-space.sh FOLDER KIB UNIT..." >&2; exit 2; }
folder=$1 least=$2
shift 2
mark=${RUNTIME_DIRECTORY:-/run}/miguard-store-is-full
free=$(df -Pk "$folder" | awk 'NR == 2 { print $4 }')
[ -n "$free" ] || exit 3

if [ "$free" -lt "$least" ]; then
    echo "$folder: $free KiB are free, less than $least: stopped, until there are $((2 * least))" >&2
    : >"$mark"
    systemctl stop "$@"
elif [ -e "$mark" ] && [ "$free" -ge $((2 * least)) ]; then
    systemctl start "$@" && rm "$mark"
fi
