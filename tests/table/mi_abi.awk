# SPDX-License-Identifier: MIT
#
# Turns the tables of facts about the MI API, tests/data/mi/*.tsv, into a program that includes
# MI.h and asserts every line of them:
#
#   awk -f tests/table/mi_abi.awk -v lang=c TABLES > mi_abi_test.c       C17, gcc or clang
#   awk -f tests/table/mi_abi.awk -v lang=c++ TABLES > mi_abi_test.cc    C++17
#
# with TABLES told apart by their names, abi.tsv before strings.tsv and table-slots.tsv before
# functions.tsv. `-v api=1` asserts instead what version 1 of the API looks like: the same without
# the last slot of the context table.
#
# Sizes, offsets, values and types are asserted when the program is compiled; strings, initialisers
# and aliases when it runs. A function that has a slot of its own name and type is also called: it
# must reach that slot with its arguments in their order and give back its result, and with no
# handle or no table reach nothing (in C only: a small enum of C++ can't hold the numbers by which
# arguments are told apart).
# The program prints how many lines it has checked, table by table, then "N passed, 0 failed", and
# exits with 1 if one failed.
#
#   table             line                                            asserted
#   abi.tsv           struct NAME size                                size
#                     field NAME.field offset size                    offset, size
#                     const NAME value                                value
#   abi-types.tsv     struct|union|enum NAME size                     size, tag _NAME
#                     scalar NAME size type                           size, type
#                     fieldtype NAME.field type                       type
#   table-slots.tsv   NAME.slot offset result parameter...            offset, type
#   functions.tsv     NAME result parameter...                        type, slot reached
#   strings.tsv       NAME value                                      value; none: all zero bytes
#   aliases.tsv       NAME text                                       expansion

BEGIN {
    FS = "\t"
    if (lang != "c" && lang != "c++") {
        print "mi_abi.awk: needs -v lang=c or -v lang=c++" > "/dev/stderr"
        failed = 1
        exit 1
    }
    if (api == "")
        api = 2
    prologue()
}

FNR == 1 {
    table = FILENAME
    sub(/.*\//, "", table)
    tables[++number_of_tables] = table
    print "\n/* " table " */\n"
}

# What only version 2 has is not looked for in version 1.
api == 1 && $0 ~ /GetLifecycleIndicationContext/ {
    next
}

api == 1 {
    if ($2 == "MI_ContextFT") $3 = 240
    if ($2 == "MI_VERSION") $3 = 65536
    if ($2 == "MI_MINOR") $3 = 0
    if ($2 == "MI_API_VERSION") $3 = 1
}

{
    lines[table]++
    total++
}

# ---- abi.tsv and abi-types.tsv -------------------------------------------------------------------

$1 == "struct" && table == "abi.tsv" {
    type_named[toupper($2)] = $2
    assert("sizeof(" $2 ") == " $3)
    next
}

$1 == "struct" || $1 == "union" || $1 == "enum" {
    assert("sizeof(" $2 ") == " $3 " && SAME_TYPE(" $2 ", " $1 " _" $2 ")")
    next
}

$1 == "scalar" {
    assert("sizeof(" $2 ") == " $3 " && SAME_TYPE(" $2 ", " $4 ")")
    next
}

$1 == "field" {
    assert("offsetof(" owner($2) ", " member($2) ") == " $3 \
           " && sizeof(" field($2) ") == " $4)
    next
}

$1 == "fieldtype" && $3 == "union {...}" {
    assert("IS_UNION(" field($2) ")")
    next
}

$1 == "fieldtype" {
    assert("HAS_TYPE(" field($2) ", " $3 ")")
    next
}

$1 == "const" {
    assert("(unsigned long long)" $2 " == " $3 "ULL")
    next
}

# ---- table-slots.tsv and functions.tsv -----------------------------------------------------------

table == "table-slots.tsv" {
    slot_type[$1] = function_pointer(3)
    assert("offsetof(" owner($1) ", " member($1) ") == " $2 \
           " && HAS_TYPE(" field($1) ", " function_pointer(3) ")")
    next
}

table == "functions.tsv" {
    assert("IS_FUNCTION(" $1 ", " function_pointer(2) ")")
    if (lang == "c" && slot_of($1) != "")
        call($1, slot_of($1))
    next
}

# ---- strings.tsv and aliases.tsv -----------------------------------------------------------------

table == "strings.tsv" && $2 == "" {
    sub(/_NULL$/, "", $1)
    if (!($1 in type_named)) {
        print "mi_abi.awk: no type for " $1 "_NULL" > "/dev/stderr"
        failed = 1
        exit 1
    }
    print "static const " type_named[$1] " null_" ++nulls " = " $1 "_NULL;"
    null_name[nulls] = $1 "_NULL"
    next
}

table == "strings.tsv" {
    text_name[++texts] = $1
    text_is[texts] = $1
    text_expected[texts] = "\"" $2 "\""
    next
}

table == "aliases.tsv" {
    text_name[++texts] = $1
    text_is[texts] = "EXPANSION(" $1 ")"
    if (lang == "c++" && $1 == "MI_EXTERN_C")
        text_expected[texts] = "\"extern \\\"C\\\"\""
    else
        text_expected[texts] = "\"" $2 "\""
    next
}

{
    print "mi_abi.awk: " FILENAME ":" FNR ": what is this?" > "/dev/stderr"
    failed = 1
    exit 1
}

END {
    if (failed)
        exit 1
    epilogue()
}

# ---- pieces --------------------------------------------------------------------------------------

function assert(condition)
{
    asserted++
    print "static_assert(" condition ", \"" table ":" FNR "\");"
}

# "MI_Datetime.u.interval" is the member u.interval of MI_Datetime.
function owner(name)
{
    sub(/\..*/, "", name)
    return name
}

function member(name)
{
    sub(/^[^.]*\./, "", name)
    return name
}

function field(name)
{
    return "((" owner(name) " *)0)->" member(name)
}

# The type whose result stands in column `first` and whose parameters follow it.
function function_pointer(first,    i, parameters)
{
    for (i = first + 1; i <= NF; i++)
        parameters = parameters (i > first + 1 ? ", " : "") $i
    gsub(/\(\*\) \(/, "(*)(", parameters)
    return $first " (*)(" parameters ")"
}

# The slot that a function stands for, or "": MI_Class_GetMethod for MI_ClassFT.GetMethod. The two
# functions of MI_Server are the module's, not the header's.
function slot_of(name,    slot)
{
    slot = name
    sub(/_/, "-", slot)
    sub(/_/, "FT.", slot)
    sub(/-/, "_", slot)
    if (name ~ /^MI_Server_/ || slot_type[slot] != function_pointer(2))
        return ""
    return slot
}

# A slot that takes down what it is called with, and a check that calls the function.
function call(name, slot,    i, type, handle, parameters, arguments, noted, expected, invalid)
{
    for (i = 3; i <= NF; i++) {
        type = $i
        if (!sub(/\(\*\)/, "(*a" i ")", type))
            type = type " a" i
        parameters = parameters (i > 3 ? ", " : "") type
        noted = noted "    seen[" i "] = (uintptr_t)a" i ";\n"
        if (i > 3) {
            arguments = arguments ", (" $i ")" argument($i, i)
            expected = expected " &&\n           seen[" i "] == " argument($i, i)
        }
    }
    handle = owner(slot)
    sub(/FT$/, "", handle)
    print "static " $2 " slot_" name "(" parameters ")\n{\n    reached = \"" name "\";"
    printf "%s", noted
    print ($2 == "void" ? "" : "    return ANSWER;\n") "}\n"

    print "static int reaches_" name "(void)\n{"
    print "    " owner(slot) " table = {0};"
    print "    " handle " handle = {0};"
    print "    table." member(slot) " = slot_" name ";"
    print "    handle.ft = &table;"
    print "    reached = \"nothing\";"
    if ($2 == "void")
        print "    " name "(&handle" arguments ");"
    else
        print "    if (" name "(&handle" arguments ") != ANSWER)\n        return 0;"
    print "    return strcmp(reached, \"" name "\") == 0 && seen[3] == (uintptr_t)&handle" \
          expected ";"
    print "}\n"
    called[++calls] = "reaches_" name

    # Without a session, Close reports to its callback: tests/unit/mi_wrappers_test.c.
    if (name == "MI_Session_Close")
        return
    invalid = "    if (%s != MI_RESULT_INVALID_PARAMETER)\n        return 0;\n"
    if ($2 == "void")
        invalid = "    %s;\n"
    print "static int refuses_" name "(void)\n{"
    print "    " handle " handle = {0};"
    print "    reached = \"nothing\";"
    printf invalid, name "(&handle" arguments ")"
    printf invalid, name "(NULL" arguments ")"
    print "    return strcmp(reached, \"nothing\") == 0;"
    print "}\n"
    called[++calls] = "refuses_" name
}

# A value that no other parameter has: some memory of ours, or a small number.
function argument(type, i)
{
    return type ~ /[*)]$/ ? "(uintptr_t)memory[" i "]" : 16 + i
}

function prologue()
{
    print "/* Made by tests/table/mi_abi.awk from tests/data/mi: change those, not this. */"
    if (api == 1)
        print "#define MI_API_VERSION 1"
    print "#include <MI.h>"
    if (lang == "c") {
        print "#include <assert.h>"
        print "#include <stddef.h>"
        print "#include <stdint.h>"
        print "#include <stdio.h>"
        print "#include <string.h>"
        print ""
        print "#define SAME_TYPE(A, ...) __builtin_types_compatible_p(A, __VA_ARGS__)"
        print "/* Pointers are compared, since qualifiers of the type itself would be ignored. */"
        print "#define HAS_TYPE(LVALUE, ...) \\"
        print "    SAME_TYPE(__typeof__(&(LVALUE)), __typeof__(__VA_ARGS__) *)"
        print "#define IS_FUNCTION(NAME, ...) SAME_TYPE(__typeof__(&(NAME)), __VA_ARGS__)"
        print "#define IS_UNION(LVALUE) (__builtin_classify_type(LVALUE) == 13)"
        print ""
        print "/* What slots are called with: arguments from [3] on, as they stand in the table. */"
        print "#define ANSWER MI_RESULT_SERVER_LIMITS_EXCEEDED"
        print "static _Alignas(max_align_t) unsigned char memory[32][64];"
        print "static uintptr_t seen[32];"
        print "static const char *reached;"
    } else {
        print "#include <cstddef>"
        print "#include <cstdio>"
        print "#include <cstring>"
        print "#include <type_traits>"
        print ""
        print "using std::memcmp;"
        print "using std::printf;"
        print "using std::strcmp;"
        print ""
        print "#define SAME_TYPE(A, ...) std::is_same<A, __VA_ARGS__>::value"
        print "#define HAS_TYPE(LVALUE, ...) SAME_TYPE(decltype(LVALUE), __VA_ARGS__)"
        print "#define IS_FUNCTION(NAME, ...) SAME_TYPE(decltype(&(NAME)), __VA_ARGS__)"
        print "#define IS_UNION(LVALUE) std::is_union<decltype(LVALUE)>::value"
    }
    print "#define TEXT(...) #__VA_ARGS__"
    print "#define EXPANSION(...) TEXT(__VA_ARGS__)"
}

function epilogue(    i)
{
    print "\nstatic const struct {"
    print "    const char *name;"
    print "    const char *is;"
    print "    const char *expected;"
    print "} texts[] = {"
    for (i = 1; i <= texts; i++)
        print "    {\"" text_name[i] "\", " text_is[i] ", " text_expected[i] "},"
    print "};\n"

    print "static const struct {"
    print "    const char *name;"
    print "    const void *is;"
    print "    size_t size;"
    print "} nulls[] = {"
    for (i = 1; i <= nulls; i++)
        print "    {\"" null_name[i] "\", &null_" i ", sizeof(null_" i ")},"
    print "};\n"

    if (calls > 0) {
        print "static const struct {"
        print "    const char *name;"
        print "    int (*good)(void);"
        print "} calls[] = {"
        for (i = 1; i <= calls; i++)
            print "    {\"" called[i] "\", " called[i] "},"
        print "};\n"
    }

    print "int main(void)"
    print "{"
    print "    static const unsigned char zero[256] = {0};"
    print "    int passed = " asserted ";"
    print "    int failed = 0;\n"
    print "    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {"
    print "        if (strcmp(texts[i].is, texts[i].expected) == 0) {"
    print "            passed++;"
    print "        } else {"
    print "            failed++;"
    print "            printf(\"%s is '%s', not '%s'\\n\", texts[i].name, texts[i].is,"
    print "                   texts[i].expected);"
    print "        }"
    print "    }"
    print "    for (size_t i = 0; i < sizeof(nulls) / sizeof(nulls[0]); i++) {"
    print "        if (nulls[i].size <= sizeof(zero) &&"
    print "            memcmp(nulls[i].is, zero, nulls[i].size) == 0) {"
    print "            passed++;"
    print "        } else {"
    print "            failed++;"
    print "            printf(\"%s is not all zero\\n\", nulls[i].name);"
    print "        }"
    print "    }"
    for (i = 1; i <= number_of_tables; i++)
        print "    printf(\"  %-16s %4d lines\\n\", \"" tables[i] "\", " lines[tables[i]] ");"
    print "    if (passed + failed != " total ") {"
    print "        printf(\"%d lines, but %d checks\\n\", " total ", passed + failed);"
    print "        failed++;"
    print "    }"
    if (calls > 0) {
        print "    printf(\"  %-16s %4d\\n\", \"calls\", " calls ");"
        print "    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {"
        print "        memset(memory, 0, sizeof(memory));"
        print "        memset(seen, 0, sizeof(seen));"
        print "        if (calls[i].good()) {"
        print "            passed++;"
        print "        } else {"
        print "            failed++;"
        print "            printf(\"%s: no\\n\", calls[i].name);"
        print "        }"
        print "    }"
    }
    print "    printf(\"%d passed, %d failed\\n\", passed, failed);"
    print "    return failed ? 1 : 0;"
    print "}"
}
