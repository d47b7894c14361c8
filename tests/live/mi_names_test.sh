#!/bin/sh
# SPDX-License-Identifier: MIT
# MI.h as the world uses it: a line of code for each name that providers use, in each language they
# are written in; and a program and a provider that use what stands behind the names.
#
# tests/data/mi/names.tsv has NAME and a line of code, in which @ stands for a number of its own.
# The other tables give their names; the lines for those are made here.
set -u

: "${OUT:=build}" "${CC:=gcc}"
cd "$(dirname "$0")/../.." || exit 3
LC_ALL=C
export LC_ALL

tmp=$(mktemp -d "${TMPDIR:-/tmp}/miguard-names-test.XXXXXX") || exit 3
trap 'rm -rf "$tmp"' EXIT
trap 'exit 3' HUP INT TERM
. tests/support/check.sh
skipped=0
build=$(cd "$OUT" && pwd) || exit 3
data=tests/data/mi

skip() { # "what: why"
    echo "skip: $*"
    skipped=$((skipped + 1))
}

# ---- a line for each name ----------------------------------------------------------------------

# Line N of "uses" is the use of the name in line N of "names".
awk -F '\t' -v uses="$tmp/uses" -v names="$tmp/names" '
    function use(name, code) {
        gsub(/@/, "_" ++n, code)
        print name >names
        print code >uses
    }
    FILENAME ~ /names.tsv$/ {
        use($1, $2)
    }
    FILENAME ~ /abi-types.tsv$/ && $1 != "fieldtype" {
        use($2, "typedef " $2 " t@;")
        type[toupper($2)] = $2
    }
    FILENAME ~ /abi.tsv$/ && $1 == "const" {
        use($2, "MI_Uint64 f@(void); MI_Uint64 f@(void) { return (MI_Uint64)" $2 "; }")
    }
    FILENAME ~ /functions.tsv$/ {
        use($1, "void (*p@)(void) = (void (*)(void))" $1 ";")
        is_function[$1] = 1
    }
    FILENAME ~ /aliases.tsv$/ && $2 in is_function {
        use($1, "void (*p@)(void) = (void (*)(void))" $1 ";")
    }
    FILENAME ~ /strings.tsv$/ && $2 != "" {
        use($1, "const MI_Char *f@(void); const MI_Char *f@(void) { return " $1 "; }")
    }
    FILENAME ~ /strings.tsv$/ && $2 == "" {
        of = $1
        sub(/_NULL$/, "", of)
        use($1, type[of] " v@ = " $1 ";")
    }' "$data/names.tsv" "$data/abi-types.tsv" "$data/abi.tsv" "$data/functions.tsv" \
    "$data/aliases.tsv" "$data/strings.tsv"
count=$(wc -l <"$tmp/names")

# Tells the names whose lines do not compile.
each_compiles() { # compiler suffix flags...
    compiler=$1 suffix=$2
    shift 2
    {
        echo '#include <MI.h>'
        echo '#line 1 "use"'
        cat "$tmp/uses"
    } >"$tmp/uses.$suffix"
    "$compiler" "$@" -Wall -Wextra -pedantic -Werror -Iinclude -fsyntax-only \
        "$tmp/uses.$suffix" >"$tmp/errors" 2>&1 && return 0
    sed -n 's/^use:\([0-9]*\):.*error: .*/\1/p' "$tmp/errors" | sort -nu |
        while read -r line; do
            echo "$(sed -n "${line}p" "$tmp/names"): $(grep -m1 "^use:$line:.*error" "$tmp/errors")"
        done
    grep -v '^use:' "$tmp/errors"
    return 1
}

names_in() { # C-compiler C++-compiler
    if command -v "$1" >/dev/null 2>&1; then
        for std in c99 c17; do
            check "$count names of MI.h: $1 $std" each_compiles "$1" c -std=$std
        done
    else
        skip "names of MI.h in C with $1: it is not installed"
    fi
    if command -v "$2" >/dev/null 2>&1; then
        for std in c++11 c++17; do
            check "$count names of MI.h: $2 $std" each_compiles "$2" cc -std=$std
        done
    else
        skip "names of MI.h in C++ with $2: it is not installed"
    fi
}

check "the tables have names" test "$count" -gt 800
names_in gcc g++
names_in clang clang++

# ---- beside other headers ----------------------------------------------------------------------

compiles() { # compiler suffix flags... <code
    compiler=$1 suffix=$2
    shift 2
    cat >"$tmp/code.$suffix"
    "$compiler" "$@" -Wall -Wextra -pedantic -Werror -Iinclude -fsyntax-only "$tmp/code.$suffix"
}

# A header of annotations that knows only some, before MI.h: the rest is still there.
check "who defines _In_ finds the other annotations" compiles gcc c -std=c17 <<'CODE'
#define _In_
#define _Out_opt_
#include <MI.h>
void f(_In_ _Pre_writable_size_(2) MI_Char *p, _Out_opt_ _In_z_ MI_Char *q);
CODE

# Providers and their libraries define these after MI.h, without a look: the same text is no error.
check "who defines the same after MI.h is not told off" compiles gcc c -std=c17 <<'CODE'
#include <MI.h>
#define MI_UNUSED(X) ((void)X)
#define _In_
#define _In_count_(count)
#define _In_reads_opt_(expr)
#define _Inout_count_(size)
#define _Out_cap_post_count_(maxLen,used)
#define _Out_writes_to_opt_(length, lengthwritten)
#define _Pre_writable_size_(count)
#define _Post_satisfies_(expr)
#define _Requires_lock_held_(lock)
#define _Return_type_success_(expr)
#define _When_(expr1, expr2)
#define _Success_(count)
typedef int nothing;
CODE

# Bindings that build declarations at run time take the const out of them.
check "MI_CONST may be empty: C" compiles gcc c -std=c99 -DMI_CONST= <<'CODE'
#include <MI.h>
void f(MI_ClassDecl *c, MI_Char *name, MI_PropertyDecl **p, MI_ConstStringA *a);
void f(MI_ClassDecl *c, MI_Char *name, MI_PropertyDecl **p, MI_ConstStringA *a)
{
    c->name[0] = name[0];
    c->properties[0]->flags = 0;
    p[0]->origin[0] = 0;
    a->data[0][0] = 0;
}
CODE
if command -v g++ >/dev/null 2>&1; then
    check "MI_CONST may be empty: C++" compiles g++ cc -std=c++17 -DMI_CONST= <<'CODE'
#include <MI.h>
MI_PropertyDecl *f(MI_ObjectDecl *c) { return c->properties[0]; }
MI_Instance *g(MI_ConstReferenceField *r) { return r->value; }
CODE
fi

# ---- what stands behind the names --------------------------------------------------------------

case $OUT in
build | build/clang) links=yes ;;
*) links=no ;; # what a sanitizer built needs its run-time library
esac

# The same text as C and as C++.
cat >"$tmp/client.c" <<'CODE'
#include <MI.h>

static int wrong(const char *what)
{
    fprintf(stderr, "wrong: %s\n", what);
    return 1;
}

static int text_is(const MI_Instance *error, const MI_Char *name, const MI_Char *expected)
{
    MI_Value value;
    MI_Type type = MI_BOOLEAN;
    return MI_Instance_GetElement(error, name, &value, &type, NULL, NULL) == MI_RESULT_OK &&
           type == MI_STRING && strcmp(value.string, expected) == 0;
}

static int utilities(void)
{
    MI_Instance *error = NULL;
    if (MI_Utilities_CimErrorFromErrorCode(MI_RESULT_ACCESS_DENIED, MI_RESULT_TYPE_MI, MI_T("text"),
                                           &error) != MI_RESULT_OK ||
        !text_is(error, MI_T("Message"), MI_T("text"))) {
        return wrong("CimErrorFromErrorCode");
    }
    MI_Instance_Delete(error);
    if (MI_Utilities_MapErrorToMiErrorCategory(MI_RESULT_TYPE_MI, MI_RESULT_ACCESS_DENIED) !=
        MI_ERRORCATEGORY_ACCESS_DENIED) {
        return wrong("MapErrorToMiErrorCategory");
    }
    return 0;
}

/* Handles that nobody made are invalid, and nothing is left behind in what would have been filled. */
static int serializers(void)
{
    MI_Serializer s = {0, 0};
    MI_Deserializer d = {0, 0};
    MI_Uint8 buffer[4] = {0, 0, 0, 0};
    MI_Char name[4] = {0, 0, 0, 0};
    MI_Uint32 n = 7;
    MI_Class *c = NULL;
    MI_Instance *i = NULL;
    const MI_Result invalid = MI_RESULT_INVALID_PARAMETER;

    if (MI_Serializer_SerializeClass(&s, 0, NULL, buffer, 4, &n) != invalid || n != 0 ||
        MI_Serializer_SerializeInstance(&s, 0, NULL, buffer, 4, &n) != invalid || n != 0 ||
        MI_Serializer_Close(&s) != invalid || MI_Serializer_Close(NULL) != invalid) {
        return wrong("serializer");
    }
    if (MI_Deserializer_DeserializeClass(&d, 0, buffer, 4, NULL, NULL, NULL, NULL, NULL, &n, &c,
                                         NULL) != invalid ||
        MI_Deserializer_DeserializeInstance(&d, 0, buffer, 4, NULL, 0, NULL, NULL, &n, &i, NULL) !=
            invalid ||
        MI_Deserializer_Class_GetClassName(&d, buffer, 4, name, &n, NULL) != invalid ||
        MI_Deserializer_Class_GetParentClassName(&d, buffer, 4, name, &n, NULL) != invalid ||
        MI_Deserializer_Instance_GetClassName(&d, buffer, 4, name, &n, NULL) != invalid ||
        MI_Deserializer_Close(&d) != invalid || MI_Deserializer_Close(NULL) != invalid) {
        return wrong("deserializer");
    }
    return c == NULL && i == NULL ? 0 : wrong("a pointer");
}

static int options(MI_Application *application)
{
    MI_DestinationOptions destination = MI_DESTINATIONOPTIONS_NULL;
    MI_OperationOptions operation = MI_OPERATIONOPTIONS_NULL;
    MI_Interval timeout = {0, 0, 0, 7, 0, 0, 0, 0};
    const MI_Char *text = NULL;
    MI_Uint32 number = 0;

    if (MI_Application_NewDestinationOptions(application, &destination) != MI_RESULT_OK ||
        MI_DestinationOptions_SetTransport(&destination,
                                           MI_DESTINATIONOPTIONS_TRANSPORT_HTTPS) != MI_RESULT_OK ||
        MI_DestinationOptions_SetDestinationPort(&destination, 5986) != MI_RESULT_OK ||
        MI_DestinationOptions_SetPacketPrivacy(&destination, MI_TRUE) != MI_RESULT_OK ||
        MI_DestinationOptions_SetMaxEnvelopeSize(&destination, 512) != MI_RESULT_OK ||
        MI_DestinationOptions_SetDataLocale(&destination, MI_T("en")) != MI_RESULT_OK ||
        MI_DestinationOptions_SetUILocale(&destination, MI_T("en")) != MI_RESULT_OK ||
        MI_DestinationOptions_SetTimeout(&destination, &timeout) != MI_RESULT_OK ||
        MI_DestinationOptions_SetHttpUrlPrefix(&destination, MI_T("wsman")) != MI_RESULT_OK ||
        MI_DestinationOptions_GetDestinationPort(&destination, &number) != MI_RESULT_OK ||
        number != 5986) {
        return wrong("destination options");
    }
    MI_DestinationOptions_Delete(&destination);
    if (MI_Application_NewOperationOptions(application, MI_FALSE, &operation) != MI_RESULT_OK ||
        MI_OperationOptions_SetResourceUri(&operation, MI_T("http://example.org/x")) !=
            MI_RESULT_OK ||
        MI_OperationOptions_GetResourceUri(&operation, &text) != MI_RESULT_OK ||
        strcmp(text, MI_T("http://example.org/x")) != 0) {
        return wrong("operation options");
    }
    MI_OperationOptions_Delete(&operation);
    return 0;
}

int main(void)
{
    MI_Application application = MI_APPLICATION_NULL;
    if (MI_Application_Initialize(0, NULL, NULL, &application) != MI_RESULT_OK) {
        return wrong("application");
    }
    int bad = utilities() + serializers() + options(&application);
    MI_Application_Close(&application);
    return bad;
}
CODE
cp "$tmp/client.c" "$tmp/client.cc"

client_runs() { # compiler suffix flags...
    compiler=$1 suffix=$2
    shift 2
    "$compiler" "$@" -Wall -Wextra -Werror -Iinclude -o "$tmp/client" "$tmp/client.$suffix" \
        -L"$build" -lmiguard-host -Wl,-rpath,"$build" && "$tmp/client"
}

# A provider as C++ ones are: it answers with an error that the client library makes for it.
cat >"$tmp/provider.cc" <<'CODE'
#include <MI.h>

struct Thing {
    MI_Instance __instance;
    MI_ConstStringField Name;
};

extern "C" {

static MI_CONST MI_PropertyDecl name_decl = {
    MI_FLAG_PROPERTY | MI_FLAG_KEY, 0x006E6504, MI_T("Name"), NULL, 0, MI_STRING, NULL, 0,
    offsetof(Thing, Name), MI_T("T_Thing"), MI_T("T_Thing"), NULL};
static MI_PropertyDecl MI_CONST *MI_CONST properties[] = {&name_decl};

static void MI_CALL load(_Outptr_result_maybenull_ void **self, _In_ MI_Module_Self *,
                         _In_ MI_Context *context)
{
    *self = NULL;
    MI_PostResult(context, MI_RESULT_OK);
}

static void MI_CALL unload(_In_opt_ void *, _In_ MI_Context *context)
{
    MI_PostResult(context, MI_RESULT_OK);
}

static void MI_CALL enumerate(_In_opt_ void *, _In_ MI_Context *context, const MI_Char *,
                              const MI_Char *, const MI_PropertySet *, MI_Boolean,
                              const MI_Filter *)
{
    MI_Instance *error = NULL;
    MI_Utilities_CimErrorFromErrorCode(MI_RESULT_NOT_FOUND, MI_RESULT_TYPE_MI,
                                       MI_T("the shelf is empty"), &error);
    MI_PostCimError(context, error);
    MI_Instance_Delete(error);
}

static MI_CONST MI_ProviderFT provider = {load,    unload,  NULL, enumerate, NULL, NULL, NULL,
                                          NULL,    NULL,    NULL, NULL,      NULL, NULL, NULL};
extern MI_SchemaDecl schema;
static MI_CONST MI_ClassDecl thing = {
    MI_FLAG_CLASS, 0x00746707, MI_T("T_Thing"), NULL, 0, properties, 1, sizeof(Thing), NULL, NULL,
    NULL, 0, &schema, &provider, NULL};
static MI_ClassDecl MI_CONST *MI_CONST classes[] = {&thing};
MI_SchemaDecl schema = {NULL, 0, classes, 1};

static void MI_CALL load_module(MI_Module_Self **self, MI_Context *context)
{
    *self = NULL;
    MI_PostResult(context, MI_RESULT_OK);
}

static void MI_CALL unload_module(MI_Module_Self *, MI_Context *context)
{
    MI_PostResult(context, MI_RESULT_OK);
}

MI_EXPORT MI_Module *MI_MAIN_CALL MI_Main(_In_ MI_Server *)
{
    static MI_Module module;
    module.version = MI_VERSION;
    module.charSize = sizeof(MI_Char);
    module.schemaDecl = &schema;
    module.Load = load_module;
    module.Unload = unload_module;
    return &module;
}
}
CODE

provider_runs() {
    g++ -std=c++11 -Wall -Wextra -pedantic -Werror -Iinclude -fPIC -shared -o "$tmp/provider.so" \
        "$tmp/provider.cc" || return 1
    "$build/miguard" run --audit "$tmp/audit.jsonl" --module "$tmp/provider.so" enumerate root/test T_Thing >"$tmp/out" 2>&1
    cat "$tmp/out"
    grep -q 'the shelf is empty' "$tmp/out"
}

if [ $links = yes ]; then
    check "what the names stand for is there and works: C17" client_runs gcc c -std=c17
    if command -v g++ >/dev/null 2>&1; then
        check "what the names stand for is there and works: C++17" client_runs g++ cc -std=c++17
        check "a C++ provider that makes its errors by MI_Utilities runs" provider_runs
    else
        skip "a C++ client and provider: g++ is not installed"
    fi
else
    skip "a client and a provider: what a sanitizer built needs its run-time library"
fi

echo "$passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ]
