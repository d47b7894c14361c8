#!/bin/sh
# SPDX-License-Identifier: MIT
# miguard-quickstart(7) is run, command by command, from an installed tree, and says what is printed;
# miguard-troubleshooting(7) has each reason of a record with its message, and each component; each
# public function and subcommand has a page of its name. One line a check; `make check` runs it with OUT
# and CC.
#
# With QUICKSTART=PAGE.gz only the first, with that page and what is installed on this machine: the tests
# of tests/package run it so in a new Debian.
set -u

: "${OUT:=build}" "${CC:=gcc}" "${QUICKSTART:=}"
cd "$(dirname "$0")/../.." || exit 3
LC_ALL=C
export LC_ALL OUT
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES GNUMAKEFLAGS DESTDIR PREFIX LIBDIR
unset MIGUARD_POLICY XDG_STATE_HOME

tmp=${MIGUARD_PAGES:-}
if [ -z "$tmp" ]; then
    tmp=$(mktemp -d "${TMPDIR:-/tmp}/miguard-pages-test.XXXXXX") || exit 3
    trap 'rm -rf "$tmp"' EXIT
    trap 'exit 3' HUP INT TERM
fi
. tests/support/check.sh
skipped=0

skip() { # "what: why"
    echo "skip: $*"
    skipped=$((skipped + 1))
}

plain() {
    sed -e 's/\\-/-/g' -e 's/\\&//g' -e 's/\\(dq/"/g' -e "s/\\\\(aq/'/g" -e 's/\\e/\\/g'
}

# ---- miguard-quickstart(7) -----------------------------------------------------------------------

page=man/miguard-quickstart.7
if [ -n "$QUICKSTART" ]; then
    page=$tmp/quickstart.7
    gzip -dc "$QUICKSTART" >"$page" || exit 3
fi

# The files of the page, each where it says, a relative one below $tmp/user.
write_files() {
    mkdir -p "$tmp/user" /etc/miguard
    plain <"$page" | awk -v user="$tmp/user/" '
        /^\.\\" file: end/ { on = 0; close(file) }
        on { print > file }
        /^\.\\" file: / && !/file: end/ { file = $3 ~ /^\// ? $3 : user $3; on = 1 }'
}

# The literal blocks without files: a line with "# " begins a command, which goes on while a line ends in
# \ or |; the lines below it are in its output, in this order.
commands() {
    plain <"$page" | awk '
        /^\.Ed/ { block = 0 }
        block && /^\.\\" file:/ { block = 0 }
        block { print more ? "+" $0 : /^# / ? ">" substr($0, 3) : "=" $0
                more = /[\\|]$/ && (more || /^# /) }
        /^\.Bd -literal/ { block = 1; more = 0 }'
}

# All commands in one shell, since one sets a variable for the next.
script() {
    echo "cd '$tmp/user' || exit 3"
    commands | awk -v tmp="$tmp" '
        function finish() { if (command != "") { printf "{ %s\n} >%s/out.%d 2>&1\n", command, tmp, ++n } }
        /^>/ { finish(); command = substr($0, 2); next }
        /^\+/ { command = command "\n" substr($0, 2) }
        END { finish(); print "true" }'
}

in_order() { # expected output: each line is a part of what is printed, line breaks are not compared
    awk 'NR == FNR { text = text " " $0; next }
         { gsub(/^ +| +$/, ""); at = index(text, $0)
           if (at == 0) { print "not printed: " $0; bad = 1 } else { text = substr(text, at + length($0)) } }
         END { exit bad }' "$2" "$1"
}

quickstart() {
    write_files || return 1
    script >"$tmp/script"
    sh "$tmp/script" || return 1
    commands | awk -v tmp="$tmp" '/^>/ { n++; next } /^=/ { print substr($0, 2) > (tmp "/wanted." n) }'
    bad=0 number=0
    while [ -e "$tmp/out.$((number + 1))" ]; do
        number=$((number + 1))
        [ -e "$tmp/wanted.$number" ] || : >"$tmp/wanted.$number"
        in_order "$tmp/wanted.$number" "$tmp/out.$number" || {
            echo "command $number printed:"
            cat "$tmp/out.$number"
            bad=1
        }
        ! grep -q "not found" "$tmp/out.$number" || bad=1
    done
    [ "$number" -ge 11 ] && return $bad
}

finish() {
    printf '%d passed, %d failed, %d skipped\n' $passed $failed $skipped
    [ $failed -eq 0 ]
    exit
}

if [ -n "$QUICKSTART" ]; then
    check "miguard-quickstart(7), command by command" quickstart
    finish
fi

# In a mount namespace of its own: /var/log is empty, /etc is covered, nothing of the machine is touched.
own_machine() {
    mount -t tmpfs -o mode=755 tmpfs /mnt && mkdir /mnt/upper /mnt/work &&
        mount -t overlay -o lowerdir=/etc,upperdir=/mnt/upper,workdir=/mnt/work overlay /etc &&
        mount -t tmpfs -o mode=755 tmpfs /var/log && rm -rf /etc/miguard
}

installed_quickstart() {
    make CC="$CC" install PREFIX="$tmp/usr" >"$tmp/install" 2>&1 || {
        tail -n 5 "$tmp/install"
        return 1
    }
    rm -f "$OUT"/*.pc # they name the PREFIX of the test
    mkdir -p "$tmp/bin"
    command -v cc >/dev/null || ln -s "$(command -v "$CC")" "$tmp/bin/cc"
    PATH=$tmp/usr/bin:$tmp/bin:$PATH LD_LIBRARY_PATH=$tmp/usr/lib PKG_CONFIG_PATH=$tmp/usr/lib/pkgconfig
    export PATH LD_LIBRARY_PATH PKG_CONFIG_PATH
    quickstart
}

if [ -n "${MIGUARD_PAGES:-}" ]; then # within that namespace
    own_machine || exit 77
    installed_quickstart
    exit
fi
# The status of a command is that of what it shows, such as a refusal: only what is printed is compared.
quickstart_apart() {
    chmod 755 "$tmp"
    MIGUARD_PAGES=$tmp unshare -m --propagation private sh "$0"
}
if [ "$OUT" != build ]; then
    skip "miguard-quickstart(7): run with the plain build only"
elif [ "$(id -u)" -ne 0 ] || ! unshare -m --propagation private sh -c 'mount -t tmpfs tmpfs /mnt &&
        mkdir /mnt/u /mnt/w && mount -t overlay -o lowerdir=/etc,upperdir=/mnt/u,workdir=/mnt/w overlay /etc' \
        2>/dev/null; then
    skip "miguard-quickstart(7): needs root, a mount namespace and overlayfs"
else
    check "miguard-quickstart(7), command by command" quickstart_apart
fi

# ---- miguard-troubleshooting(7) ------------------------------------------------------------------

plain <man/miguard-troubleshooting.7 >"$tmp/page"
awk '/#define AUDIT_REASON_MAP/ { on = 1 } on { print } on && !/\\$/ { exit }' src/model/event.h |
    tr -d '\\\n' | sed 's/X(/\n/g' | sed -n 's/^[A-Z_]*, *"\([a-z-]*\)", *"\(.*\)").*/\1 \2/p' |
    sed 's/" *"//g' >"$tmp/reasons"

reasons_have_entries() {
    [ "$(wc -l <"$tmp/reasons")" -ge 25 ] || return 1
    bad=0
    while read -r reason message; do
        awk -v reason="$reason" '
            /^\.It / { on = $0 == ".It Li " reason; next }
            on { print }' "$tmp/page" | tr '\n' ' ' >"$tmp/entry"
        grep -qF "$message." "$tmp/entry" || {
            echo "$reason: no entry with: $message"
            bad=1
        }
        case $reason in
        none | identity-match | client-given) ;; # no refusals
        *) grep -q 'Em Message : .*Em Cause : .*Em Cure : ' "$tmp/entry" || {
            echo "$reason: no cause or no cure"
            bad=1
        } ;;
        esac
    done <"$tmp/reasons"
    return $bad
}

components_have_entries() {
    sed -n 's/^ *X([0-9]*, [A-Z_]*, "\(.*\)").*/\1/p' include/miguard/identity.h >"$tmp/components"
    [ -s "$tmp/components" ] || return 1
    bad=0
    while read -r component; do
        grep -qE "^\.It Li (.* , )?$component( |\$)" "$tmp/page" || {
            echo "missing: $component"
            bad=1
        }
    done <"$tmp/components"
    return $bad
}

check "miguard-troubleshooting(7): each reason has message, cause and cure" reasons_have_entries
check "each component that may differ is there" components_have_entries

# ---- names of pages ------------------------------------------------------------------------------

sh src/package/aliases.sh >"$tmp/aliases" || exit 3

functions_have_names() {
    sort -u tests/data/exports-*.txt | sed 's/$/.3/' >"$tmp/wanted"
    cut -d ' ' -f 1 "$tmp/aliases" | grep '\.3$' | sort | diff "$tmp/wanted" -
}

# All that --help lists, but for those with a page of that name.
subcommands_have_names() {
    "$OUT/miguard" --help | sed -n 's/^  \([a-z][a-z ]*[a-z]\)  .*/\1/p' | tr ' ' - >"$tmp/commands"
    [ "$(wc -l <"$tmp/commands")" -ge 20 ] || return 1
    bad=0
    while read -r name; do
        grep -q "^miguard-$name.1 " "$tmp/aliases" || [ -e "man/miguard-$name.1" ] || {
            echo "missing: miguard-$name"
            bad=1
        }
    done <"$tmp/commands"
    return $bad
}

nothing_is_hidden() { # each name is new, and leads to a page
    bad=0
    while read -r alias page; do
        if [ ! -e "man/$page" ] || [ -e "man/$alias" ]; then
            echo "$alias $page"
            bad=1
        fi
    done <"$tmp/aliases"
    [ "$(cut -d ' ' -f 1 "$tmp/aliases" | sort | uniq -d | wc -l)" -eq 0 ] && return $bad
}

check "each public function has a page of its name" functions_have_names
check "each subcommand has one" subcommands_have_names
check "each name leads to a page and hides none" nothing_is_hidden

# ---- the picture ---------------------------------------------------------------------------------

picture=src/package/architecture.svg
picture_stands_alone() {
    grep -q 'prefers-color-scheme: dark' $picture && grep -q '<desc' $picture &&
        grep -q "$picture" README.md && ! grep -nE '<script|<image|@import|href="http|url\(http' $picture
}
check "the picture needs nothing else, and has a dark form" picture_stands_alone

finish
