#!/bin/sh
# SPDX-License-Identifier: MIT
# miguard module info: what it says of good modules, and of files that are none, that end, change or confuse
# the process which loads them; --no-load runs no code of the file. One line a check; `make check` runs it
# with OUT and CC.
set -u

: "${OUT:=build}" "${CC:=gcc}"
cd "$(dirname "$0")/../.." || exit 3
LC_ALL=C
export LC_ALL

tmp=$(mktemp -d "${TMPDIR:-/tmp}/miguard-module-test.XXXXXX") || exit 3
trap 'rm -rf "$tmp"' EXIT
trap 'exit 3' HUP INT TERM
. tests/support/check.sh
skipped=0

cat >"$tmp/module.c" <<'EOF'
#include <MI.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#ifdef WRAPPED
#include <miguard.h>
#endif

#ifndef VERSION
#define VERSION MI_VERSION
#endif
#ifndef CHAR_SIZE
#define CHAR_SIZE sizeof(MI_Char)
#endif
#ifndef AT_LOAD
#define AT_LOAD
#endif
#ifndef CLASSES
#define CLASSES 0
#endif

static MI_SchemaDecl schema = {.numClassDecls = CLASSES, .classDecls = (void *)(CLASSES * 8)};
static MI_ProviderFT dynamic;
static MI_Module module = {.version = VERSION, .charSize = CHAR_SIZE, .schemaDecl = &schema,
                           .flags = MI_MODULE_FLAG_LOCALIZED, .dynamicProviderFT = &dynamic};

__attribute__((constructor)) static void at_load(void)
{
    AT_LOAD;
}

#ifndef WITHOUT_MAIN
MI_EXPORT MI_Module *MI_CALL MI_Main(MI_Server *server)
{
    (void)server;
    printf("words on standard output\n");
#ifdef NOTHING
    return NULL;
#elif defined(WRAPPED)
    return miguard_wrap_module(server, &module);
#else
    return &module;
#endif
}
#endif
EOF

# build NAME OPTION... -> $tmp/NAME.so
build() {
    name=$1
    shift
    $CC -D_GNU_SOURCE -Iinclude -shared -fPIC -w "$@" "$tmp/module.c" -o "$tmp/$name.so" \
        $(case " $* " in *WRAPPED*) echo "-L$OUT -Wl,-rpath,$(realpath "$OUT") -lmiguard" ;; esac)
}
build good
build wrapped -DWRAPPED
build none -DNOTHING
build without -DWITHOUT_MAIN
build newer -DVERSION='MI_MAKE_VERSION(2,0,0)'
build wide -DCHAR_SIZE=2
build garbage -DCLASSES=5
build exits -DAT_LOAD='_exit(0)'
build killed -DAT_LOAD='raise(SIGKILL)'
build slow -DAT_LOAD='raise(SIGALRM)'
build marks -DAT_LOAD="close(open(\"$tmp/ran\", O_CREAT | O_WRONLY, 0600))"
build changes -DAT_LOAD='prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)'
build calls -DAT_LOAD='if (getpid() < 0) (void)!setresuid(1, 1, 1)'
build missing -DAT_LOAD='{ extern void function_of_nobody(void); function_of_nobody(); }'
head -c 300 "$tmp/good.so" >"$tmp/cut.so"
echo "no library" >"$tmp/text.so"
mkfifo "$tmp/pipe.so"

info() { timeout 60 "$OUT/miguard" module info "$@" >"$tmp/out" 2>"$tmp/err"; }
# says STATUS STREAM TEXT ARGUMENT...
says() {
    wanted=$1 stream=$2 text=$3
    shift 3
    info "$@"
    found=$?
    [ "$found" = "$wanted" ] && grep -qF -- "$text" "$tmp/$stream" ||
        { echo "status $found"; cat "$tmp/out" "$tmp/err"; false; }
}

P=$OUT/providers
check "an example's classes" says 0 out "class MG_File (get" "$P/file.so"
check "its properties" says 0 out "    [key] string Path;" "$P/file.so"
check "a method with its parameters" says 0 out "[static] uint32 Act([in] string Name" "$P/impersonator.so"
check "what it imports" says 0 out "imports      setfsuid, setfsgid" "$P/file.so"
check "a direct import" says 0 out "imports      setresuid" "$tmp/calls.so"
check "several files" says 0 out "class MG_UserAccount" "$P/file.so" "$P/account.so"
check "a dynamic provider, its flags" says 0 out "flags        localized" "$tmp/good.so"
check "dynamic" says 0 out "provider     dynamic" "$tmp/good.so"
check "not wrapped" says 0 out "wrapped      no" "$tmp/good.so"
check "wrapped by its author" says 0 out "wrapped      yes, by miguard_wrap_module()" "$tmp/wrapped.so"
check "what the module prints is no output" says 0 err "words on standard output" --json "$tmp/good.so"
one_object() { info --json "$tmp/good.so" && [ "$(wc -l <"$tmp/out")" = 1 ] && python3 -m json.tool "$tmp/out" >/dev/null; }
check "one object of JSON" one_object
check "JSON of a class" says 0 out '{"name":"Path","type":"string","flags":["key"]}' --json "$P/file.so"
check "loading it changes the thread" says 0 out "loading it   no-new-privs" "$tmp/changes.so"
check "another layout is not read" says 0 out "classes      not read" "$tmp/newer.so"
check "wide characters are not read" says 0 out "2-byte characters" "$tmp/wide.so"

check "MI_Main gives nothing" says 1 err "its MI_Main returned NULL" "$tmp/none.so"
check "no MI_Main" says 1 err "it exports no MI_Main" "$tmp/without.so"
check "declarations that lead nowhere" says 1 err "SIGSEGV" "$tmp/garbage.so"
check "a constructor that ends the process" says 1 err "ended the process with status 0" "$tmp/exits.so"
check "one that is killed" says 1 err "SIGKILL" "$tmp/killed.so"
check "one that does not end" says 1 err "did not end within 30 seconds" "$tmp/slow.so"
check "a symbol that nothing defines" says 1 err "function_of_nobody" "$tmp/missing.so"
check "a cut file" says 3 err "cut.so: " "$tmp/cut.so"
check "a text" says 3 err "text.so: " "$tmp/text.so"
check "a pipe" says 3 err "pipe.so: " "$tmp/pipe.so"
check "a folder" says 3 err "$tmp: " "$tmp"
check "no such file" says 3 err "No such file" "$tmp/nothing.so"
check "no file given" says 2 err "the file is missing"
check "the worst status counts" says 3 err "none.so" "$tmp/none.so" "$tmp/text.so" "$tmp/good.so"

runs_nothing() { info --no-load "$tmp/marks.so" && [ ! -e "$tmp/ran" ]; }
check "--no-load runs no code" runs_nothing
runs_it() { info "$tmp/marks.so" && [ -e "$tmp/ran" ]; }
check "without it code runs" runs_it

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
