#!/bin/sh
# SPDX-License-Identifier: MIT
# What is installed for other programs: CMake builds with it, the schema of policies knows what policies
# have, the bill of materials names the sources and the libraries, systemd reads the units. One line a
# check; `make check` runs it with OUT and CC. Packages have tests of their own: make check-deb.
set -u

: "${OUT:=build}" "${CC:=gcc}"
cd "$(dirname "$0")/../.." || exit 3
LC_ALL=C
export LC_ALL
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES GNUMAKEFLAGS DESTDIR PREFIX LIBDIR

case $OUT in
build) ;;
*)
    echo "skip: what is installed for other programs: checked with the plain build only"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
    ;;
esac

tmp=$(mktemp -d "${TMPDIR:-/tmp}/miguard-package-test.XXXXXX") || exit 3
trap 'rm -rf "$tmp"' EXIT
trap 'exit 3' HUP INT TERM
. tests/support/check.sh
skipped=0
version=$(sed -n 's/^VERSION *:= *//p' Makefile)
soversion=$(sed -n 's/^SOVERSION *:= *//p' Makefile)

skip() { # "what: why"
    echo "skip: $*"
    skipped=$((skipped + 1))
}

have() {
    command -v "$1" >/dev/null 2>&1
}

# Only what this test is about, and the libraries: build_test.sh looks at all of `make install`.
prefix=$tmp/usr
installs() {
    CC=$CC PREFIX=$prefix sh src/package/install.sh "$version" "$soversion" &&
        cp -R include "$prefix" && cp -P "$OUT"/libmiguard*.so* "$prefix/lib"
}
check "it is installed" installs

# ---- CMake -------------------------------------------------------------------------------------

project() { # version
    mkdir -p "$tmp/project" && cat >"$tmp/project/CMakeLists.txt" <<END
cmake_minimum_required(VERSION 3.13)
project(user C)
find_package(miguard $1 REQUIRED)
foreach(part miguard core host)
  add_executable(with_\${part} \${part}.c)
  target_link_libraries(with_\${part} PRIVATE miguard::\${part})
endforeach()
END
    for part in miguard:guard core:core host:host; do
        printf '#include <miguard/%s.h>\n#include <miguard/status.h>\nint main(void)\n{\n    return miguard_status_name(MIGUARD_OK) == 0;\n}\n' \
            "${part#*:}" >"$tmp/project/${part%:*}.c"
    done
}

cmake_builds() {
    project "${version%.*}"
    cmake -S "$tmp/project" -B "$tmp/built" -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_C_COMPILER="$CC" &&
        cmake --build "$tmp/built" &&
        "$tmp/built/with_miguard" && "$tmp/built/with_core" && "$tmp/built/with_host" &&
        readelf -d "$tmp/built/with_core" | grep -q "NEEDED.*\[libmiguard-core.so.$soversion\]"
}

cmake_refuses() { # version
    project "$1"
    rm -rf "$tmp/refused"
    ! cmake -S "$tmp/project" -B "$tmp/refused" -DCMAKE_PREFIX_PATH="$prefix" >"$tmp/out" 2>&1 &&
        grep -q "version: *$version" "$tmp/out"
}

if have cmake; then
    check "CMake builds with each library" cmake_builds
    check "a later version is not taken" cmake_refuses 0.2
    check "another major version is not, either" cmake_refuses 1.0
else
    skip "CMake: it is not installed"
fi

# ---- the schemas -------------------------------------------------------------------------------

schema=$prefix/share/miguard/policy.schema.json

# The rows of the tables of keys in the reader of policies, and those of its maps.
keys() {
    grep -ohE '\{"[a-z-]+", (true|false), +[a-z_]+\}' src/policy/schema*.c | sed 's/^{"\([a-z-]*\)".*/\1/'
    sed -n 's/^ *X([A-Z]*, "\([a-z-]*\)", .*/\1/p; s/^ *X([A-Za-z_]*, [a-z_]*, "\([a-z-]*\)", .*/\1/p; s/^ *X([a-z_]*, "\([a-z-]*\)", .*/\1/p' \
        src/model/sink_settings.h src/model/match_keys.h
}

knows_the_keys() {
    jq -r '.. | objects | .properties? // empty | keys[]' "$schema" | sort -u >"$tmp/known"
    keys | sort -u >"$tmp/keys"
    [ "$(wc -l <"$tmp/keys")" -ge 50 ] && diff "$tmp/keys" "$tmp/known"
}

# A python3 with jsonschema and yaml, as an editor's server checks: the policies that are valid pass,
# and those with a key or word too many do not.
python=
for candidate in python3 /usr/bin/python3; do
    "$candidate" -c 'import jsonschema, yaml' 2>/dev/null && python=$candidate && break
done

validates() { # yes|no file...
    wanted=$1
    shift
    cat >"$tmp/validate.py" <<'END'
import json, sys, jsonschema, yaml
schema = json.load(open(sys.argv[1]))
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema.Draft202012Validator(schema)
# A policy has no types and no dates: only what JSON has.
class Loader(yaml.SafeLoader):
    pass
Loader.yaml_implicit_resolvers = {
    first: [(tag, expression) for tag, expression in rules if "timestamp" not in tag and "bool" not in tag]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()}
Loader.add_implicit_resolver("tag:yaml.org,2002:bool", __import__("re").compile("^(true|false)$"), list("tf"))
bad = 0
for name in sys.argv[3:]:
    errors = list(validator.iter_errors(yaml.load(open(name, encoding="utf-8"), Loader)))
    if (not errors) != (sys.argv[2] == "yes"):
        bad = 1
        print(name, *(f"{list(e.absolute_path)}: {e.message[:200]}" for e in errors[:3]), sep="\n  ")
sys.exit(bad)
END
    PYTHONWARNINGS=ignore "$python" "$tmp/validate.py" "$schema" "$wanted" "$@"
}

if have jq; then
    check "the schema has the keys that a policy may have" knows_the_keys
else
    skip "the keys of the schema: jq is not installed"
fi
if [ -n "$python" ]; then
    check "the schema takes the shipped policies and those of the tests" validates yes policy/*.yaml \
        tests/data/policy-seeds/*.yaml
    bad=tests/data/policy-bad
    check "it finds keys and words that are not there" validates no $bad/watch-yes.yaml $bad/report-yes.yaml \
        $bad/keys-yes.yaml $bad/rule-unknown-keys.yaml $bad/match-unknown-keys.yaml $bad/gate-wrong.yaml
else
    skip "the schema with policies: there is no python3 with jsonschema and yaml"
fi
names_the_schema() {
    for policy in policy/*.yaml; do
        grep -q '^# yaml-language-server: \$schema=/usr/share/miguard/policy.schema.json$' "$policy" || return 1
    done
}
check "the shipped policies name their schema" names_the_schema

# ---- profiles of AppArmor and SELinux ------------------------------------------------------------

parser=$(PATH=$PATH:/usr/sbin:/sbin command -v apparmor_parser)
profile_is_read() { # profile: nothing is loaded, and this machine's own parts of profiles are used
    "$parser" -Q -K -I policy/apparmor "$1"
}
profile_fault_is_found() {
    sed 's/capability setuid,/capability setuids,/' policy/apparmor/miguard-host >"$tmp/profile"
    ! profile_is_read "$tmp/profile"
}
module_is_read() { # the name of the output must be the module's
    checkmodule -M -m -o "$tmp/miguard.mod" "$1" && [ -s "$tmp/miguard.mod" ]
}
module_fault_is_found() {
    sed 's/^type miguard_log_t.*//' policy/selinux/miguard.te >"$tmp/miguard.te"
    ! module_is_read "$tmp/miguard.te"
}
contexts_are_known() { # each type of the file contexts is one of the module
    sed -n 's/.*object_r:\([a-z_]*\),.*/\1/p' policy/selinux/miguard.fc >"$tmp/types"
    [ "$(wc -l <"$tmp/types")" -eq 2 ] && while read -r type; do
        grep -q "^type $type," policy/selinux/miguard.te || return 1
    done <"$tmp/types"
}
if [ -n "$parser" ] && [ -d /etc/apparmor.d/abi ]; then
    check "AppArmor reads the profile and what it includes" profile_is_read policy/apparmor/miguard-host
    check "and finds a fault in it" profile_fault_is_found
else
    skip "AppArmor: apparmor_parser is not installed"
fi
if have checkmodule; then
    check "SELinux' compiler reads the module" module_is_read policy/selinux/miguard.te
    check "and finds a fault in it" module_fault_is_found
else
    skip "SELinux: checkmodule is not installed"
fi
check "files get types that the module has" contexts_are_known

# ---- the bill of materials ---------------------------------------------------------------------

materials=$prefix/share/doc/miguard/miguard.spdx.json
materials_true() {
    jq -e '.spdxVersion == "SPDX-2.3" and .dataLicense == "CC0-1.0" and
        ([.packages[].SPDXID, .files[].SPDXID, .SPDXID] | length == (unique | length)) and
        ([.relationships[].relatedSpdxElement] - [.packages[].SPDXID, .files[].SPDXID] == []) and
        ([.packages[].name] | contains(["miguard", "libcap-ng", "libseccomp", "libyaml", "libsodium"]))' \
        "$materials" || return 1
    jq -r '.files[] | .checksums[0].checksumValue + "  " + .fileName' "$materials" >"$tmp/sums"
    [ "$(wc -l <"$tmp/sums")" -ge 300 ] && sha1sum --quiet -c "$tmp/sums"
}
# What the libraries and the command need at run time is in it.
materials_complete() {
    readelf -d "$OUT"/libmiguard.so "$OUT"/libmiguard-core.so "$OUT"/libmiguard-host.so "$OUT"/miguard |
        sed -n 's/.*NEEDED.*\[lib\([a-z-]*\)[0-9.-]*\.so.*/\1/p' | sort -u |
        grep -vxE 'c|m|pthread|dl|gcc_s|ld-linux|miguard|miguard-host|asan|ubsan' >"$tmp/needed"
    [ -s "$tmp/needed" ] || return 1
    jq -r '.packages[].name' "$materials" | sed 's/^lib//; s/^zlib$/z/' | sort >"$tmp/named"
    sed 's/^yaml-$/yaml/' "$tmp/needed" | sort -u | comm -23 - "$tmp/named" >"$tmp/out"
    cat "$tmp/out"
    [ ! -s "$tmp/out" ]
}
if have jq; then
    check "the bill of materials is true" materials_true
    check "it names what is linked" materials_complete
else
    skip "the bill of materials: jq is not installed"
fi

# ---- systemd -----------------------------------------------------------------------------------

units_verify() {
    sed -i 's|^ExecStart=.*/miguard |ExecStart=/bin/true |' "$prefix/lib/systemd/system/miguard-verify.service"
    SYSTEMD_LOG_LEVEL=warning systemd-analyze verify --man=no "$prefix/lib/systemd/system/miguard-verify.service" \
        "$prefix/lib/systemd/system/miguard-verify.timer" >"$tmp/out" 2>&1
    grep -i miguard "$tmp/out"
    ! grep -qi miguard "$tmp/out"
}
makes_the_folder() {
    mkdir -p "$tmp/root/etc" && printf 'root:x:0:0::/:/bin/sh\n' >"$tmp/root/etc/passwd" &&
        printf 'root:x:0:\n' >"$tmp/root/etc/group" &&
        systemd-sysusers --root="$tmp/root" "$prefix/lib/sysusers.d/miguard.conf" &&
        grep -q '^miguard:' "$tmp/root/etc/group" &&
        systemd-tmpfiles --root="$tmp/root" --create "$prefix/lib/tmpfiles.d/miguard.conf" &&
        [ "$(stat -c %a "$tmp/root/var/log/miguard")" = 2750 ]
}
if have systemd-analyze; then
    check "systemd reads the units" units_verify
else
    skip "the units: systemd is not installed"
fi
if have systemd-sysusers && have systemd-tmpfiles && [ "$(id -u)" -eq 0 ]; then
    check "systemd makes the group and the folder of the log" makes_the_folder
else
    skip "the group and the folder of the log: needs systemd and root"
fi

printf '%d passed, %d failed, %d skipped\n' $passed $failed $skipped
[ $failed -eq 0 ]
