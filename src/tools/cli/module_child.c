/* SPDX-License-Identifier: MIT */
/*
 * Loads a provider module in a child process, to see what it says of itself.
 *
 * To load a module is to run its code: its constructors, and MI_Main(). In a child it can end, hang
 * or change credentials without harm to the command. The answer comes through a pipe, as JSON.
 */
#include "tools/cli/module_facts.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"
#include "tools/cli/cli.h"

/* Seconds after which the child is ended: a constructor that waits for something that a server has
 * waits for ever. */
enum { PATIENCE = 30 };

/* ---- in the child --------------------------------------------------------------------------- */

static json_t *error_of(const char *why)
{
    char *valid = valid_utf8(why);
    json_t *json = json_pack("{s:s}", "error", valid != NULL ? valid : "out of memory");

    free(valid);
    return json;
}

static json_t *changed_names(miguard_components changed)
{
    json_t *list = json_array();

    for (miguard_components bit = 1; bit != 0 && bit <= changed; bit <<= 1) {
        if ((changed & bit) != 0) {
            json_array_append_new(list, json_string(miguard_component_name(bit)));
        }
    }
    return list;
}

typedef MI_Module *(MI_CALL *main_function)(MI_Server *);

/* dlsym(3) gives an object pointer for a function: POSIX says that it converts. */
static json_t *call_main(void *library)
{
    void *symbol = dlsym(library, "MI_Main");
    main_function function = NULL;

    if (symbol == NULL) {
        return error_of("it exports no MI_Main: no provider module");
    }
    memcpy(&function, &symbol, sizeof(function));
    const MI_Module *module = function(NULL);
    if (module == NULL) {
        return error_of("its MI_Main returned NULL");
    }
    return json_pack("{s:o}", "module", module_facts(module));
}

/* The library stays loaded: the child ends soon. */
static json_t *load(const char *path)
{
    struct miguard_identity *before = NULL, *after = NULL;

    enum miguard_status captured = miguard_identity_capture(&before, NULL);
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        const char *why = dlerror();
        return error_of(why != NULL ? why : "it cannot be loaded");
    }
    json_t *json = call_main(library);
    if (captured == MIGUARD_OK && miguard_identity_capture(&after, NULL) == MIGUARD_OK) {
        miguard_components changed = miguard_identity_compare(before, after);
        if (changed != 0 && json != NULL) {
            json_object_set_new(json, "changes", changed_names(changed));
        }
    }
    return json;
}

/* What the module prints goes where the command's messages go, so that the output stays JSON. */
static _Noreturn void answer(const char *path, int out)
{
    const struct rlimit none = {0, 0};

    (void)setrlimit(RLIMIT_CORE, &none);
    (void)dup2(STDERR_FILENO, STDOUT_FILENO);
    (void)alarm(PATIENCE);
    json_t *json = load(path);
    char *text = json != NULL ? json_dumps(json, JSON_COMPACT) : NULL;
    FILE *stream = fdopen(out, "w");
    (void)fflush(stdout);
    bool whole = text != NULL && stream != NULL && fputs(text, stream) >= 0 && fclose(stream) == 0;
    _exit(whole ? 0 : 1);
}

/* ---- in the command ------------------------------------------------------------------------- */

/* False: what came cannot be kept. */
static bool read_all(int in, struct text *ret_text)
{
    char part[65536];
    ssize_t length;

    while ((length = read(in, part, sizeof(part))) != 0) {
        if (length > 0) {
            text_append_bytes(ret_text, part, (size_t)length);
        } else if (errno != EINTR) {
            return false;
        }
    }
    return !ret_text->failed;
}

/* As sigabbrev_np(3), which older C libraries lack, for the signals that end a process whose code
 * is wrong. */
static const char *signal_name(int number, char text[16])
{
    static const struct {
        int number;
        const char *name;
    } known[] = {{SIGSEGV, "SIGSEGV"}, {SIGBUS, "SIGBUS"}, {SIGABRT, "SIGABRT"},
                 {SIGILL, "SIGILL"},   {SIGFPE, "SIGFPE"}, {SIGKILL, "SIGKILL"},
                 {SIGTRAP, "SIGTRAP"}, {SIGSYS, "SIGSYS"}, {SIGTERM, "SIGTERM"}};

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (known[i].number == number) {
            return known[i].name;
        }
    }
    snprintf(text, 16, "signal %d", number);
    return text;
}

/* How the child ended without an answer, in a sentence. */
static json_t *no_answer(int status)
{
    char why[128], name[16];

    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) {
        snprintf(why, sizeof(why), "loading it did not end within %d seconds", PATIENCE);
    } else if (WIFSIGNALED(status)) {
        snprintf(why, sizeof(why), "its code, or reading what it declares, ended the process by %s",
                 signal_name(WTERMSIG(status), name));
    } else {
        snprintf(why, sizeof(why), "its code ended the process with status %d",
                 WEXITSTATUS(status));
    }
    return error_of(why);
}

json_t *module_load_facts(const char *path)
{
    struct text text = TEXT_EMPTY;
    json_t *json = NULL;
    int ends[2], status = 0;

    if (pipe2(ends, O_CLOEXEC) != 0) {
        return NULL;
    }
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        answer(path, ends[1]);
    }
    close(ends[1]);
    bool whole = child > 0 && read_all(ends[0], &text);
    close(ends[0]);
    if (child > 0 && waitpid(child, &status, 0) == child) {
        json = whole && status == 0 ? json_loadb(text.data, text.length, 0, NULL) : NULL;
        json = json != NULL ? json : no_answer(status);
    }
    text_release(&text);
    return json;
}
