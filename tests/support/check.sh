# SPDX-License-Identifier: MIT
# One line a check, and the count. For scripts that read this file by "." and have set tmp, a folder
# of their own.
passed=0 failed=0

check() { # "what" command...
    what=$1
    shift
    if "$@" >"$tmp/said" 2>&1; then
        echo "ok $what"
        passed=$((passed + 1))
    else
        echo "FAIL $what"
        sed 's/^/    /' "$tmp/said" | head -n 20
        failed=$((failed + 1))
    fi
}
