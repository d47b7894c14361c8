#!/bin/sh
# SPDX-License-Identifier: MIT
# The bindings of tests/examples for Rust, Go and Python: what must compile, what must not, and what
# they promise at run time. Built and run with the distribution's tools, and from a copy of the files
# as they are installed. QUICK=1 makes fewer acts. `make check` runs it with OUT and CC.
set -u

: "${OUT:=build}" "${CC:=gcc}"
: "${RUSTC:=/usr/bin/rustc}" "${GO:=/usr/bin/go}" "${PYTHON:=/usr/bin/python3}"
cd "$(dirname "$0")/../.." || exit 3
LC_ALL=C
export LC_ALL

tmp=$(mktemp -d "${TMPDIR:-/tmp}/miguard-bindings-test.XXXXXX") || exit 3
safe= # for a policy: only root can write its path
trap 'rm -rf "$tmp" "$safe"' EXIT
trap 'exit 3' HUP INT TERM
. tests/support/check.sh
skipped=0

skip() { # what: why
    echo "skip: bindings_test: $*"
    skipped=$((skipped + 1))
}

limit=120 # seconds for a program
acts=10000 gated_acts=2000
[ -z "${QUICK:-}" ] || acts=2000 gated_acts=500
include=$PWD/include
library=$(cd "$OUT" && pwd) || exit 3
runs=yes
case $OUT in
build | build/clang) ;;
*)
    runs=no
    skip "all that runs: what a sanitizer or coverage built needs its run-time library"
    ;;
esac
if [ $runs = yes ] && [ "$(id -u)" -ne 0 ]; then
    runs=no
    skip "all that runs: acting as another user needs root"
fi
if [ $runs = yes ]; then
    safe=$(mktemp -d /run/miguard-bindings-test.XXXXXX) || exit 3
    printf 'version: 1\ndefaults: {audit: [deny, open]}\ngate: {scope: process}\n' >"$safe/gated.yaml"
fi
cp -R tests/examples "$tmp/examples" || exit 3
LD_LIBRARY_PATH=$library
export LD_LIBRARY_PATH
ulimit -c 0

# A run that must end the process, and say why.
ended() { # reason command...
    reason=$1
    shift
    "$@" >"$tmp/out" 2>&1
    status=$?
    head -n 5 "$tmp/out"
    [ $status -gt 1 ] && [ $status -ne 124 ] && grep -q "$reason" "$tmp/out"
}

# Each run has a log of its own, which may be large.
logged() { # command...
    mkdir "$tmp/log" || return 1
    "$@" "$tmp/log" "$acts"
    status=$?
    rm -rf "$tmp/log"
    return $status
}

# Behind the gate of the process, which its policy closes.
gated() { # command...
    mkdir "$tmp/log" || return 1
    "$@" "$tmp/log" "$gated_acts" "$safe/gated.yaml" && grep -q '"action":"gate"' "$tmp/log/audit.jsonl"
    status=$?
    rm -rf "$tmp/log"
    return $status
}

# What a binding says of its structs is what the C compiler says of them.
same_layout() { # command...
    "$@" >"$tmp/layout" && [ -s "$tmp/layout" ] || return 1
    awk 'BEGIN {
             print "#include <miguard/guard.h>\n#include <miguard/switch.h>\n#include <stddef.h>"
             print "#include <stdio.h>\nint main(void)\n{"
         }
         $2 == "sizeof" { value = "sizeof(struct " $1 ")" }
         $2 != "sizeof" { value = "offsetof(struct " $1 ", " $2 ")" }
         { printf "    printf(\"%s %s %%zu\\n\", %s);\n", $1, $2, value }
         END { print "    return 0;\n}" }' "$tmp/layout" >"$tmp/layout.c"
    "$CC" -I "$include" -o "$tmp/layout-of-c" "$tmp/layout.c" && "$tmp/layout-of-c" >"$tmp/c" &&
        diff -u "$tmp/c" "$tmp/layout"
}

# ---- Rust --------------------------------------------------------------------------------------

rust=$tmp/examples/rust
rustc() {
    "$RUSTC" --edition 2021 -D warnings -L "$tmp" -L "$library" "$@"
}

rust_library() {
    rustc -O --crate-type rlib --crate-name miguard -o "$tmp/libmiguard.rlib" "$rust/miguard.rs"
}

rust_compiles() { # file
    rustc --crate-type lib --emit metadata --extern miguard="$tmp/libmiguard.rlib" \
        -o "$tmp/user.rmeta" "$rust/$1"
}

rust_refuses() { # file reason...
    file=$1
    shift
    if rust_compiles "$file" >"$tmp/out" 2>&1; then
        echo "it compiled"
        return 1
    fi
    cat "$tmp/out"
    [ "$(grep -c '^error' "$tmp/out")" -eq 2 ] || return 1 # one, and "aborting due to"
    for reason; do
        grep -q -- "$reason" "$tmp/out" || return 1
    done
}

rust_program() {
    rustc -O --extern miguard="$tmp/libmiguard.rlib" -o "$tmp/rust-check" "$rust/check.rs"
}

rust_check() {
    timeout "$limit" "$tmp/rust-check" "$@"
}

test_rust() {
    check "Rust: the binding compiles" rust_library
    check "Rust: a guard that stays on its thread and between awaits compiles" \
        rust_compiles right.rs
    check "Rust: a guard that another thread drops does not compile" \
        rust_refuses wrong_thread.rs 'error\[E0277\]: `\*const ()` cannot be sent between threads' \
        'required because it appears within the type `Switched`'
    check "Rust: a guard that is held over an await does not compile" \
        rust_refuses wrong_await.rs 'error: future cannot be sent between threads safely' \
        'has type `Switched` which is not `Send`' 'await occurs here, with `_guard`'
    [ $runs = yes ] || return
    check "Rust: the checks compile" rust_program
    check "Rust: sizes and offsets are those of C" same_layout rust_check layout
    check "Rust: guards come back in steps" rust_check nested
    check "Rust: a panic switches back" rust_check panic
    check "Rust: a guard that is dropped out of order ends the process" \
        ended "not undone in the reverse order" rust_check out-of-order
    check "Rust: what a request leaves on a thread of a pool is changed back" \
        rust_check pool
    check "Rust: a drop reaches every thread" rust_check drop
    check "Rust: bindings are found, kept, revoked" logged rust_check handles
    check "Rust: $acts acts of 50 identities on 16 threads, 0 wrong" \
        logged rust_check acts
    check "Rust: $gated_acts of them behind the gate" gated rust_check acts
}

# ---- Go ----------------------------------------------------------------------------------------

# Nothing is fetched and nothing outside of the folder is written.
go() { (
    cd "$tmp/examples/go" || exit 1
    unset GOROOT GOTOOLDIR
    env GO111MODULE=on GOFLAGS=-mod=mod GOPROXY=off GOWORK=off GOENV=off GOCACHE="$tmp/go-cache" \
        GOPATH="$tmp/go-path" CGO_ENABLED=1 CC="$CC" CGO_CFLAGS="-O2 -I$include" \
        CGO_LDFLAGS="-L$library" "$GO" "$@"
); }

go_check() {
    timeout "$limit" "$tmp/go-check" "$@"
}

# The goroutine moves when the runtime wants; it need not.
go_unlocked() {
    ended "left its thread while that was switched" go_check unlocked ||
        grep -q "did not move" "$tmp/out"
}

test_go() {
    check "Go: vet finds nothing" go vet ./...
    if [ $runs = no ]; then
        check "Go: the binding compiles" go build .
        return
    fi
    check "Go: the checks compile" go build -o "$tmp/go-check" ./check
    check "Go: an error, a panic and nested acts switch back" go_check ways-out
    check "Go: a goroutine that ends inside switches back" go_check goexit
    check "Go: goroutines started inside run as the process, programs as the target" \
        go_check inside
    check "Go: what C code leaves on a thread is changed back" go_check c-code
    check "Go: a thread that cannot be restored is given up and ends" go_check given-up
    check "Go: a goroutine that leaves the switched thread ends the process" go_unlocked
    ! grep -q "did not move" "$tmp/out" || skip "Go, unlocked: the goroutine did not move"
    check "Go: a drop reaches all threads of the runtime and those made later; or none" \
        logged go_check drop
    check "Go: bindings are found, kept, revoked" logged go_check handles
    check "Go: $acts acts of 50 identities from 200 goroutines, 0 wrong" \
        logged go_check acts
    check "Go: $gated_acts of them behind the gate" gated go_check acts
}

# ---- Python ------------------------------------------------------------------------------------

python() {
    timeout "$limit" "$PYTHON" -B -W error "$tmp/examples/python/check.py" "$@"
}

test_python() {
    if [ $runs = no ]; then
        check "Python: the binding compiles" "$PYTHON" -W error -m py_compile \
            "$tmp/examples/python/miguard.py" "$tmp/examples/python/check.py"
        return
    fi
    check "Python: sizes and offsets are those of C" same_layout python layout
    check "Python: return, exceptions and nested blocks switch back" python ways-out
    check "Python: exceptions of signal handlers at any moment of an act" python interrupts
    check "Python: what a request leaves on a thread of a pool is changed back" python pool
    check "Python: blocks that could be suspended are refused" python suspended
    check "Python: blocks that overlap end the process" ended "began later" python out-of-order
    check "Python: a block that ends on another thread ends the process" \
        ended "another thread" python other-thread
    check "Python: a switch that others undid ends the process" \
        ended "undid the switch of a block" python undone
    check "Python: so it does in an act" ended "undid the switch of an act" python undone-in-act
    check "Python: the tasks of an event loop act on other threads" logged python event-loop
    check "Python: a drop reaches every thread" python drop
    check "Python: bindings are found, kept, revoked" logged python handles
    check "Python: $acts acts of 50 identities on 16 threads, 0 wrong" logged python acts
    check "Python: $gated_acts of them behind the gate" gated python acts
}

for language in "Rust $RUSTC" "Go $GO" "Python $PYTHON"; do
    tool=${language#* }
    name=${language%% *}
    if [ ! -x "$tool" ]; then
        skip "$name: there is no $tool"
        continue
    fi
    case $name in
    Rust) test_rust ;;
    Go) test_go ;;
    Python) test_python ;;
    esac
done

echo "$passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ]
