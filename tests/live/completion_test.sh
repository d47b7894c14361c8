#!/bin/sh
# SPDX-License-Identifier: MIT
# The scripts of `miguard completion`, in the shells that they are for. One line a check; `make check`
# runs it with OUT.
set -u

: "${OUT:=build}"
cd "$(dirname "$0")/../.." || exit 3
LC_ALL=C
export LC_ALL

tmp=$(mktemp -d "${TMPDIR:-/tmp}/miguard-completion.XXXXXX") || exit 3
trap 'rm -rf "$tmp"' EXIT
trap 'exit 3' HUP INT TERM
. tests/support/check.sh
skipped=0

command=$PWD/$OUT/miguard
mkdir "$tmp/here"
touch "$tmp/here/a log.jsonl" "$tmp/here/b.jsonl"

# What the shell offers for the last of the words, one a line, sorted.
bash_offers() { # words...
    (cd "$tmp/here" && bash --norc -c '
        . "$1" || exit 3
        shift
        COMP_WORDS=(miguard "$@") COMP_CWORD=$#
        _miguard
        printf "%s\n" "${COMPREPLY[@]}"' bash "$tmp/bash" "$@") | sort
}

# The functions of the completion system print what they are given. Read by "." or, as a file of
# $fpath, at the first call.
zsh_offers() { # words...
    zsh_loads '. "$file"' "$@"
}

zsh_autoload_offers() { # words...
    zsh_loads 'fpath=(${file:h}/functions); autoload -U _miguard' "$@"
}

zsh_loads() { # how words...
    (cd "$tmp/here" && zsh -f -c '
        compdef() { : }
        _describe() { for item in ${(P)2}; do
            [[ ${item%%:*} == "${words[CURRENT]#*=}"* ]] && print -r -- "${item%%:*}"; done }
        _files() { for item in *(N); do
            [[ $item == "${words[CURRENT]#*=}"* ]] && print -r -- "$item"; done }
        compset() { : }
        file=$1
        eval "$2" || exit 3
        shift 2
        words=(miguard "$@") CURRENT=$(($# + 1))
        _miguard' zsh "$tmp/zsh" "$@") | sort -u
}

fish_offers() { # words...
    line=miguard
    for word in "$@"; do
        line="$line $word"
    done
    (cd "$tmp/here" && HOME=$tmp XDG_CONFIG_HOME=$tmp fish --no-config -c '
        source $argv[1]
        complete -C $argv[2]' "$tmp/fish" "$line") | cut -f 1 | sort
}

offers() { # shell expected words...
    shell=$1 expected=$2
    shift 2
    "${shell}_offers" "$@" >"$tmp/out" 2>&1
    # Word splitting is wanted: one a line.
    # shellcheck disable=SC2086
    printf '%s\n' $expected | sort | diff - "$tmp/out"
}

offers_commands() { # shell: those that --help has, and help
    { "$command" audit --help | sed -n 's/^  \([a-z][a-z]*\)  .*/\1/p' && echo help; } |
        sort >"$tmp/expected"
    [ "$(wc -l <"$tmp/expected")" -ge 9 ] || return 1
    "${1}_offers" audit '' 2>&1 | grep -v '^-' | diff "$tmp/expected" -
}

offers_each() { # shell: each command and option that --help has
    "$command" --help | sed -n 's/^  \([a-z][a-z ]*[a-z]\)  .*/\1/p' >"$tmp/commands"
    [ "$(wc -l <"$tmp/commands")" -ge 20 ] || return 1
    while read -r words; do
        # shellcheck disable=SC2086
        "$command" $words --help | grep -oE '^  (-[a-z], )?--[a-z][a-z-]*' | sed 's/.* //' |
            sort >"$tmp/expected"
        # shellcheck disable=SC2086
        "${1}_offers" $words -- >"$tmp/out" 2>&1
        diff "$tmp/expected" "$tmp/out" || return 1
    done <"$tmp/commands"
}

offers_files() { # shell words...
    shell=$1
    shift
    "${shell}_offers" "$@" >"$tmp/out" 2>&1
    grep -qx 'b.jsonl' "$tmp/out" && grep -q '^a.* log.jsonl' "$tmp/out"
}

offers_no_files() {
    ! offers_files "$@"
}

check_shell() { # shell
    "$command" completion "$1" >"$tmp/$1"
    check "$1: commands" offers "$1" "audit" au
    check "$1: commands below one" offers_commands "$1"
    check "$1: help" offers "$1" "help" policy he
    check "$1: commands to be described" offers "$1" "search" help audit sea
    check "$1: options" offers "$1" "--strict" policy check --s
    check "$1: words of an option" offers "$1" "text json csv" audit search --format ''
    check "$1: the beginning of one" offers "$1" "json" audit search --count --format j
    check "$1: words of a condition" offers "$1" "deny" audit report --decision de
    check "$1: words of an operand" offers "$1" "bash" completion b
    check "$1: files for an operand" offers_files "$1" audit search ''
    check "$1: files for an option" offers_files "$1" audit verify --key ''
    check "$1: no files for a number" offers_no_files "$1" audit search --first ''
    check "$1: no files for a number with a short name" offers_no_files "$1" audit follow -n ''
    check "$1: no files where there is no operand" offers_no_files "$1" policy show ''
    check "$1: every option of every command" offers_each "$1"
}

check_zsh_function() {
    mkdir "$tmp/functions"
    cp "$tmp/zsh" "$tmp/functions/_miguard"
    check "zsh: at the first call of the function" offers zsh_autoload "audit" au
}

for shell in bash zsh fish; do
    if command -v $shell >/dev/null; then
        check_shell $shell
    else
        echo "skip: completion in $shell: it is not installed"
        skipped=$((skipped + 1))
    fi
done
if command -v zsh >/dev/null; then
    check_zsh_function
fi
if command -v bash >/dev/null; then
    check "bash: --option=value" offers bash "text" audit search --format = t
    check "bash: --option=" offers bash "text json csv" audit search --format =
fi
refused() {
    "$command" completion "$@" 2>"$tmp/err"
    [ $? -eq 2 ] && grep -q 'bash, zsh or fish' "$tmp/err"
}
check "another shell is refused with those that there are" refused csh
check "no shell is, too" refused

printf '%d passed, %d failed, %d skipped\n' $passed $failed $skipped
[ $failed -eq 0 ]
