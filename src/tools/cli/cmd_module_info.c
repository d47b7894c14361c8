/* SPDX-License-Identifier: MIT */
/*
 * miguard module info: what a provider module declares and serves, and what it imports.
 *
 * One object of facts for each file: about_file() adds what stands in the file, of which no code
 * runs, and then what the module says of itself (module_child.c). --json prints the object; else
 * print_facts() makes lines of it.
 */
#include "tools/cli/cli.h"
#include "tools/cli/commands.h"
#include "tools/cli/module_facts.h"

#include <stdlib.h>
#include <string.h>

#include "tools/module/elf_symbols.h"
#include "tools/module/module_file.h"

struct request {
    struct word_list files;
    bool json, no_load;
};

static const struct option_row options[] = {
    FLAG("--no-load", struct request, no_load,
         "only what stands in the file: none of the module's code runs"),
    FLAG("--json", struct request, json, "print one JSON object for each file and line"),
};

/* ---- what stands in the file ------------------------------------------------------------------
 */

/* Functions of the C library and of libcap by which code changes the credentials of its thread or
 * of the process (credentials(7)). Behind a gate each fails; the library's own ways do not use
 * them. syscall(2) and prctl(2) do many things, and may do that. */
static const char *const changing[] = {
    "setuid",     "seteuid",      "setreuid",   "setresuid",     "setgid",      "setegid",
    "setregid",   "setresgid",    "setgroups",  "initgroups",    "setfsuid",    "setfsgid",
    "capset",     "cap_set_proc", "cap_setuid", "cap_setgroups", "capng_apply", "capng_change_id",
    "capng_lock", "unshare",      "setns",      "prctl",         "syscall",
};

static json_t *changing_imports(const struct elf_symbols *symbols)
{
    json_t *list = json_array();

    for (size_t i = 0; i < sizeof(changing) / sizeof(changing[0]); i++) {
        if (elf_symbols_find(symbols, changing[i], false) != NULL) {
            json_array_append_new(list, json_string(changing[i]));
        }
    }
    return list;
}

/* False: problem says why there are no facts. */
static bool add_file_facts(json_t *facts, const char *path, char problem[MODULE_FILE_PROBLEM])
{
    struct module_file file;
    struct elf_symbols symbols;
    const char *fault = NULL;
    char machine[ELF_MACHINE_TEXT];

    if (!module_file_read(path, &file, problem)) {
        return false;
    }
    bool read = elf_symbols_read(file.bytes, file.size, &symbols, &fault);
    if (read) {
        json_object_set_new(facts, "machine",
                            json_string(elf_machine_name(symbols.machine, machine)));
        json_object_set_new(facts, "main",
                            json_boolean(elf_symbols_find(&symbols, "MI_Main", true) != NULL));
        json_object_set_new(facts, "imports", changing_imports(&symbols));
        elf_symbols_release(&symbols);
    } else {
        snprintf(problem, MODULE_FILE_PROBLEM, "%s", fault);
    }
    module_file_release(&file);
    return read;
}

/* ---- as text ---------------------------------------------------------------------------------
 */

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text != NULL ? text : "";
}

static bool has(const json_t *list, const char *word)
{
    size_t i;
    json_t *each;

    json_array_foreach(list, i, each)
    {
        if (strcmp(json_string_value(each), word) == 0) {
            return true;
        }
    }
    return false;
}

/* With commas between them; `none` for an empty list. */
static void print_words(const json_t *list, const char *none)
{
    size_t i;
    json_t *each;

    if (json_array_size(list) == 0) {
        printf("%s", none);
    }
    json_array_foreach(list, i, each)
    {
        printf("%s%s", i == 0 ? "" : ", ", json_string_value(each));
    }
}

static void print_field(const char *name, const json_t *list, const char *none)
{
    printf("%-12s ", name);
    print_words(list, none);
    putchar('\n');
}

/* "[key, read-only] string Name": the flags in brackets, where there are any. */
static void print_element(const json_t *element)
{
    const json_t *flags = json_object_get(element, "flags");

    if (json_array_size(flags) > 0) {
        putchar('[');
        print_words(flags, "");
        printf("] ");
    }
    print_safe(stdout, text_of(element, "type"), false);
    putchar(' ');
    print_safe(stdout, text_of(element, "name"), false);
}

static void print_method(const json_t *method)
{
    const json_t *parameters = json_object_get(method, "parameters");
    size_t i;
    json_t *each;

    printf("    %s%s ", has(json_object_get(method, "flags"), "static") ? "[static] " : "",
           text_of(method, "returns"));
    print_safe(stdout, text_of(method, "name"), false);
    putchar('(');
    json_array_foreach(parameters, i, each)
    {
        printf("%s", i == 0 ? "" : ", ");
        print_element(each);
    }
    printf(")%s;\n",
           json_is_false(json_object_get(method, "implemented")) ? " not implemented" : "");
}

static void print_class(const json_t *class)
{
    const json_t *operations = json_object_get(class, "operations");
    const char *super = text_of(class, "superclass");
    size_t i;
    json_t *each;

    printf("\nclass ");
    print_safe(stdout, text_of(class, "name"), false);
    if (super[0] != '\0') {
        printf(" : ");
        print_safe(stdout, super, false);
    }
    printf(" (");
    print_words(operations, json_is_null(operations) ? "no provider" : "no operation");
    printf(")\n");
    json_array_foreach(json_object_get(class, "properties"), i, each)
    {
        printf("    ");
        print_element(each);
        printf(";\n");
    }
    json_array_foreach(json_object_get(class, "methods"), i, each)
    {
        print_method(each);
    }
}

static void print_module(const json_t *module)
{
    const json_t *classes = json_object_get(module, "classes");
    json_int_t size = json_integer_value(json_object_get(module, "char_size"));
    size_t i;
    json_t *each;

    printf("%-12s %s, generated by %s, %d-byte characters\n", "version", text_of(module, "version"),
           text_of(module, "generator"), (int)size);
    print_field("flags", json_object_get(module, "flags"), "none");
    printf("%-12s %s\n", "wrapped",
           json_is_true(json_object_get(module, "wrapped")) ? "yes, by miguard_wrap_module()"
                                                            : "no");
    printf("%-12s %s\n", "provider",
           json_is_true(json_object_get(module, "dynamic")) ? "dynamic: one for all classes"
                                                            : "static: one for each class");
    if (json_is_null(classes)) {
        printf("%-12s not read: this version or size of characters has another layout\n",
               "classes");
        return;
    }
    printf("%-12s %zu\n", "classes", json_array_size(classes));
    json_array_foreach(classes, i, each)
    {
        print_class(each);
    }
}

static void print_facts(const json_t *facts)
{
    const json_t *changes = json_object_get(facts, "changes");
    const json_t *module = json_object_get(facts, "module");

    printf("%-12s ", "file");
    print_safe(stdout, text_of(facts, "file"), false);
    printf("\n%-12s %s\n", "machine", text_of(facts, "machine"));
    printf("%-12s ", "imports");
    print_words(json_object_get(facts, "imports"), "nothing that changes credentials by itself");
    printf("%s\n", json_array_size(json_object_get(facts, "imports")) > 0
                       ? " (a gate refuses what of it changes credentials: miguard-gate(7))"
                       : "");
    if (changes != NULL) {
        print_field("loading it", changes, "");
    }
    if (module != NULL) {
        print_module(module);
    }
}

/* ---- the command ------------------------------------------------------------------------------
 */

/* CLI_YES, CLI_NO for a file that is no provider module, or CLI_UNABLE. */
static int add_module_facts(json_t *facts, const char *path)
{
    char *whole = NULL;

    if (asprintf(&whole, "%s%s", strchr(path, '/') == NULL ? "./" : "", path) < 0) {
        return complain(CLI_UNABLE, "out of memory");
    }
    json_t *loaded = module_load_facts(whole);
    free(whole);
    if (loaded == NULL) {
        return complain(CLI_UNABLE, "%s: no process to load it in, or no memory", path);
    }
    json_object_update(facts, loaded);
    json_decref(loaded);
    const char *error = text_of(facts, "error");
    return error[0] == '\0' ? CLI_YES : complain(CLI_NO, "%s: %s", path, error);
}

static int about_file(const struct request *request, const char *path)
{
    char problem[MODULE_FILE_PROBLEM];
    char *name = valid_utf8(path);
    json_t *facts = json_pack("{s:s}", "file", name != NULL ? name : "");
    int status = CLI_YES;

    free(name);
    if (facts == NULL || !add_file_facts(facts, path, problem)) {
        json_decref(facts);
        return complain(CLI_UNABLE, "%s: %s", path, facts == NULL ? "out of memory" : problem);
    }
    if (!json_is_true(json_object_get(facts, "main"))) {
        status = complain(CLI_NO, "%s: it exports no MI_Main: no provider module", path);
    } else if (!request->no_load) {
        status = add_module_facts(facts, path);
    }
    if (request->json) {
        (void)print_json(stdout, facts);
    } else {
        print_facts(facts);
    }
    json_decref(facts);
    return status;
}

/* Of several files the worst status counts. */
static int run_info(const struct command_line *line)
{
    struct request request = {0};
    int status = CLI_YES;

    if (command_parse(line, &request, &status)) {
        if (request.files.count == 0) {
            status = wrong_usage(line, "the file is missing; see %s --help", line->name);
        }
        for (size_t i = 0; i < request.files.count; i++) {
            int one = about_file(&request, request.files.items[i]);
            status = one > status ? one : status;
            if (!request.json && i + 1 < request.files.count) {
                putchar('\n');
            }
        }
    }
    word_list_release(&request.files);
    return status;
}

COMMAND(module, info) = {
    .about =
        "Prints for each FILE which classes a provider module has, with their properties and "
        "methods and what it serves of each, its version and flags, whether it is wrapped, and "
        "which functions it imports by which code changes credentials. The module is loaded "
        "in a process of its own, which runs its code; see --no-load.",
    .exits = "Exit status: 0 done, 1 a file is no provider module or cannot be loaded, 2 wrong "
             "usage, 3 a file cannot be read.",
    .operand = OPERANDS("FILE...", struct request, files),
    OPTIONS(options),
    .run = run_info,
};
