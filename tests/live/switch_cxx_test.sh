#!/bin/sh
# SPDX-License-Identifier: MIT
# <miguard/switch.hpp> as C++11 and C++17, with and without exceptions; and what must not compile.
set -u

: "${OUT:=build}"
cd "$(dirname "$0")/../.." || exit 3
LC_ALL=C
export LC_ALL

tmp=$(mktemp -d "${TMPDIR:-/tmp}/miguard-cxx-test.XXXXXX") || exit 3
trap 'rm -rf "$tmp"' EXIT
trap 'exit 3' HUP INT TERM
. tests/support/check.sh

if ! command -v g++ >/dev/null 2>&1; then
    echo "skip: switch.hpp: g++ is not installed"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
fi
case $OUT in
build | build/clang) links=yes ;;
*) links=no ;; # what a sanitizer built needs its run-time library
esac

cat >"$tmp/program.cc" <<'PROGRAM'
#include <cstdio>
#include <cstring>
#include <miguard/switch.hpp>
#include <type_traits>
#include <unistd.h>

static_assert(!std::is_copy_constructible<miguard::switched>::value, "copied");
static_assert(!std::is_copy_assignable<miguard::switched>::value, "copy assigned");
static_assert(!std::is_move_constructible<miguard::switched>::value, "moved");
static_assert(!std::is_convertible<miguard::switched, bool>::value, "a bool by itself");
static_assert(!std::is_convertible<const miguard_target *, miguard::switched>::value, "implicit");
static_assert(!std::is_default_constructible<miguard::switched>::value, "of nobody");

static uid_t seen_inside = (uid_t)-1;

static bool early_return(const miguard_target *target)
{
    miguard::switched as_user(target);
    if (!as_user) {
        return false;
    }
    seen_inside = geteuid();
    return true;
}

#ifdef __EXCEPTIONS
static void leave_by_exception(const miguard_target *target)
{
    miguard::switched as_user(target);
    if (as_user) {
        seen_inside = geteuid();
    }
    throw 1;
}
#endif

#ifdef __EXCEPTIONS
static void throw_as_user(void *)
{
    seen_inside = geteuid();
    throw 2;
}
#endif

static int fail(const char *what)
{
    std::fprintf(stderr, "wrong: %s\n", what);
    return 1;
}

int main()
{
    const miguard_groups clear = {MIGUARD_GROUPS_CLEAR, nullptr, 0, nullptr};
    const uid_t before = geteuid();
    miguard_target *target = nullptr;
    if (miguard_target_ids(12345, 12345, &clear, &target, nullptr) != MIGUARD_OK) {
        return fail("target");
    }
    {
        miguard::switched nobody(nullptr);
        if (nobody || nobody.status() != MIGUARD_INVALID_ARGUMENT ||
            nobody.error().status != MIGUARD_INVALID_ARGUMENT || miguard_switch_depth() != 0) {
            return fail("a target that is none");
        }
    }
    bool done = early_return(target);
    if (before != 0) {
        return done ? fail("switched without privilege") : 0;
    }
    if (!done || seen_inside != 12345 || geteuid() != 0 || miguard_switch_depth() != 0) {
        return fail("early return");
    }
    {
        miguard::switched one(target);
        miguard::switched two(target);
        if (!one || !two || miguard_switch_depth() != 2 || two.error().step[0] != '\0') {
            return fail("nested");
        }
    }
#ifdef __EXCEPTIONS
    seen_inside = (uid_t)-1;
    try {
        leave_by_exception(target);
    } catch (int) {
        if (seen_inside != 12345 || geteuid() != 0 || miguard_switch_depth() != 0) {
            return fail("exception");
        }
        seen_inside = 0;
    }
    if (seen_inside != 0) {
        return fail("no exception came");
    }
    try {
        (void)!miguard_call_as(target, throw_as_user, nullptr, nullptr);
        return fail("no exception came out of the function");
    } catch (int) {
        if (seen_inside != 12345 || geteuid() != 0 || miguard_switch_depth() != 0) {
            return fail("exception out of the function");
        }
    }
#endif
    miguard_target_free(target);
    return geteuid() == 0 ? 0 : fail("in the end");
}
PROGRAM

compiles() { # flags...
    g++ "$@" -Wall -Wextra -Wconversion -Wshadow -Werror \
        -Iinclude -c -o "$tmp/program.o" "$tmp/program.cc"
}

runs() { # flags...
    compiles "$@" && g++ -o "$tmp/program" "$tmp/program.o" "$OUT/libmiguard.a" $LINK \
        -pthread && "$tmp/program"
}

LINK="-lcap-ng -lseccomp -lyaml -lsodium"
for flags in "-std=c++11" "-std=c++11 -fno-exceptions" "-std=c++14" "-std=c++17" \
    "-std=c++17 -fno-exceptions -fno-rtti" "-std=c++20"; do
    if [ $links = yes ]; then
        # shellcheck disable=SC2086
        check "switch.hpp, g++ $flags: compiles, runs and comes back" runs $flags
    else
        # shellcheck disable=SC2086
        check "switch.hpp, g++ $flags: compiles" compiles $flags
    fi
done

# Each must be refused by the compiler, for the reason that is named.
refused() { # compiler flags language body reason
    printf '%s\n' "$4" >"$tmp/wrong.$3"
    # shellcheck disable=SC2086
    if "$1" $2 -Wall -Werror -Iinclude -c -o "$tmp/wrong.o" "$tmp/wrong.$3" >"$tmp/out" 2>&1; then
        echo "it compiled"
        return 1
    fi
    cat "$tmp/out"
    grep -q "$5" "$tmp/out"
}

cxx='#include <miguard/switch.hpp>
void f(const miguard_target *t) {'
check "an object that lives for no time does not compile" refused g++ -std=c++17 cc \
    "$cxx miguard::switched{t}; }" nodiscard
check "an object made by new does not compile" refused g++ -std=c++11 cc \
    "$cxx delete new miguard::switched(t); }" 'deleted function'
check "a copy does not compile" refused g++ -std=c++11 cc \
    "$cxx miguard::switched a(t); miguard::switched b(a); }" 'deleted function'
c='#include <miguard/switch.h>
int f(const struct miguard_target *t, enum miguard_status *s) {'
check "a block without a status does not compile" refused gcc -std=c99 c \
    "$c MIGUARD_SWITCHED (t) { return 1; } return 0; }" 'MIGUARD_SWITCHED'
check "a block with a number for a status does not compile" refused gcc -std=c99 c \
    "$c MIGUARD_SWITCHED (t, 7, 0) { return 1; } return s == 0; }" 'makes pointer from integer'
check "a switch whose result is not looked at does not compile" refused gcc -std=c99 c \
    "$c miguard_switch_to(t, 0); return s == 0; }" 'unused-result'
check "a block in C++ does not compile, and says what to use" refused g++ -std=c++11 cc \
    "#include <miguard/switch.h>
void f(const miguard_target *t, miguard_status *s) { MIGUARD_SWITCHED (t, s, nullptr) { return; } }" \
    'in C++ use miguard::switched of <miguard/switch.hpp>'
check "a block compiles as C99" sh -c "printf '%s\n' \"\$1\" >'$tmp/right.c' &&
    gcc -std=c99 -Wall -Wextra -Wshadow -Wconversion -Werror -Iinclude -fsyntax-only '$tmp/right.c'" sh \
    "$c MIGUARD_SWITCHED (t, s, 0) { MIGUARD_SWITCHED (t, s, 0) return 1; } return 0; }"

echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
