#!/bin/sh
# SPDX-License-Identifier: MIT
# The examples as a user builds them: the file server without MI.h, and in C++ with
# <miguard/guard.hpp>; how few lines its identities take. One line a check; `make check` runs it with
# OUT and CC.
set -u

: "${OUT:=build}" "${CC:=gcc}"
cd "$(dirname "$0")/../.." || exit 3
LC_ALL=C
export LC_ALL

tmp=$(mktemp -d "${TMPDIR:-/tmp}/miguard-examples-build.XXXXXX") || exit 3
trap 'rm -rf "$tmp"' EXIT
trap 'exit 3' HUP INT TERM
. tests/support/check.sh
skipped=0

skip() { # "what: why"
    echo "skip: $*"
    skipped=$((skipped + 1))
}

have() {
    command -v "$1" >/dev/null 2>&1
}

case $OUT in
build | build/clang) links=yes ;;
*) links=no ;; # what a sanitizer built needs its run-time library
esac
server=tests/examples/fileserver
strict="-Wall -Wextra -Wconversion -Wshadow -Werror"
root=$PWD

# Headers as they are for a daemon: those of miguard/ and no MI.h.
mkdir -p "$tmp/include" && cp -r include/miguard "$tmp/include" || exit 3

# ---- in C, without MI.h ------------------------------------------------------------------------

compiles_without_mi() { # compiler identity
    # shellcheck disable=SC2086 # words of options
    "$1" -std=gnu17 -D_GNU_SOURCE $strict -I"$tmp/include" -c -o "$tmp/server.o" \
        $server/fileserver.c &&
        "$1" -std=gnu17 -D_GNU_SOURCE $strict -I"$tmp/include" -c -o "$tmp/identity.o" "$2"
}

links_shared() { # compiler objects...
    compiler=$1
    shift
    "$compiler" -o "$tmp/fileserver" "$@" -L"$OUT" -lmiguard -Wl,-rpath,"$root/$OUT" -pthread -ldl
}

no_header_names_mi() {
    ! grep -nE '#include *[<"](MI|miguard)\.h' "$tmp"/include/miguard/guard.h* \
        "$tmp"/include/miguard/switch.h* "$tmp"/include/miguard/gate.h "$tmp"/include/miguard/home.h \
        $server/*
}

for compiler in gcc clang; do
    if have $compiler; then
        check "the file server compiles without MI.h: $compiler" compiles_without_mi $compiler \
            $server/identity_miguard.c
        [ $links = no ] || check "and links: $compiler" links_shared $compiler "$tmp/server.o" \
            "$tmp/identity.o"
    else
        skip "the file server with $compiler: it is not installed"
    fi
done
check "no header that it needs includes MI.h" no_header_names_mi

# ---- what it takes -----------------------------------------------------------------------------

# Lines with code on them: no comment, not blank.
lines_of_code() { # file
    "$CC" -fpreprocessed -dD -E -P "$1" | grep -c '[^[:space:]]'
}

a_third_of_by_hand() {
    with=$(lines_of_code $server/identity_miguard.c) hand=$(lines_of_code $server/identity_by_hand.c)
    echo "$with lines with the library, $hand by hand"
    [ "$with" -gt 10 ] && [ $((with * 3)) -le "$hand" ]
}

# All that is known of identities is in the other file.
server_knows_no_identity() {
    ! sed 's|/\*.*\*/||' $server/fileserver.c | grep -nEi \
        'set(res|fs|re|e)?[ug]id|setgroups|capset|prctl|seccomp|[^a-z][eu]?[ug]id[^a-z]|miguard_|SO_PEER'
}

check "identities take a third of the lines that they take by hand" a_third_of_by_hand
check "the server itself knows nothing of them" server_knows_no_identity

# ---- in C++ ------------------------------------------------------------------------------------

cat >"$tmp/program.cc" <<'PROGRAM'
#include <cstdio>
#include <cstring>
#include <miguard/guard.hpp>
#include <type_traits>
#include <unistd.h>
#include <utility>

static_assert(!std::is_copy_constructible<miguard::binding>::value, "copied");
static_assert(!std::is_copy_assignable<miguard::binding>::value, "copy assigned");
static_assert(std::is_nothrow_move_constructible<miguard::binding>::value, "not moved");
static_assert(std::is_nothrow_move_assignable<miguard::binding>::value, "not move assigned");
static_assert(!std::is_convertible<miguard::binding, bool>::value, "a bool by itself");
static_assert(!std::is_convertible<miguard_binding *, miguard::binding>::value, "implicit");

enum { ACTION_READ, ACTION_WRITE };

static int fail(const char *what)
{
    std::fprintf(stderr, "wrong: %s\n", what);
    return 1;
}

int main(int, char **arguments)
{
    static const char *const actions[] = {"read", "write"};
    miguard_config config = MIGUARD_CONFIG_INIT;
    config.policy = arguments[1];
    config.audit_file = arguments[2];
    miguard_error error = miguard_error();
    miguard::front_end files;
    if (miguard_configure(&config, &error) != MIGUARD_OK || files ||
        files.open("files", actions, &error) != MIGUARD_OK || !files) {
        return fail(error.detail);
    }
    miguard::refusal why;
    miguard::binding one, found;
    if (one || one.number() != 0 || one.keep() || why.what()[0] != '\0' ||
        one.verify(ACTION_READ, "/srv/a", &why) != MIGUARD_INVALID_ARGUMENT ||
        why.what()[0] == '\0' || found.find(0, &why) != MIGUARD_BAD_HANDLE) {
        return fail("nothing is refused");
    }
    if (one.bind(files, "/srv/a", "job 1", &why) != MIGUARD_OK || !one ||
        one.verify(ACTION_READ) != MIGUARD_OK || one.verify_again(ACTION_READ) != MIGUARD_OK ||
        one.verify(2, nullptr, &why) != MIGUARD_INVALID_ARGUMENT) {
        return fail(why.what());
    }
    if (one.verify(ACTION_WRITE, "/srv/a", &why) != MIGUARD_DENIED ||
        std::strcmp(why.data().rule, "no-writing") != 0 || why.status() != MIGUARD_DENIED) {
        return fail("the policy");
    }
    const std::uint64_t number = one.number();
    miguard::binding two(std::move(one)), three = two.keep();
    if (one || !two || three.number() != number || found.find(number) != MIGUARD_OK) {
        return fail("moved and kept");
    }
    two.reset();
    three = std::move(found);
    if (found || three.verify(ACTION_READ) != MIGUARD_OK) {
        return fail("the last reference");
    }
    three.revoke();
    if (three.verify(ACTION_READ, nullptr, &why) != MIGUARD_DENIED) {
        return fail("revoked");
    }
    three.reset();
    if (found.find(number, &why) != MIGUARD_BAD_HANDLE || found) {
        return fail("a stale number");
    }
    return 0;
}
PROGRAM
run=$(mktemp -d /run/miguard-examples-build.XXXXXX 2>/dev/null || echo "$tmp")
trap 'rm -rf "$tmp" "$run"' EXIT
cat >"$run/policy.yaml" <<'POLICY'
version: 1
rules:
  - name: no-writing
    match: {provider: files, action: write}
    decision: deny
POLICY
chmod 644 "$run/policy.yaml"

cxx_compiles() { # compiler flags...
    # shellcheck disable=SC2086 # words of options
    "$@" $strict -I"$tmp/include" -c -o "$tmp/program.o" "$tmp/program.cc"
}

cxx_runs() { # compiler flags...
    cxx_compiles "$@" && links_shared "$1" "$tmp/program.o" && mv "$tmp/fileserver" "$tmp/program" &&
        "$tmp/program" "$run/policy.yaml" "$run/audit"
}

cxx_server() { # compiler flags...
    # shellcheck disable=SC2086 # words of options
    compiles_without_mi "$CC" $server/identity_by_hand.c &&
        "$@" $strict -I"$tmp/include" -c -o "$tmp/cxx.o" $server/identity_miguard.cpp &&
        links_shared "$1" "$tmp/server.o" "$tmp/cxx.o"
}

acts_in_cxx() {
    FILESERVER=$tmp/fileserver CK_RUN_CASE=acts "$OUT/tests/live/examples_test"
}

nodiscard() { # compiler
    cat >"$tmp/wrong.cc" <<'PROGRAM'
#include <miguard/guard.hpp>
void f(miguard::binding &b) { b.verify(0); }
PROGRAM
    ! "$1" -std=c++11 -Wall -Werror -Iinclude -c -o "$tmp/wrong.o" "$tmp/wrong.cc" 2>"$tmp/out" &&
        grep -q 'unused-result' "$tmp/out"
}

for compiler in g++ clang++; do
    if ! have $compiler; then
        skip "guard.hpp with $compiler: it is not installed"
        continue
    fi
    for flags in "-std=c++11" "-std=c++11 -fno-exceptions -fno-rtti" "-std=c++17"; do
        test=cxx_compiles
        [ $links = no ] || test=cxx_runs
        # shellcheck disable=SC2086
        check "guard.hpp, $compiler $flags" $test $compiler $flags
    done
    check "guard.hpp, $compiler: a verification that is not looked at does not compile" \
        nodiscard $compiler
    [ $links = yes ] || continue
    for flags in -std=c++17 -std=c++11; do
        check "the file server in C++ compiles: $compiler $flags" cxx_server $compiler $flags
    done
    if [ -x "$OUT/tests/live/examples_test" ] && [ "$(id -u)" = 0 ]; then
        check "its 10,000 acts are right: $compiler -std=c++11" acts_in_cxx
    else
        skip "the acts of the file server in C++: they need root and the built test"
    fi
done

printf '%d passed, %d failed, %d skipped\n' $passed $failed $skipped
[ $failed -eq 0 ]
