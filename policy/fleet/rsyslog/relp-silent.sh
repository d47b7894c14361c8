#!/bin/sh
# SPDX-License-Identifier: MIT
# Ends connections of rsyslogd to a collector on which nothing came for SECONDS (the first argument; 180).
# miguard-relp-silent.timer runs it on each host; it may be run at any time, and loses nothing: omrelp connects
# again and sends what was not acknowledged.
#
# librelp waits without a limit for the other end in the handshake of TLS (1.11, and what is newer). When the
# collector is gone without a word just then, since the link was cut, too, rsyslogd would wait for ever.
seconds=${1:-180}
command -v ss >/dev/null || { echo "ss (package iproute2) is not installed" >&2; exit 3; }
connections() { ss -HtinO state established '( dport = :20514 or dport = :20515 )'; }

connections | {
    while read -r _ _ local peer rest; do
        silent=${rest##* lastrcv:}
        silent=${silent%% *}
        [ "$silent" -ge $((seconds * 1000)) ] 2>/dev/null || continue
        ss -HK src "$local" dst "$peer" >/dev/null 2>&1
        if connections | grep -qF " $local "; then
            echo "$local to $peer: silent for $seconds s, and this kernel cannot end a connection" \
                "(CONFIG_INET_DIAG_DESTROY): restart rsyslog" >&2
            exit 1
        fi
        echo "$local to $peer: ended, silent for $((silent / 1000)) s"
    done
}
