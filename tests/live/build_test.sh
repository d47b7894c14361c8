#!/bin/sh
# SPDX-License-Identifier: MIT
# What is shipped: the installed tree, the exported symbols, the headers, the manual pages, and that
# the documents tell the truth about them. One line a check; `make check` runs it with OUT and CC.
set -u

: "${OUT:=build}" "${CC:=gcc}"
cd "$(dirname "$0")/../.." || exit 3
LC_ALL=C
export LC_ALL OUT CC
# Not this run's jobs and overrides: a make that is started here stands for a user's own.
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES GNUMAKEFLAGS DESTDIR PREFIX LIBDIR

tmp=$(mktemp -d "${TMPDIR:-/tmp}/miguard-build-test.XXXXXX") || exit 3
trap 'rm -rf "$tmp"' EXIT
trap 'exit 3' HUP INT TERM
. tests/support/check.sh
skipped=0

# check "what" command...: the command is quiet and succeeds; what it says belongs to the failure.

skip() { # "what: why"
    echo "skip: $*"
    skipped=$((skipped + 1))
}

have() {
    command -v "$1" >/dev/null 2>&1
}

# Succeeds when the two files are the same and shows the difference otherwise.
same() {
    diff -u "$1" "$2"
}

# Says each line of its input that the command refuses; fails when there was one.
each() { # command... <list
    bad=0
    while IFS= read -r line; do
        "$@" "$line" || {
            echo "missing: $line"
            bad=1
        }
    done
    return $bad
}

root=$PWD
build=$(cd "$OUT" && pwd) || exit 3
version=$(sed -n 's/^VERSION *:= *//p' Makefile)
soversion=$(sed -n 's/^SOVERSION *:= *//p' Makefile)
case $OUT in
build) plain=yes shipped=yes ;;
build/clang) plain=no shipped=yes ;;
*) plain=no shipped=no ;; # sanitizers and coverage put symbols of their own into what they build
esac

# ---- the installed tree ------------------------------------------------------------------------

dest=$tmp/dest
with_pkg_config() {
    env PKG_CONFIG_SYSROOT_DIR="$dest" PKG_CONFIG_LIBDIR="$dest/usr/lib/pkgconfig" \
        PKG_CONFIG_PATH= "$@"
}

expected_files() {
    echo ./bin/miguard
    echo ./lib/libmiguard-preload.so
    (cd include && find . -name '*.h' -o -name '*.hpp' | sed 's|^\.|./include|')
    for library in libmiguard libmiguard-host libmiguard-core; do
        for suffix in a so "so.$soversion" "so.$version"; do
            echo "./lib/$library.$suffix"
        done
        echo "./lib/pkgconfig/${library#lib}.pc"
    done
    for policy in policy/*.yaml; do
        echo "./share/miguard/$policy"
    done
    for unit in policy/systemd/*; do
        echo "./lib/systemd/system/${unit##*/}"
    done
    for rule in policy/sigma/*.yml; do
        echo "./share/miguard/${rule#policy/}"
    done
    find policy/fleet policy/apparmor policy/selinux -type f | sed 's|^policy|./share/miguard|'
    echo ./share/miguard/policy.schema.json
    echo ./share/miguard/audit-record.schema.json
    echo ./share/doc/miguard/miguard.spdx.json
    echo ./share/doc/miguard/architecture.svg
    echo ./lib/cmake/miguard/miguardConfig.cmake
    echo ./lib/cmake/miguard/miguardConfigVersion.cmake
    echo ./lib/sysusers.d/miguard.conf
    echo ./lib/tmpfiles.d/miguard.conf
    echo ./lib/systemd/system/miguard-verify.service
    echo ./lib/systemd/system/miguard-verify.timer
    echo ./share/bash-completion/completions/miguard
    echo ./share/zsh/site-functions/_miguard
    echo ./share/fish/vendor_completions.d/miguard.fish
    (cd tests/examples && find . -type f ! -name '*.pyc') | sed 's|^\.|./share/doc/miguard/examples|'
    for page in man/*.[1-8]; do
        echo "./share/man/man${page##*.}/${page#man/}"
    done
    sh src/package/aliases.sh | while read -r alias page; do
        echo "./share/man/man${alias##*.}/$alias"
    done
}

installed_files() {
    (cd "$dest/usr" && find . ! -type d)
}

files_in_place() {
    expected_files | sort >"$tmp/expected"
    installed_files | sort >"$tmp/found"
    same "$tmp/expected" "$tmp/found" && links_lead_somewhere && [ -x "$dest/usr/bin/miguard" ]
}

links_lead_somewhere() {
    broken=$(find "$dest" -type l ! -exec test -e {} \; -print)
    [ -z "$broken" ] || {
        echo "dangling: $broken"
        return 1
    }
}

pc_file_true() { # package
    pc=$dest/usr/lib/pkgconfig/$1.pc
    grep -q '^prefix=/usr$' "$pc" || {
        echo "installed with PREFIX=/usr, but $1.pc says: $(grep '^prefix=' "$pc")"
        return 1
    }
    with_pkg_config pkg-config --modversion "$1" >"$tmp/flags" &&
        with_pkg_config pkg-config --cflags --libs "$1" >>"$tmp/flags" || return 1
    cat "$tmp/flags"
    grep -qx "$version" "$tmp/flags" && grep -q -- "-I$dest/usr/include" "$tmp/flags" &&
        grep -q -- "-L$dest/usr/lib" "$tmp/flags" && grep -q -- "-l$1" "$tmp/flags"
}

installed_command_runs() {
    LD_LIBRARY_PATH=$dest/usr/lib "$dest/usr/bin/miguard" --version >"$tmp/out" || return 1
    echo "miguard $version (library $version)" | same - "$tmp/out"
}

# Each shell finds the installed file by itself, from where it looks for those of other programs, and
# completes what was typed in a terminal.
zsh_completes() {
    TERM=dumb timeout 60 zsh -f tests/support/terminal.zsh "$dest/usr/share/zsh/site-functions" \
        "miguard audit sea" >"$tmp/out" 2>&1
    cat "$tmp/out"
    grep -q "miguard audit search " "$tmp/out"
}

# It asks for the completions of commands that there are.
fish_completes() {
    PATH=$dest/usr/bin:$PATH HOME=$tmp XDG_CONFIG_HOME=$tmp XDG_DATA_DIRS=$dest/usr/share fish -c \
        'complete -C "miguard audit sea"' >"$tmp/out" 2>&1
    cat "$tmp/out"
    grep -q "^search" "$tmp/out"
}

# As bash-completion does: the file has the name of the command and registers a function for it.
bash_completes() {
    # shellcheck disable=SC2016 # words of bash
    bash --norc -c '. "$1/miguard" && complete -p miguard && COMP_WORDS=(miguard audit sea) COMP_CWORD=2 &&
        _miguard && [ "${COMPREPLY[*]}" = search ]' bash "$dest/usr/share/bash-completion/completions"
}

check_completion() { # shell
    if have "$1"; then
        check "$1 completes by the installed file" "$1_completes"
    else
        skip "the installed completion of $1: it is not installed"
    fi
}

# Programs as a user would write them: one with a server and a guard in it, and one that leaves the
# guarding to the modules it loads: AUDIT-FILE CLASS MODULE...
write_programs() {
    cat >"$tmp/wrapping.c" <<'PROGRAM'
#include <miguard.h>
#include <miguard/host.h>
#include <stdio.h>

int main(void)
{
    struct miguard_host_options options = {.wrap = miguard_wrap_module};
    struct miguard_host *host = NULL;
    enum miguard_status status = miguard_host_new(&options, &host, NULL);

    puts(miguard_status_name(status));
    miguard_host_free(host);
    return status != MIGUARD_OK;
}
PROGRAM
    cat >"$tmp/host_only.c" <<'PROGRAM'
#include <miguard/host.h>
#include <stdio.h>

int main(void)
{
    struct miguard_host *host = NULL;
    enum miguard_status status = miguard_host_new(NULL, &host, NULL);

    puts(miguard_status_name(status));
    miguard_host_free(host);
    return status != MIGUARD_OK;
}
PROGRAM
    cat >"$tmp/trusting.c" <<'PROGRAM'
#include <miguard.h>
#include <miguard/host.h>
#include <stdio.h>

int main(int count, char **arguments)
{
    struct miguard_config config = MIGUARD_CONFIG_INIT;
    struct miguard_host *host = NULL;
    MI_Session session = MI_SESSION_NULL;
    MI_Operation operation = MI_OPERATION_NULL;
    const MI_Instance *instance = NULL;
    MI_Boolean more;
    MI_Result result = MI_RESULT_FAILED;

    config.audit_file = arguments[1];
    if (miguard_configure(&config, NULL) != MIGUARD_OK ||
        miguard_host_new(NULL, &host, NULL) != MIGUARD_OK) {
        return 1;
    }
    for (int i = 3; i < count; i++) {
        if (miguard_host_load(host, arguments[i], "*", NULL) != MIGUARD_OK) {
            return 1;
        }
    }
    if (miguard_host_session(host, &session, NULL) != MIGUARD_OK) {
        return 1;
    }
    MI_Session_EnumerateInstances(&session, 0, NULL, "root/test", arguments[2], MI_FALSE, NULL,
                                  &operation);
    MI_Operation_GetInstance(&operation, &instance, &more, &result, NULL, NULL);
    puts(result == MI_RESULT_OK && instance != NULL ? "OK" : "no instance");
    MI_Operation_Close(&operation);
    MI_Session_Close(&session, NULL, NULL);
    miguard_host_free(host);
    return 0;
}
PROGRAM
}

links_shared() { # program package...
    program=$tmp/$1
    shift
    # Word splitting is wanted: these are flags.
    # shellcheck disable=SC2046
    "$CC" -o "$program" "$program.c" $(with_pkg_config pkg-config --cflags --libs "$@")
}

says_ok() { # program words...
    LD_LIBRARY_PATH=$dest/usr/lib "$@" >"$tmp/out"
    status=$?
    cat "$tmp/out"
    [ $status -eq 0 ] && grep -qx OK "$tmp/out"
}

shared_runs() { # program package...
    links_shared "$@" && says_ok "$tmp/$1"
}

static_runs() {
    "$CC" -I"$dest/usr/include" -o "$tmp/static" "$tmp/wrapping.c" \
        "$dest/usr/lib/libmiguard-host.a" "$dest/usr/lib/libmiguard.a" -lexpat -lcap-ng -lseccomp -lyaml -lsodium -ldl -pthread &&
        says_ok "$tmp/static"
}

# ---- the examples in the documents --------------------------------------------------------------

readme_example() {
    awk '/example: end/ { on = 0 } on && !/^```/ { print } /example: begin/ { on = 1 }' README.md
}

manual_example() {
    awk '/example: end/ { on = 0 } on { print } /example: begin/ { on = 1 }' \
        man/miguard-provider.7 | sed -e 's/\\-/-/g' -e 's/\\e/\\/g'
}

readme_command() {
    grep '^cc -shared' README.md
}

manual_command() {
    sed -n -e 's/\\-/-/g' -e 's/\\e/\\/g' -e 's/^\$ \(cc -shared .*\)/\1/p' man/miguard-provider.7
}

one_command() {
    readme_command >"$tmp/a" && manual_command >"$tmp/b" && same "$tmp/a" "$tmp/b" &&
        [ "$(wc -l <"$tmp/a")" -eq 1 ]
}

# Builds with exactly the documented command, which must have nothing to say.
example_builds() { # name: the folder below $tmp that has its my.c
    cd "$tmp/$1" || return 1
    with_pkg_config sh -c "$(cat "$tmp/command")" >said 2>&1
    status=$?
    cd "$root" || return 1
    cat "$tmp/$1/said"
    [ $status -eq 0 ] && [ ! -s "$tmp/$1/said" ] && [ -s "$tmp/$1/my.so" ] &&
        "$CC" -Wall -Wextra -Werror -I"$dest/usr/include" -fsyntax-only "$tmp/$1/my.c"
}

run_example() { # name other-module expected-status words...
    name=$1 other=$2 expected=$3
    shift 3
    rm -f "$tmp/audit"
    "$build/miguard" run --audit "$tmp/audit" --module "$tmp/$name/my.so" \
        --module "$build/providers/$other.so" "$@" >"$tmp/out" 2>"$tmp/err"
    status=$?
    cat "$tmp/out" "$tmp/err"
    [ $status -eq "$expected" ]
}

recorded() { # action reason
    grep "\"action\":\"$1\"" "$tmp/audit" | grep "\"reason\":\"$2\"" | grep -q '"provider":"my.so"'
}

readme_example_guarded() {
    run_example readme account 0 enumerate root/test My_Count &&
        grep -q 'Groups = [1-9]' "$tmp/out" && recorded session-open identity-match
}

# `miguard run` guards whatever it loads; here only the module's own line can have done it.
readme_example_guards_itself() {
    rm -f "$tmp/audit"
    links_shared trusting miguard-host miguard &&
        says_ok "$tmp/trusting" "$tmp/audit" My_Count "$tmp/readme/my.so" \
            "$build/providers/account.so" && recorded session-open identity-match
}

manual_example_serves() {
    run_example manual file 0 --client nobody invoke root/test My_Reader Read Path=/etc/passwd &&
        grep -q "ReturnValue = $(id -u nobody);" "$tmp/out" &&
        recorded session-open identity-match && recorded session-open client-given
}

manual_example_refused() {
    run_example manual file 1 --client nobody invoke root/test My_Reader ReadTooEarly \
        Path=/etc/passwd && grep -q ACCESS_DENIED "$tmp/err" &&
        recorded session-use identity-mismatch
}

# A name in the request is a claim: without a client that the host knows it is not served.
manual_example_knows_no_claim() {
    run_example manual file 1 invoke root/test My_Reader Read User=nobody Path=/etc/passwd &&
        grep -q 'NOT_SUPPORTED (7)' "$tmp/err" && ! grep -q session-open "$tmp/audit"
}

check_examples() {
    mkdir -p "$tmp/readme" "$tmp/manual" "$tmp/bin"
    readme_example >"$tmp/readme/my.c"
    manual_example >"$tmp/manual/my.c"
    readme_command >"$tmp/command"
    if ! have cc; then
        ln -s "$(command -v "$CC")" "$tmp/bin/cc"
        PATH=$tmp/bin:$PATH
    fi
    check "README.md and miguard-provider(7) document the same command" one_command
    check "the example in README.md compiles by it" example_builds readme
    check "the example in README.md is served and guarded" readme_example_guarded
    check "it guards itself where the host does not" readme_example_guards_itself
    check "the example in miguard-provider(7) compiles by it" example_builds manual
    if [ "$(id -u)" -eq 0 ] && id -u nobody >/dev/null 2>&1; then
        check "the example in miguard-provider(7) is served as the user" manual_example_serves
        check "its mistake is refused and recorded" manual_example_refused
        check "it believes no name in the request" manual_example_knows_no_claim
    else
        skip "running the example in miguard-provider(7): only root can become another user"
    fi
}

nothing_left() {
    installed_files | sort >"$tmp/found"
    printf '%s\n' ./include/other.h ./lib/libother.so | same - "$tmp/found"
}

check_installed() {
    check "make install" make install DESTDIR="$dest" PREFIX=/usr CC="$CC"
    check "every file is where it belongs" files_in_place
    check "pkg-config finds miguard" pc_file_true miguard
    check "pkg-config finds miguard-host" pc_file_true miguard-host
    check "pkg-config finds miguard-core" pc_file_true miguard-core
    check "the installed command runs" installed_command_runs
    check_completion bash
    check_completion zsh
    check_completion fish
    write_programs
    check "a program runs with both shared libraries" shared_runs wrapping miguard-host miguard
    check "a program runs with the server alone" shared_runs host_only miguard-host
    check "a program runs with both static libraries" static_runs
    check_examples
    : >"$dest/usr/include/other.h"
    : >"$dest/usr/lib/libother.so"
    check "make uninstall" make uninstall DESTDIR="$dest" PREFIX=/usr
    check "it leaves nothing behind and what is not ours in place" nothing_left
}

if [ $plain = yes ]; then
    check_installed
else
    skip "the installed tree and the examples: checked with the plain build only"
fi

# ---- exported symbols ---------------------------------------------------------------------------

names_of() { # nm's lines: no symbol versions, no absolute ones
    awk 'NF == 3 && $2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort
}

shared_exports() { # library
    nm -D --defined-only "$build/lib$1.so" | names_of >"$tmp/found"
    same "tests/data/exports-$1.txt" "$tmp/found"
}

static_exports() {
    nm -g --defined-only "$build/lib$1.a" | names_of >"$tmp/found"
    same "tests/data/exports-$1.txt" "$tmp/found"
}

# A library neither ends the process nor writes to its streams nor changes its locale.
keeps_to_itself() { # library
    nm -D --undefined-only "$build/lib$1.so" | awk '{ sub(/@.*/, "", $2); print $2 }' |
        grep -xE 'exit|_exit|_Exit|quick_exit|std(in|out|err)|(__)?(v?f?printf|f?puts|putchar|fwrite|perror)(_chk)?|setlocale' \
            >"$tmp/found"
    cat "$tmp/found"
    [ ! -s "$tmp/found" ]
}

soname() {
    readelf -d "$build/lib$1.so" | grep -F "Library soname: [lib$1.so.$soversion]" || {
        readelf -d "$build/lib$1.so" | grep soname
        return 1
    }
}

for library in miguard miguard-host miguard-core; do
    if [ $shipped = yes ]; then
        check "lib$library.so exports what it should" shared_exports $library
        check "lib$library.a exports what it should" static_exports $library
        check "lib$library.so uses no exit, no stream and no locale of the process" \
            keeps_to_itself $library
        check "lib$library.so has the SONAME lib$library.so.$soversion" soname $library
    else
        skip "exports of lib$library: not those of this build variant"
    fi
done

# ---- headers ------------------------------------------------------------------------------------

headers=$(cd include && find . -name '*.h' | sed 's|^\./||' | sort)

# Each header alone: nothing before it, nothing behind it.
headers_alone() { # compiler language flags...
    compiler=$1 language=$2
    shift 2
    [ "$language" = c++ ] || set -- -Wstrict-prototypes "$@"
    bad=0
    for header in $headers; do
        printf '#include <%s>\n#include <%s>\n' "$header" "$header" |
            "$compiler" -x "$language" "$@" -Wall -Wextra -Wconversion -Wshadow -Werror -Iinclude \
                -fsyntax-only - || {
            echo "<$header>"
            bad=1
        }
    done
    return $bad
}

check_headers() { # compiler c++-compiler
    if have "$1"; then
        for standard in c99 c17; do
            check "the headers compile alone: $1 $standard" headers_alone "$1" c -std=$standard
            for api in 1 2; do
                check "the same with MI_API_VERSION $api" headers_alone "$1" c -std=$standard \
                    -DMI_API_VERSION=$api
            done
        done
    else
        skip "headers in C with $1: it is not installed"
    fi
    if have "$2"; then
        for api in 1 2; do
            check "the headers compile alone: $2 c++17, MI_API_VERSION $api" \
                headers_alone "$2" c++ -std=c++17 -DMI_API_VERSION=$api
        done
    else
        skip "headers in C++ with $2: it is not installed"
    fi
}

abi_in_cpp() {
    tables=
    for table in abi abi-types table-slots functions strings aliases; do
        tables="$tables tests/data/mi/$table.tsv"
    done
    # shellcheck disable=SC2086
    awk -f tests/table/mi_abi.awk -v lang=c++ $tables >"$tmp/abi.cc" &&
        g++ -std=c++17 -Wall -Wextra -Werror -Iinclude -o "$tmp/abi" "$tmp/abi.cc" &&
        "$tmp/abi" >"$tmp/out" && grep -Eq '^[1-9][0-9]* passed, 0 failed' "$tmp/out"
}

check_headers gcc g++
check_headers clang clang++
if have g++; then
    check "the layout of MI.h in C++ is the table's" abi_in_cpp
else
    skip "the layout of MI.h in C++: g++ is not installed"
fi

# ---- documents ----------------------------------------------------------------------------------

page3=man/libmiguard.3

in_readme() {
    grep -qF "($1)" README.md
}

pages_in_readme() {
    printf '%s\n' man/*.[1-8] | each in_readme
}

readme_link_leads() {
    [ -e "$1" ]
}

readme_links_lead() {
    cat ./*.md | grep -o '](\([^)]*\))' | sed 's/^](//; s/)$//' | grep -v '^https:' | sort -u |
        each readme_link_leads
}

page_exists() { # "name section"
    [ -e "man/$(echo "$1" | tr ' ' .)" ]
}

own_pages_exist() {
    cat man/*.[1-8] | sed -n 's/^\.Xr \(\(lib\)\{0,1\}miguard[^ ]*\) \([1-8]\).*/\1 \3/p' |
        sort -u | each page_exists
}

# Once in the synopsis and once in the description of a page for functions.
documented() { # name
    grep -Eq "^\.(Fn|Fo|Vt)( | .*[ *])$1( |\$)" man/*.3 &&
        grep -Eq "^\.It (.* )?(Fn|Va) $1( |\$)" man/*.3
}

exports_documented() {
    cat tests/data/exports-*.txt | each documented
}

declared() { # name
    cat include/MI.h include/miguard.h include/miguard/*.h | grep -Eq "(^|[ *])$1(\(|;)"
}

exports_declared() {
    cat tests/data/exports-*.txt | each declared
}

exported() { # name
    grep -qx "$1" tests/data/exports-*.txt
}

declarations_exported() {
    cat include/miguard.h include/miguard/*.h | sed -e '/^ *\*/d' -e '/^\/\*/d' -e '/^#/d' |
        grep -oE '(^|[ *])miguard_[a-z_]+\(' | tr -d ' *(' | sort -u | each exported
}

row() { # a line of the page
    grep -qxF "$1" $page3
}

statuses_documented() {
    sed -n 's/^ *X(\([0-9]*\), \([A-Z_]*\), "\(.*\)").*/.It Dv MIGUARD_\2 Ta \1 Ta \3/p' \
        include/miguard/status.h >"$tmp/rows"
    [ -s "$tmp/rows" ] && each row <"$tmp/rows"
}

components_documented() {
    sed -n 's/^ *X([0-9]*, \([A-Z_]*\), "\(.*\)").*/.It \2 Ta Dv MIGUARD_COMPONENT_\1/p' \
        include/miguard/identity.h >"$tmp/rows"
    [ -s "$tmp/rows" ] && each row <"$tmp/rows"
}

limit() { # "NAME value"
    grep -q "^\.It Dv ${1% *} Ta ${1#* } Ta ." $page3
}

limits_documented() {
    sed -n 's/^#define \(MIGUARD_[A-Z_]*\)  *\([0-9][0-9]*\)\( .*\)\{0,1\}$/\1 \2/p' \
        include/miguard.h include/miguard/*.h >"$tmp/rows"
    [ -s "$tmp/rows" ] && each limit <"$tmp/rows"
}

version_everywhere() {
    grep -qF "#define MIGUARD_VERSION \"$version\"" include/miguard/guard.h &&
        grep -q "^## $version" CHANGELOG.md
}

helps() { # words...
    "$build/miguard" "$@" --help >>"$tmp/help" && [ -s "$tmp/help" ]
}

option_documented() { # --option
    grep -Eq -- "(^\.It|^\.Op|^\.Fl|[ |]).*Fl ${1#-}( |\$)|^\.Fl ${1#-}( |\$)" man/miguard.1 man/miguard-serve.1 || {
        # A command of miguard(1) that takes a QUERY has its options in miguard-audit(1).
        grep -q '^\.Op Ar QUERY' man/miguard.1 man/miguard-serve.1 && sed -n '/^\.Sh QUERY/,/^\.Sh EX/p' man/miguard-audit.1 |
            grep -Eq -- "Fl ${1#-}( |\$)"
    }
}

commands_documented() {
    [ "$(wc -l <"$tmp/commands")" -ge 11 ] && each command_documented <"$tmp/commands"
}

command_documented() { # words
    grep -qx "\.Cm $1" man/miguard.1 && grep -qx "\.Ss $1" man/miguard.1
}

options_documented() {
    grep -oE -- '--[a-z][a-z-]*' "$tmp/help" | sort -u >"$tmp/options"
    [ -s "$tmp/options" ] && each option_documented <"$tmp/options"
}

# A machine of 32 bits is told so, in a sentence; only the compiler's own headers are needed.
refused_for_32_bits() {
    said=$(echo '#include "miguard/status.h"' |
        "$CC" -m32 -ffreestanding -Iinclude -fsyntax-only -x c - 2>&1) && return 1
    echo "$said" | grep -q 'miguard needs pointers of 64 bits'
}
if echo | "$CC" -m32 -ffreestanding -fsyntax-only -x c - >/dev/null 2>&1; then
    check "a build for 32 bits is refused with a sentence" refused_for_32_bits
else
    skip "a build for 32 bits: $CC cannot make one"
fi
# A script that the Makefile does not name is a test that nobody runs.
script_named() { # PATH
    grep -q "$(basename "$1")" Makefile
}
scripts_named() {
    printf '%s\n' tests/live/*_test.sh | each script_named
}
check "make check runs every script of tests/live" scripts_named
check "README.md lists every manual page" pages_in_readme
check "every link between the documents leads somewhere" readme_links_lead
check "every own manual page that is referred to exists" own_pages_exist
check "a manual page has every exported function" exports_documented
check "every exported function is declared in a header" exports_declared
check "every declared function is exported" declarations_exported
check "libmiguard(3) has every status" statuses_documented
check "libmiguard(3) has every component" components_documented
check "libmiguard(3) has every limit" limits_documented
check "the version is the same everywhere" version_everywhere
# But for those of miguard audit, which have a page and a test of their own.
"$build/miguard" --help | sed -n 's/^  \([a-z][a-z -]*[a-z]\)  .*/\1/p' | grep -v '^audit \|^fleet \|^key ' >"$tmp/commands"
: >"$tmp/help"
while read -r words; do
    # shellcheck disable=SC2086
    check "miguard $words --help" helps $words
done <"$tmp/commands"
check "miguard --help" helps
check "miguard(1) has every command" commands_documented
check "miguard(1) or miguard-serve(1) has every option" options_documented

# ---- the tree -----------------------------------------------------------------------------------

# Folders of whoever works on this. The brackets keep this file from naming them itself.
no_machine_paths() {
    find . \( -path ./.git -o -path ./build \) -prune -o -type f -exec grep -nE \
        '(^|[^[:alnum:]_])/(wor[k]|roo[t])([^[:alnum:]_]|$)|\.\./share[d]|\.librar[y]' \
        /dev/null {} + >"$tmp/out"
    cat "$tmp/out"
    [ ! -s "$tmp/out" ]
}

allowed_entry() {
    case $1 in
    .* | Makefile | src | include | policy | tests | man | build) ;;
    README.md | LICENSE | CHANGELOG.md | SECURITY.md | CONTRIBUTING.md) ;;
    *) return 1 ;;
    esac
}

only_allowed_entries() {
    # shellcheck disable=SC2012
    ls -A | each allowed_entry | sed 's/^missing/not allowed/' >"$tmp/out"
    cat "$tmp/out"
    [ ! -s "$tmp/out" ]
}

# Under a runner, which is a debugger or an emulator, some tests leave themselves out.
no_runner_is_none() {
    cat >"$tmp/asks" <<'END'
#!/bin/sh
[ -z "${RUNNER+set}" ] && echo "1 passed, 0 failed"
END
    chmod +x "$tmp/asks"
    (unset RUNNER && OUT=$tmp sh tests/run.sh "$tmp/asks") >"$tmp/out" && return 0
    cat "$tmp/out"
    return 1
}

# What the documents and the stages of .ci/run tell people to make.
target_there() { # name
    grep -q "^$1:" Makefile
}
targets_there() {
    sed 's/\\-/-/g' README.md CONTRIBUTING.md SECURITY.md src/README.md man/*.[1-8] .ci/run |
        grep -oE 'make (check|bench|coverage|demo|deb|rpm|format|install|uninstall|clean|help)[a-z0-9-]*' |
        sed 's/^make //' | sort -u >"$tmp/targets"
    [ "$(wc -l <"$tmp/targets")" -gt 15 ] && each target_there <"$tmp/targets"
}
check "each target that documents and .ci/run name is in the Makefile" targets_there
check "tests that run by themselves are given no RUNNER" no_runner_is_none
check "no file names a path of this machine" no_machine_paths
check "the top level has what it should and nothing else" only_allowed_entries
check ".ci/run can be run" test -x .ci/run

printf '%d passed, %d failed' $passed $failed
[ $skipped -eq 0 ] || printf ', %d skipped' $skipped
echo
[ $failed -eq 0 ]
