#!/bin/sh
# SPDX-License-Identifier: MIT
# `miguard audit alert`: each alert once, none dropped, nothing of the log in an argument; the units.
cd "$(dirname "$0")/../.." || exit 3
. tests/support/check.sh

OUT=${OUT:-build}
miguard=$(realpath "$OUT")/miguard
tmp=$(mktemp -d) || exit 3
trap 'rm -rf "$tmp"' EXIT
skipped=0
log=$tmp/log

refuse() { # number class
    printf '%s\n' '{"@timestamp":"2026-03-01T12:00:0'"$1"'Z","message":"m","user":{"id":"0"},"miguard":{"operation":"GetInstance","provider":"p.so","class":"'"$2"'","decision":"deny"},"event":{"id":"00ff-'"$1"'","sequence":'"$1"',"action":"session-use","reason":"policy"}}' >>"$log"
}
alert() { # options...
    "$miguard" audit alert --saved refusals --checkpoint "$tmp/place" "$@" "$log"
}
is() { # status command...
    want=$1
    shift
    "$@"
    got=$?
    [ "$got" -eq "$want" ] || {
        echo "exit $got, expected $want"
        return 1
    }
}
says() { # status text command...
    want=$1 part=$2
    shift 2
    said=$("$@" 2>&1)
    got=$?
    echo "$said"
    [ "$got" -eq "$want" ] && echo "$said" | grep -q -- "$part"
}

cat >"$tmp/taker" <<END
#!/bin/sh
cat >>"$tmp/taken"
echo >>"$tmp/taken"
echo "\$#" >"$tmp/arguments"
END
printf '#!/bin/sh\nexit 7\n' >"$tmp/refuser"
printf '#!/bin/sh\nexec sleep 1000\n' >"$tmp/idler"
chmod +x "$tmp/taker" "$tmp/refuser" "$tmp/idler"
taken() { # times
    [ "$(grep -c . "$tmp/taken" 2>/dev/null)" = "$1" ] || {
        cat "$tmp/taken"
        return 1
    }
}

# ---- usage -------------------------------------------------------------------------------------

refuse 1 A
check "a place to go on from is needed" says 2 "--checkpoint is required" \
    "$miguard" audit alert --saved refusals --exec /bin/true "$log"
check "a way is needed" says 2 "where to?" alert
check "one way" says 2 "not both" alert --exec /bin/true --mail a@b
check "conditions are needed" says 2 "on what?" \
    "$miguard" audit alert --checkpoint "$tmp/place" --exec /bin/true "$log"
check "an absolute path" says 2 "must be absolute" alert --exec true
check "an address" says 2 "is not an address" alert --mail '-oQ/tmp'
check "no second header" says 2 "is not an address" alert --mail "a
Bcc: b"
check "an interval" says 2 "is not a time" alert --exec /bin/true --every 5
check "files" says 2 "needs files" "$miguard" audit alert --saved refusals --checkpoint "$tmp/place" --exec /bin/true -
check "--help" says 0 "usage: miguard audit alert" "$miguard" audit alert --help

# ---- to a program --------------------------------------------------------------------------------

first() {
    is 0 alert --exec "$tmp/taker" && taken 1 && grep -q '"count":1,"records":\[{"@timestamp"' "$tmp/taken" &&
        grep -q '"query":"--saved refusals"' "$tmp/taken" && [ "$(cat "$tmp/arguments")" = 0 ]
}
check "what is there is sent" first
again() {
    is 1 alert --exec "$tmp/taker" && taken 1
}
check "and not a second time" again
flood() {
    for i in 2 3 4 5 6; do refuse $i B; done
    is 0 alert --exec "$tmp/taker" --records 2 && taken 2 &&
        tail -n 1 "$tmp/taken" | grep -q '"count":5' &&
        [ "$(tail -n 1 "$tmp/taken" | grep -o '"sequence":' | wc -l)" = 2 ] &&
        tail -n 1 "$tmp/taken" | grep -q '"sequence":6'
}
check "many are one alert, with the latest" flood
other() {
    printf '%s\n' '{"miguard":{"operation":"x","decision":"allow"},"event":{"action":"session-use"}}' >>"$log"
    is 1 alert --exec "$tmp/taker" && taken 2
}
check "what does not match is no alert" other
kept() {
    refuse 7 C
    is 3 alert --exec "$tmp/refuser" && is 3 alert --exec "$tmp/none" && taken 2 &&
        is 0 alert --exec "$tmp/taker" && taken 3 && tail -n 1 "$tmp/taken" | grep -q '"class":"C"'
}
check "what was not taken comes again" kept
rotated() {
    mv "$log" "$log.1"
    refuse 8 D
    is 0 "$miguard" audit alert --saved refusals --checkpoint "$tmp/place" --exec "$tmp/taker" "$log" "$log.1" &&
        taken 4 && tail -n 1 "$tmp/taken" | grep -q '"count":1,.*"class":"D"'
}
check "over a rotation" rotated
hostile() {
    # shellcheck disable=SC2016 # a name, not a command
    refuse 9 '$(touch '"$tmp"'/owned);`id`\u001b[31m'
    is 0 alert --exec "$tmp/taker" && taken 5 && [ ! -e "$tmp/owned" ] &&
        ! grep -q "$(printf '\033')" "$tmp/taken" && [ "$(cat "$tmp/arguments")" = 0 ]
}
check "names of others stay data" hostile
repeats() {
    rm -f "$tmp/place2"
    "$miguard" audit alert --saved refusals --checkpoint "$tmp/place2" --exec "$tmp/taker" --every 1s "$log" &
    pid=$!
    i=0
    while ! taken 6 >/dev/null && [ $i -lt 300 ]; do sleep 0.1 && i=$((i + 1)); done
    refuse 9 E
    while ! taken 7 >/dev/null && [ $i -lt 600 ]; do sleep 0.1 && i=$((i + 1)); done
    kill "$pid"
    wait "$pid"
    taken 7
}
check "--every goes on" repeats

# ---- by mail and to the web ----------------------------------------------------------------------

cat >"$tmp/sendmail" <<END
#!/bin/sh
printf '%s|' "\$@" >"$tmp/mail.arguments"
cat >"$tmp/mail"
END
chmod +x "$tmp/sendmail"
mails() {
    is 0 env MIGUARD_SENDMAIL="$tmp/sendmail" "$miguard" audit alert --saved refusals --checkpoint "$tmp/place3" \
        --mail root@localhost "$log" && [ "$(cat "$tmp/mail.arguments")" = "-i|--|root@localhost|" ] &&
        [ "$(sed -n 2p "$tmp/mail" | cut -d: -f1,2)" = "Subject: miguard" ] &&
        sed '/^$/q' "$tmp/mail" | grep -q '^Auto-Submitted: auto-generated$' &&
        [ "$(sed '/^$/q' "$tmp/mail" | wc -l)" = 6 ] && grep -q "REFUSED" "$tmp/mail" &&
        ! grep -q "$(printf '\033')" "$tmp/mail"
}
check "a mail has its headers, and records below them" mails
check "no address of the web" says 3 "is not one of http or https" alert --webhook ftp://x
check "a file with the address" says 3 "cannot be read" alert --webhook "@$tmp/none"
if [ -x /usr/bin/curl ] && python3 -c 'import http.server' 2>/dev/null; then
    cat >"$tmp/server.py" <<'END'
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        good = self.path == "/hook" and self.headers["Content-Type"] == "application/json"
        open(sys.argv[1] + "/posted", "ab").write(body + b"\n")
        self.send_response(204 if good else 500)
        self.end_headers()
    def log_message(self, *what):
        pass
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
open(sys.argv[1] + "/port.new", "w").write(str(server.server_port))
import os
os.rename(sys.argv[1] + "/port.new", sys.argv[1] + "/port")
server.serve_forever()
END
    python3 "$tmp/server.py" "$tmp" &
    server=$!
    i=0
    while [ ! -e "$tmp/port" ] && [ $i -lt 300 ]; do sleep 0.1 && i=$((i + 1)); done
    url="http://127.0.0.1:$(cat "$tmp/port")"
    posts() {
        echo "$url/hook" >"$tmp/url"
        is 0 env no_proxy='*' "$miguard" audit alert --saved refusals --checkpoint "$tmp/place4" --webhook "@$tmp/url" "$log" &&
            grep -q '"query":"--saved refusals"' "$tmp/posted"
    }
    check "an address of the web is posted to" posts
    fails() {
        is 3 env no_proxy='*' "$miguard" audit alert --saved refusals --checkpoint "$tmp/place5" --webhook "$url/none" "$log" &&
            [ ! -e "$tmp/place5" ]
    }
    check "what answers with an error has not taken it" fails
    kill $server
    wait $server 2>/dev/null
else
    echo "skip: a webhook: there is no curl or no python3 here"
    skipped=$((skipped + 1))
fi

# ---- the units -----------------------------------------------------------------------------------

units() {
    mkdir -p "$tmp/units" && for unit in policy/systemd/*; do
        sed "s|@PREFIX@/bin/miguard|/bin/true|" "$unit" >"$tmp/units/$(basename "$unit" | sed 's/@/@refusals/')" || return 1
    done
    systemd-analyze verify --man=no "$tmp/units/miguard-alert@refusals.timer" \
        "$tmp/units/miguard-alert@refusals.service"
}
options() { # of the unit are options of the command
    sed -n 's/^ExecStart=@PREFIX@\/bin\/miguard audit alert//p' policy/systemd/*.service | tr ' ' '\n' |
        grep '^--' >"$tmp/options" && [ -s "$tmp/options" ] || return 1
    while read -r option; do
        "$miguard" audit alert --help | grep -q -- "$option" || return 1
    done <"$tmp/options"
}
check "the unit's options are there" options
if command -v systemd-analyze >/dev/null 2>&1; then
    check "systemd takes the units" units
else
    echo "skip: the units: there is no systemd-analyze here"
    skipped=$((skipped + 1))
fi

echo "$passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ]
