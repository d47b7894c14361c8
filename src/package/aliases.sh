#!/bin/sh
# SPDX-License-Identifier: MIT
# Names under which man(1) finds a page besides its own, one a line: NAME.SECTION PAGE. A public function
# is one, from the lists of exports, and so is a subcommand, from the list of commands:
# miguard_switch_to.3 miguard-switch.3, miguard-policy-check.1 miguard.1.
set -eu

cd "$(dirname "$0")/../.."
LC_ALL=C
export LC_ALL

# The page that describes it; else that which only shows its prototype.
sort -u tests/data/exports-*.txt | while read -r function; do
    page=$(grep -lE "^\.It (.* )?(Fn|Va) $function( |\$)" man/*.3 | head -n 1)
    [ -n "$page" ] || page=$(grep -lE "^\.(Fn|Fo|Vt)( | .*[ *])$function( |\$)" man/*.3 | head -n 1)
    [ -n "$page" ] || {
        echo "aliases: no page describes $function" >&2
        exit 1
    }
    echo "$function.3 ${page#man/}"
done

# A page of its own, in whichever section, is not hidden by an alias: miguard-policy(5).
sed -n 's/.* X(\([a-z]*\), \([a-z]*\), ".*/\1 \2/p
    s/.* X(\([a-z]*\), [a-z_]*, "\([a-z-]*\)", ".*/\1 \2/p' src/tools/cli/commands.h | while read -r folder name; do
    words=$name
    [ "$folder" = miguard ] || words="$folder $name"
    alias=miguard-$(echo "$words" | tr ' ' -)
    case $(echo man/"$alias".[1-8]) in
    *'*'* | *'['*) ;;
    *) continue ;;
    esac
    page=miguard.1
    [ ! -e "man/miguard-$folder.1" ] || page=miguard-$folder.1
    [ "$words" != unwrap ] || page=miguard-wrap.1
    grep -qE "^\.Ss ($words|$name)\$|^\.Ss $words " "man/$page" || grep -q "$name" "man/$page" || {
        echo "aliases: $page does not describe miguard $words" >&2
        exit 1
    }
    echo "$alias.1 $page"
done
