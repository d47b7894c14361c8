#!/bin/sh
# SPDX-License-Identifier: MIT
# Two copies of the library in one process: the one that is used second refuses. And the archive in
# a plug-in stays in memory once it is used.
set -u

: "${OUT:=build}" "${CC:=gcc}"
cd "$(dirname "$0")/../.." || exit 3
tmp=$(mktemp -d "${TMPDIR:-/tmp}/miguard-copies-test.XXXXXX") || exit 3
trap 'rm -rf "$tmp"' EXIT
trap 'exit 3' HUP INT TERM
case $OUT in
build | build/clang) ;;
*)
    echo "skip: copies: what a sanitizer built needs its run-time library"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
    ;;
esac
if [ "$(id -u)" != 0 ]; then
    echo "skip: copies: needs root"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
fi

cat >"$tmp/plug.c" <<'PLUG'
#include <miguard.h>

enum miguard_status plug_switch(struct miguard_error *error);
enum miguard_status plug_close(struct miguard_error *error);
enum miguard_status plug_configure(struct miguard_error *error);
enum miguard_status plug_home(struct miguard_error *error);

enum miguard_status plug_home(struct miguard_error *error)
{
    struct miguard_home *home = 0;
    return miguard_home_capture(&home, error);
}

enum miguard_status plug_configure(struct miguard_error *error)
{
    struct miguard_config config = MIGUARD_CONFIG_INIT;
    return miguard_configure(&config, error);
}

enum miguard_status plug_switch(struct miguard_error *error)
{
    struct miguard_groups none = {MIGUARD_GROUPS_CLEAR, 0, 0, 0};
    struct miguard_target *target = 0;
    enum miguard_status status = miguard_target_ids(12345, 12345, &none, &target, error);
    if (status == MIGUARD_OK) {
        status = miguard_switch_to(target, error);
    }
    if (status == MIGUARD_OK) {
        status = miguard_switch_back(error);
    }
    return status;
}

enum miguard_status plug_close(struct miguard_error *error)
{
    struct miguard_gate_options options = MIGUARD_GATE_OPTIONS_INIT;
    options.scope = MIGUARD_GATE_PROCESS;
    options.report = 1;
    return miguard_gate_close(&options, error);
}
PLUG
cat >"$tmp/program.c" <<'PROGRAM'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <miguard.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef enum miguard_status (*function)(struct miguard_error *);

static function get(const char *path, const char *name)
{
    void *plug = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    return plug == NULL ? NULL : (function)dlsym(plug, name);
}

/* Arguments: plug-in first, plug-in second or "". Prints what the second answers. */
int main(int argc, char **argv)
{
    struct miguard_error error = {0};
    int bad = argc < 3;
    if (argv[2][0] == '\0') { /* alone: used, then unloaded */
        void *plug = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
        bad |= ((function)dlsym(plug, "plug_close"))(&error) != MIGUARD_OK;
        dlclose(plug);
        bad |= dlopen(argv[1], RTLD_NOW | RTLD_NOLOAD) == NULL;
        bad |= setuid(65534) != -1 || errno != EPERM;
        return bad;
    }
    const char *const calls[] = {"plug_switch", "plug_close", "plug_configure", "plug_home"};
    bad |= get(argv[1], "plug_switch")(&error) != MIGUARD_OK;
    for (int i = 0; i < 4; i++) {
        memset(&error, 0, sizeof(error));
        bad |= get(argv[2], calls[i])(&error) != MIGUARD_BAD_STATE;
        puts(error.detail);
        bad |= strstr(error.detail, "another copy of miguard (" MIGUARD_VERSION) == NULL;
        bad |= strstr(error.detail, argv[3]) == NULL;
        bad |= get(argv[1], "plug_switch")(&error) != MIGUARD_OK;
    }
    return bad;
}
PROGRAM
libs=$(pkg-config --libs libcap-ng libseccomp yaml-0.1 libsodium)
build() {
    $CC -Iinclude -fPIC -shared -o "$tmp/a.so" "$tmp/plug.c" "$OUT/libmiguard.a" $libs -pthread &&
        cp "$tmp/a.so" "$tmp/b.so" &&
        $CC -Iinclude -fPIC -shared -o "$tmp/s.so" "$tmp/plug.c" -L"$OUT" -lmiguard \
            -Wl,-rpath,"$PWD/$OUT" &&
        $CC -Iinclude -o "$tmp/program" "$tmp/program.c" -ldl
}

. tests/support/check.sh
check "plug-ins with the archive and with the shared library build" build
check "two plug-ins with the archive" "$tmp/program" "$tmp/a.so" "$tmp/b.so" a.so
check "the archive second" "$tmp/program" "$tmp/s.so" "$tmp/a.so" libmiguard.so
check "the shared library second" "$tmp/program" "$tmp/a.so" "$tmp/s.so" a.so
check "the archive in a plug-in stays" "$tmp/program" "$tmp/a.so" ""
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
