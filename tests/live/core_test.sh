#!/bin/sh
# SPDX-License-Identifier: MIT
# libmiguard-core: a daemon links it alone, without MI.h, libyaml and libsodium, and gets its records as
# they are made; it exports what the headers declare; beside libmiguard one of the two refuses.
# One line a check; `make check` runs it with OUT and CC.
set -u

: "${OUT:=build}" "${CC:=gcc}" "${LINK:=}"
cd "$(dirname "$0")/../.." || exit 3
LC_ALL=C
export LC_ALL

tmp=$(mktemp -d "${TMPDIR:-/tmp}/miguard-core-test.XXXXXX") || exit 3
trap 'rm -rf "$tmp"' EXIT
trap 'exit 3' HUP INT TERM
. tests/support/check.sh
skipped=0

mkdir "$tmp/include"
cp -r include/miguard "$tmp/include/" || exit 3
rm -f "$tmp/include/miguard/host.h" # the embedded CIM server's

cat >"$tmp/daemon.c" <<'EOF'
#include <miguard/core.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { READ, WRITE };
static const char *const actions[] = {"read", "write"};
static char last[16384];
static unsigned count;
static bool refuses_records;

static bool keep(void *data, const char *json, size_t length)
{
    if (data != &count || json[length] != '\0' || length >= sizeof(last) || refuses_records) {
        return false;
    }
    memcpy(last, json, length + 1);
    count++;
    return true;
}

static void need(bool holds, const char *what)
{
    if (!holds) {
        printf("not so: %s; the last of %u records: %s\n", what, count, last);
        exit(1);
    }
}

static void bad_starts(void)
{
    struct miguard_core_config config = MIGUARD_CORE_CONFIG_INIT;

    need(miguard_core_start(NULL, NULL) == MIGUARD_INVALID_ARGUMENT, "NULL is refused");
    need(miguard_core_start(&config, NULL) == MIGUARD_INVALID_ARGUMENT, "no function is refused");
    config.record = keep;
    config.size = 1;
    need(miguard_core_start(&config, NULL) == MIGUARD_INVALID_ARGUMENT, "a size is refused");
}

static void child(struct miguard_front_end *front, struct miguard_binding *inherited)
{
    struct miguard_use use = MIGUARD_USE(READ, NULL);
    struct miguard_binding *own = NULL;
    char parent[64];

    snprintf(parent, sizeof(parent), "\"pid\":%d", (int)getppid());
    need(miguard_verify(inherited, &use, NULL) == MIGUARD_BAD_HANDLE, "inherited is refused");
    need(strstr(last, "handle-inherited") != NULL && strstr(last, parent) == NULL, "child's record");
    need(miguard_bind(front, NULL, NULL, &own, NULL) == MIGUARD_OK, "a child binds its own");
    _exit(0);
}

int main(void)
{
    struct miguard_core_config config = MIGUARD_CORE_CONFIG_INIT;
    struct miguard_front_end *front = NULL;
    struct miguard_binding *binding = NULL;
    struct miguard_refusal refusal;
    struct miguard_use use = MIGUARD_USE(WRITE, "/srv/a \"quoted\" \xff");
    int status = -1;

    need(miguard_front_end_register("core", actions, 2, &front, NULL) == MIGUARD_OK, "registered");
    need(miguard_bind(front, NULL, NULL, &binding, &refusal) == MIGUARD_DENIED, "not before the start");
    need(strcmp(refusal.reason, "no-policy") == 0, "says no policy");
    bad_starts();
    config.record = keep;
    config.data = &count;
    need(miguard_core_start(&config, NULL) == MIGUARD_OK, "started");
    need(miguard_core_start(&config, NULL) == MIGUARD_BAD_STATE, "started once");
    need(miguard_bind(front, NULL, "job 1", &binding, &refusal) == MIGUARD_OK, "bound");
    need(count == 1 && strstr(last, "\"session-open\"") != NULL && strstr(last, "job 1") != NULL, "recorded");
    need(miguard_verify(binding, &use, &refusal) == MIGUARD_OK && count == 1, "used, not recorded");
    if (geteuid() == 0) {
        need(syscall(SYS_setresuid, -1, 12345, -1) == 0, "seteuid");
        need(miguard_verify(binding, &use, &refusal) == MIGUARD_DENIED, "another is refused");
        need(syscall(SYS_setresuid, -1, 0, -1) == 0, "seteuid back");
        need(count == 2 && strstr(last, "identity-mismatch") != NULL &&
                 strstr(last, refusal.decision_id) != NULL && strstr(last, "\"euid\"") != NULL,
             "the refusal is recorded");
    }
    puts(last);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        child(front, binding);
    }
    need(waitpid(pid, &status, 0) == pid && status == 0, "the child");
    refuses_records = true;
    miguard_revoke(binding);
    need(miguard_verify(binding, &use, &refusal) == MIGUARD_DENIED, "refused without a record");
    need(refusal.decision_id[0] == '\0' && miguard_core_lost() == 1, "the loss is counted");
    miguard_release(binding);
    return 0;
}
EOF

# Loads both: whichever is used first stays, and the other one refuses.
cat >"$tmp/both.c" <<'EOF'
#include <dlfcn.h>
#include <miguard/core.h>
#include <stdio.h>

static bool keep(void *data, const char *json, size_t length)
{
    (void)data, (void)json, (void)length;
    return true;
}

int main(int argc, char **argv)
{
    void *core = argc > 2 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
    void *whole = argc > 2 ? dlopen(argv[2], RTLD_NOW | RTLD_LOCAL) : NULL;
    enum miguard_status (*start)(const struct miguard_core_config *, struct miguard_error *);
    enum miguard_status (*configure)(const struct miguard_config *, struct miguard_error *);
    struct miguard_core_config core_config = MIGUARD_CORE_CONFIG_INIT;
    struct miguard_config config = MIGUARD_CONFIG_INIT;

    if (core == NULL || whole == NULL) {
        printf("%s\n", dlerror());
        return 1;
    }
    *(void **)&start = dlsym(core, "miguard_core_start");
    *(void **)&configure = dlsym(whole, "miguard_configure");
    core_config.record = keep;
    enum miguard_status first = start(&core_config, NULL), second = configure(&config, NULL);
    printf("%d %d\n", (int)first, (int)second);
    return first == MIGUARD_OK && second != MIGUARD_OK ? 0 : 1;
}
EOF

compile() { # program library...
    program=$1
    shift
    $CC -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -I"$tmp/include" -o "$tmp/$program" \
        "$tmp/$program.c" "$@" -pthread -ldl
}

builds_without_mi() {
    [ ! -e "$tmp/include/MI.h" ] && compile daemon -L"$OUT" -lmiguard-core -Wl,-rpath,"$PWD/$OUT"
}

# The line that the program prints is JSON with the members of a record.
records_are_json() {
    "$tmp/daemon" >"$tmp/record.json" || { cat "$tmp/record.json"; return 1; }
    jq -e '.miguard.format == 3 and .miguard.provider == "core" and .event.id != null and
           (.event.sequence == null) and (.miguard.chain == null)' "$tmp/record.json"
}

static_one_works() {
    compile daemon "$OUT/libmiguard-core.a" -lcap-ng -lseccomp && "$tmp/daemon"
}

needs_little() {
    readelf -d "$OUT/libmiguard-core.so" | sed -n 's/.*(NEEDED).*\[\(.*\)\.so.*/\1/p' >"$tmp/needed"
    cat "$tmp/needed"
    [ -s "$tmp/needed" ] && ! grep -Ev '^(libc|libcap-ng|libseccomp|libgcc_s|ld-linux.*)$' "$tmp/needed"
}

# What the headers of the core declare, without the set-up from policy files.
exports_the_headers() {
    $CC -E -P -I"$tmp/include" "$tmp/include/miguard/core.h" |
        grep -o '\bmiguard_[a-z_0-9]*(' | tr -d '(' | sort -u |
        grep -Ev '^miguard_(configure|reload)$' >"$tmp/declared"
    nm -D --defined-only "$OUT/libmiguard-core.so" | awk '$2 == "T" { sub(/@.*/, "", $3); print $3 }' |
        sort -u >"$tmp/exported"
    [ "$(wc -l <"$tmp/exported")" -gt 40 ] && diff "$tmp/declared" "$tmp/exported"
}

one_refuses() {
    compile both && "$tmp/both" "$PWD/$OUT/libmiguard-core.so" "$PWD/$OUT/libmiguard.so"
}

check "a daemon builds without MI.h" builds_without_mi
if command -v jq >/dev/null 2>&1; then
    check "it gets its records, each a JSON object" records_are_json
else
    echo "skip: records of the core: jq is missing (NEED_JQ=1 sh src/deps.sh)"
    skipped=$((skipped + 1))
    check "it gets its records" "$tmp/daemon"
fi
check "the static archive does the same" static_one_works
check "it needs neither libyaml nor libsodium" needs_little
check "it exports what the headers declare" exports_the_headers
check "beside it libmiguard refuses" one_refuses

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
