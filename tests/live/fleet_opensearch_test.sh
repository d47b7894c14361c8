#!/bin/sh
# SPDX-License-Identifier: MIT
# policy/fleet/opensearch: a real rsyslogd with omelasticsearch, and a server of this test that answers as the bulk
# interface of OpenSearch and Elasticsearch does. It is away, busy, and refuses parts; rsyslogd is killed and
# reads all files again. Each record is in the index once, as it was. What rsyslogd 8.2302 loses, whole requests
# that are answered 503, comes when the files are read again.
set -u

cd "$(dirname "$0")/../.." || exit 3
if ! command -v rsyslogd >/dev/null 2>&1 || ! command -v python3 >/dev/null 2>&1 ||
    ! find /usr/lib /usr/lib64 -name omelasticsearch.so 2>/dev/null | grep -q .; then
    echo "skip: records into OpenSearch: there is no rsyslogd with omelasticsearch, or no python3, here"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
fi
tmp=$(mktemp -d "${TMPDIR:-/tmp}/miguard-opensearch-test.XXXXXX") || exit 3
daemon= server=
end() {
    [ -z "$daemon" ] || kill -9 "$daemon" 2>/dev/null
    [ -z "$server" ] || kill -9 "$server" 2>/dev/null
    wait 2>/dev/null
    rm -rf "$tmp"
}
trap end EXIT
trap 'exit 3' HUP INT TERM
. tests/support/check.sh
skipped=0
records=1200

mkdir -p "$tmp/work" "$tmp/store/web1" "$tmp/store/web2"
# As the writers write them, with what the recipe looks at.
lines() { # host from to
    awk -v host="$1" -v from="$2" -v to="$3" 'BEGIN {
        for (i = from; i <= to; i++)
            printf "{\"@timestamp\":\"2026-03-0%dT10:00:00.%06dZ\",\"host\":{\"name\":\"%s\"},\"miguard\":" \
                   "{\"class\":\"MG_\\u00e4\\\"%d\",\"chain\":{\"id\":\"00ff\",\"epoch\":%d}}," \
                   "\"event\":{\"sequence\":%d,\"action\":\"use\"}}\n", 1 + i % 3, i, host, i, (i > 500), i
    }'
}

# One line of a request for "create", one for its document. State: documents by index and id.
cat >"$tmp/server.py" <<'PYTHON'
import http.server, json, os, sys
folder, documents, seen, counts = sys.argv[1], {}, set(), {"again": 0, "busy": 0, "refused": 0, "bad": 0}
def answer(action, document):
    name = action.get("create", {})
    key = (name.get("_index"), name.get("_id"))
    if set(name) - {"_index", "_id"} or None in key:
        counts["bad"] += 1
        return 400, key
    if key in documents:
        counts["again"] += 1
        return 409, key
    if key not in seen and len(seen) % 7 == 3:
        seen.add(key)
        counts["busy"] += 1
        return 429, key
    seen.add(key)
    if b'"sequence":77,' in document:
        counts["refused"] += 1
        return 400, key
    documents[key] = document
    return 201, key
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def reply(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_GET(self):
        self.reply(200, {"status": "green"})
    do_HEAD = do_GET
    def do_POST(self):
        rows = self.rfile.read(int(self.headers["Content-Length"])).split(b"\n")
        if os.path.exists(folder + "/busy"):
            return self.reply(503, {"error": "busy", "status": 503})
        items, errors = [], False
        for i in range(0, len(rows) - 1, 2):
            status, key = answer(json.loads(rows[i]), rows[i + 1])
            item = {"_index": key[0], "_id": key[1], "status": status}
            if status >= 400:
                errors = True
                item["error"] = {"type": "es_rejected_execution_exception" if status == 429 else
                                 "version_conflict_engine_exception" if status == 409 else
                                 "mapper_parsing_exception", "reason": "as the test wants"}
            items.append({"create": item})
        with open(folder + "/state.new", "w") as state:
            json.dump({"count": len(documents), "counts": counts,
                       "indexes": sorted({key[0] for key in documents})}, state)
        os.rename(folder + "/state.new", folder + "/state")
        with open(folder + "/documents", "wb") as out:
            for key in documents:
                out.write(documents[key] + b"\n")
        self.reply(200, {"took": 1, "errors": errors, "items": items})
    def log_message(self, *words):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Handler)
with open(folder + "/port", "w") as port:
    port.write(str(server.server_port))
server.serve_forever()
PYTHON

start_server() { # port
    rm -f "$tmp/port"
    python3 "$tmp/server.py" "$tmp" "$1" &
    server=$!
}
start_server 0
i=0
while [ ! -s "$tmp/port" ] && [ $i -lt 300 ]; do
    sleep 0.1
    i=$((i + 1))
done
port=$(cat "$tmp/port")

# The recipe with the paths of this test, without TLS.
sed -e "s|/srv/miguard|$tmp/store|; s|/var/lib/rsyslog|$tmp|; s|serverport=\"9200\" useHttps=\"on\"|serverport=\"$port\"|" \
    -e 's|server="localhost"|server="127.0.0.1"|; s|tls.caCert="[^"]*" uid="miguard" pwd="change-me"||' \
    -e 's|action.resumeInterval="5"|action.resumeInterval="1"|' policy/fleet/opensearch/rsyslog.conf >"$tmp/recipe.conf"
echo "global(workDirectory=\"$tmp/work\" maxMessageSize=\"1m\" parser.escapeControlCharactersOnReceive=\"off\")" |
    cat - "$tmp/recipe.conf" >"$tmp/rsyslog.conf"

rsyslog() {
    rsyslogd -n -f "$tmp/rsyslog.conf" -i "$tmp/pid" >>"$tmp/said" 2>&1 &
    daemon=$!
}
count() {
    sed -n 's/.*"count": \([0-9]*\).*/\1/p' "$tmp/state" 2>/dev/null
}
of_kind() {
    sed -n "s/.*\"$1\": \\([0-9]*\\).*/\\1/p" "$tmp/state"
}
wait_for() { # count
    i=0
    while [ "$(count)" != "$1" ] && [ $i -lt 300 ]; do
        sleep 0.1
        i=$((i + 1))
    done
    [ "$(count)" = "$1" ] || { echo "there are $(count), expected $1"; tail -n 5 "$tmp/said"; false; }
}

is_valid() { rsyslogd -N1 -f "$tmp/rsyslog.conf" >"$tmp/out" 2>&1 || { cat "$tmp/out"; false; }; }
all_come() {
    lines web1 1 500 >"$tmp/store/web1/audit.log"
    echo '{"not": "whole' >>"$tmp/store/web1/audit.log"
    echo '{"a":1}' >>"$tmp/store/web1/audit.log"
    kill -9 "$server" && wait "$server" 2>/dev/null
    rsyslog
    sleep 2
    start_server "$port"
    lines web1 501 $records >>"$tmp/store/web1/audit.log"
    wait_for $((records - 1))
}
as_they_were() {
    lines web1 1 $records | grep -v '"sequence":77,' | sort >"$tmp/expected"
    [ -s "$tmp/documents" ] && sort "$tmp/documents" | cmp - "$tmp/expected"
}
an_index_for_each_day() {
    grep -q '"indexes": \["miguard-2026-03-01", "miguard-2026-03-02", "miguard-2026-03-03"\]' "$tmp/state"
}
busy_parts_come_again() { [ "$(of_kind busy)" -gt 100 ] && [ "$(of_kind bad)" -eq 0 ]; }
refused_once() {
    [ "$(of_kind refused)" -eq 1 ] && [ "$(wc -l <"$tmp/miguard-opensearch.refused")" -eq 1 ] &&
        grep -q '^400 mapper_parsing_exception as the test wants.*"sequence":77,' "$tmp/miguard-opensearch.refused"
}
no_records_are_kept() {
    grep -q '"not": "whole' "$tmp/miguard-opensearch.no-record" && grep -q '"a":1' "$tmp/miguard-opensearch.no-record" &&
        [ "$(wc -l <"$tmp/miguard-opensearch.no-record")" -eq 2 ]
}
# What a request held that was answered 503 is gone (rsyslog's change 6746 mends it).
wholly_busy() {
    touch "$tmp/busy"
    lines web2 1 100 >"$tmp/store/web2/audit.log"
    sleep 3
    rm "$tmp/busy"
    lines web2 101 200 >>"$tmp/store/web2/audit.log"
    i=0
    while ! grep -q '"name":"web2".*"sequence":200,' "$tmp/documents" && [ $i -lt 300 ]; do
        sleep 0.1
        i=$((i + 1))
    done
    grep -q '"name":"web2".*"sequence":200,' "$tmp/documents"
}
killed_and_read_again() {
    kill -9 "$daemon" && wait "$daemon" 2>/dev/null
    rm -rf "$tmp/work" && mkdir "$tmp/work"
    before=$(of_kind again)
    rsyslog
    wait_for $((records - 1 + 199)) || return 1
    i=0
    while [ "$(of_kind again)" -lt $((before + records - 1)) ] && [ $i -lt 300 ]; do
        sleep 0.1
        i=$((i + 1))
    done
    [ "$(of_kind again)" -ge $((before + records - 1)) ] && [ "$(count)" -eq $((records - 1 + 199)) ]
}

check "rsyslogd reads the recipe" is_valid
check "all records come, though the engine is away first" all_come
check "each is as it was written" as_they_were
check "each day has an index" an_index_for_each_day
check "parts that were refused as busy come again" busy_parts_come_again
check "what the engine refuses is kept with its answer, and not sent again" refused_once
check "what is no record is kept apart" no_records_are_kept
check "records come again after the engine was wholly busy" wholly_busy
check "rsyslogd is killed and reads all again: each is there once" killed_and_read_again
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
