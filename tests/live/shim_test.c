/* SPDX-License-Identifier: MIT */
/*
 * Shims: what miguard wrap makes of real files and back, what a shim refuses to load and says about
 * it, and that a host survives that. The host is a process of its own with the shared libraries
 * (tests/support/shim/host.c), the provider misbehaves by its name (provider.c).
 *
 * Commands are run by sh in the folder of the test; $M is the command, $H the host, $P the
 * provider.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "miguard/shim.h"
#include "shim/proof.h"
#include "tools/module/module_file.h"
#include "tools/module/shim_file.h"

enum { OUTPUT = 65536 };

static char folder[256];
static int passed, failed, skipped;
static char said[OUTPUT]; /* stdout and stderr of the last command */
static int status;

/* What the heap takes for itself, and the tables of handles: each of their 16 shards gets new slots
 * until it has 256 that rest (base/slots.h). 60 loads need 7 mappings, 1,000 need 16, 4,000 need
 * 27; one mapping left over by each load would be 60 at the least. A sanitizer keeps freed memory,
 * in mappings of its own. */
#ifdef __SANITIZE_ADDRESS__
enum { FEW_MAPPINGS = 50 };
#else
enum { FEW_MAPPINGS = 30 };
#endif

/* ---- running commands -------------------------------------------------------------------------
 */

static void run(const char *command)
{
    FILE *pipe = popen(command, "re");

    if (pipe == NULL) {
        abort();
    }
    size_t length = fread(said, 1, sizeof(said) - 1, pipe);
    said[length] = '\0';
    int result = pclose(pipe);
    status = WIFEXITED(result) ? WEXITSTATUS(result) : 128 + WTERMSIG(result);
}

/* In the folder, with both outputs in `said`. */
static void run_here(const char *command)
{
    char text[4096];

    snprintf(text, sizeof(text), "exec 2>&1; cd '%s/files' || exit 99; %s", folder, command);
    run(text);
}

static void check(bool good, const char *what)
{
    passed += good;
    failed += !good;
    if (!good) {
        printf("FAILED %s: exit %d, said:\n%.3000s\n", what, status, said);
    }
}

/* The folder is emptied, and the provider copied into it under each name. */
static void begin(const char *names)
{
    char command[512];

    snprintf(
        command, sizeof(command),
        "chmod 755 . && rm -rf ./* \"$LOG\"* && for n in %s; do cp \"$P\" $n.so || exit 9; done",
        names);
    run_here(command);
    if (status != 0) {
        printf("no folder: %s\n", said);
        exit(3);
    }
}

/* ---- what is not loaded -----------------------------------------------------------------------
 */

static const struct {
    const char *what, *name, *change, *line;
    const char *thread; /* NULL: who it was */
    bool needs_root;
} refused[] = {
    {"missing file", "good", "rm good.so.unguarded", "good.so.unguarded: there is no such file",
     NULL, false},
    {"wrong architecture", "good",
     "printf '\\363' | dd of=good.so.unguarded bs=1 seek=18 conv=notrunc",
     "good.so.unguarded: it is for another machine than this process", NULL, false},
    {"32 bits", "good", "printf '\\001' | dd of=good.so.unguarded bs=1 seek=4 conv=notrunc",
     "it is for another machine than this process", NULL, false},
    {"no library", "good", "echo text >good.so.unguarded", "it is no ELF file", NULL, false},
    {"an object file", "good", "printf '\\001' | dd of=good.so.unguarded bs=1 seek=16 conv=notrunc",
     "it is no shared object", NULL, false},
    {"empty file", "good", ": >good.so.unguarded", "it is no ELF file", NULL, false},
    {"a folder", "good", "rm good.so.unguarded; mkdir good.so.unguarded", "it is a folder", NULL,
     false},
    {"a FIFO", "good", "rm good.so.unguarded; mkfifo good.so.unguarded",
     "a FIFO; it must be a regular file", NULL, false},
    {"a link to another file", "good", "cp \"$P\" b; echo >>b; ln -sf b good.so.unguarded",
     "it is not the file that was wrapped: its SHA-256 begins with", NULL, false},
    {"replaced since", "good", "cp good.so.unguarded n; echo >>n; mv n good.so.unguarded",
     "it is not the file that was wrapped: its SHA-256 begins with", NULL, false},
    {"changed in its place", "good", "echo >>good.so.unguarded",
     "it is not the file that was wrapped", NULL, false},
    {"world-writable", "good", "chmod 777 good.so.unguarded",
     "the file is writable by its group and everybody", NULL, false},
    {"group-writable", "good", "chmod 775 good.so.unguarded", "the file is writable by its group",
     NULL, false},
    {"a folder that others can write", "good", "chmod 777 .", "the folder is writable by", NULL,
     false},
    {"another user's", "good", "chown 65534 good.so.unguarded", "the file belongs to uid 65534",
     NULL, true},
    {"NULL module", "null", "", "null.so.unguarded: its MI_Main returned NULL", NULL, false},
    {"newer version", "newer", "", "it is of version 9.0.0 of the API, newer than miguard", NULL,
     false},
    {"charSize 2", "wide", "", "its characters have 2 bytes", NULL, false},
    {"changed while it is loaded", "touches", "",
     "touches.so.unguarded: it was replaced while it was loaded", NULL, false},
    {"a constructor that changes the identity", "changes", "",
     "its code changed the identity of the thread that loads it (fsuid, cap-effective); the thread "
     "was brought back",
     NULL, true},
    {"an MI_Main that changes the identity", "later", "",
     "changed the identity of the thread that loads it (fsuid, cap-effective)", NULL, true},
    {"a constructor that drops it for good", "drops", "",
     "(ruid, euid, suid, fsuid, cap-effective, cap-permitted); the thread cannot be brought back",
     "another", true},
};

static size_t count_text(const char *text)
{
    size_t count = 0;

    for (const char *at = said; (at = strstr(at, text)) != NULL; at++) {
        count++;
    }
    return count;
}

/* One line on stderr, NULL to the host, and the host goes on to load the next provider. */
static void check_refused(size_t i)
{
    char names[64], command[512], nothing[128], thread[64];

    if (refused[i].needs_root && geteuid() != 0) {
        printf("skip: shim, %s: needs root\n", refused[i].what);
        skipped++;
        return;
    }
    snprintf(names, sizeof(names), "%s zz", refused[i].name);
    begin(names);
    snprintf(command, sizeof(command),
             "\"$M\" wrap %s.so zz.so >/dev/null || exit 9; { %s; } >/dev/null 2>&1; \"$H\" load "
             "\"$LOG\" \"$PWD/%s.so\" %s; s=$?; grep -o '\"module-load\",\"outcome\":\"failure\"' "
             "\"$LOG\"; exit $s",
             refused[i].name, refused[i].change[0] != '\0' ? refused[i].change : ":",
             refused[i].name,
             strcmp(refused[i].change, "chmod 777 .") == 0 ? "" : "\"$PWD/zz.so\"");
    run_here(command);
    snprintf(nothing, sizeof(nothing), "%s.so: MI_Main returned NULL\n", refused[i].name);
    snprintf(thread, sizeof(thread), "the thread is %s\n",
             refused[i].thread != NULL ? refused[i].thread : "who it was");
    check(status == 0 && strstr(said, nothing) != NULL && strstr(said, refused[i].line) != NULL &&
              strstr(said, thread) != NULL && count_text("miguard: ") == 1 &&
              strstr(said, "\"module-load\",\"outcome\":\"failure\"") != NULL &&
              (strstr(command, "zz.so\"") == NULL || strstr(said, "zz.so: loaded, 1\n") != NULL),
          refused[i].what);
}

/* ---- shims that miguard wrap does not make ----------------------------------------------------
 */

static bool write_file(const char *path, const void *bytes, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
    bool good = fd >= 0 && write(fd, bytes, size) == (ssize_t)size;

    return close(fd) == 0 && good;
}

static void settings_for(const char *path, struct miguard_shim *shim)
{
    char problem[PROOF_PROBLEM];
    struct proof proof;

    *shim = (struct miguard_shim){.magic = MIGUARD_SHIM_MAGIC, .size = sizeof(*shim)};
    snprintf(shim->version, sizeof(shim->version), "test");
    snprintf(shim->provider, sizeof(shim->provider), "provider");
    snprintf(shim->path, sizeof(shim->path), "%s", path);
    if (proof_take_new(path, problem, &proof) == PROOF_GOOD) {
        memcpy(shim->hash, proof.hash, sizeof(shim->hash));
        shim->owner = proof.status.st_uid;
        proof_release(&proof);
    }
}

/* A shim at name with these settings, loaded by the host. */
static void load_made(const char *name, const struct miguard_shim *shim)
{
    char path[512], command[512], problem[MODULE_FILE_PROBLEM];
    struct module_file file;

    snprintf(path, sizeof(path), "%s/shim-template.so", getenv("OUT_FOLDER"));
    if (!module_file_read(path, &file, problem)) {
        abort();
    }
    const struct shim_template own = {file.bytes, file.size};
    unsigned char *bytes = shim_make(&own, shim);
    snprintf(path, sizeof(path), "%s/files/%s", folder, name);
    if (bytes == NULL || !write_file(path, bytes, file.size)) {
        abort();
    }
    base_free(bytes);
    module_file_release(&file);
    snprintf(command, sizeof(command), "\"$H\" load \"$LOG\" \"$PWD/%s\"", name);
    run_here(command);
}

static void check_made(void)
{
    struct miguard_shim shim;
    char path[512];

    begin("good");
    run_here("cp \"$N\" none.so; mkdir made");
    snprintf(path, sizeof(path), "%s/files/none.so", folder);
    settings_for(path, &shim);
    load_made("made/good.so", &shim);
    check(strstr(said, "none.so: it has no MI_Main") != NULL, "no MI_Main");

    snprintf(path, sizeof(path), "%s/files/good.so", folder);
    settings_for(path, &shim);
    load_made("made/good.so", &shim);
    check(strstr(said, "good.so: loaded, 1") != NULL, "a shim elsewhere");

    shim.owner++;
    load_made("made/good.so", &shim);
    check(strstr(said, "good.so: it belongs to uid") != NULL, "another owner than recorded");

    settings_for("good.so", &shim);
    load_made("made/good.so", &shim);
    check(strstr(said, "no complete shim") != NULL, "a path that is not absolute");

    settings_for(path, &shim);
    memset(shim.path, '/', sizeof(shim.path));
    load_made("made/good.so", &shim);
    check(strstr(said, "no complete shim") != NULL, "a path without an end");

    run_here("cp \"$OUT_FOLDER/shim-template.so\" shim.so; \"$H\" load \"$LOG\" \"$PWD/shim.so\"");
    check(strstr(said, "it is no complete shim; make it with miguard wrap") != NULL,
          "the template itself");
}

static const char *path_of_said(void)
{
    static char path[300];

    snprintf(path, sizeof(path), "%s/said", folder);
    return path;
}

/* The library that was loaded from the path before another file was put there. glibc gives the old
 * one for the name. In this process, by the library that is linked to the test. */
static void check_mapped_before(void)
{
    struct miguard_shim shim;
    char path[512];
    void *state = NULL;

    begin("good");
    snprintf(path, sizeof(path), "%s/files/good.so", folder);
    void *earlier = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    run_here("cp good.so n && echo >>n && mv n good.so");
    settings_for(path, &shim);
    fflush(stderr);
    int saved = dup(STDERR_FILENO),
        other = open(path_of_said(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    dup2(other, STDERR_FILENO);
    MI_Module *module = miguard_shim_main(&shim, &state, NULL);
    dup2(saved, STDERR_FILENO);
    run_here("cat ../said");
    check(earlier != NULL && module == NULL && state == NULL &&
              strstr(said, "good.so: the process has another file of this name mapped") != NULL &&
              count_text("\n") == 1,
          "another file of the name is mapped");
    miguard_shim_end(NULL);
    check(miguard_shim_main(NULL, NULL, NULL) == NULL, "nothing at all");
    dlclose(earlier);
    close(other);
    close(saved);
}

/* As a tool does that only reads declarations. Each time it lies elsewhere. */
static void check_never_loaded(void)
{
    enum { TIMES = 2000 };
    struct miguard_shim shim;
    char path[512];
    int wrapped = 0;

    begin("good");
    snprintf(path, sizeof(path), "%s/files/good.so", folder);
    settings_for(path, &shim);
    for (int i = 0; i < TIMES && wrapped == i; i++) {
        void *state = NULL;
        wrapped += miguard_shim_main(&shim, &state, NULL) != NULL && state != NULL;
        miguard_shim_end(&state);
        wrapped -= state != NULL;
        (void)mmap(NULL, 4096 * (size_t)(1 + i % 7), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    }
    snprintf(said, sizeof(said), "%d", wrapped);
    check(wrapped == TIMES, "a module that is never loaded keeps no place");
}

/* ---- the command ------------------------------------------------------------------------------
 */

#define WRAPPED "good.so: wrapped; the provider is"

/* Each line goes on from the folder as the line before left it; begin: with good.so alone. */
static const struct {
    bool begin;
    const char *command;
    int status;
    const char *said; /* each line of it stands in the output */
} steps[] = {
    {true, "\"$M\" wrap --check good.so", 1,
     "good.so: not wrapped: a provider that is not wrapped"},
    {false, "\"$M\" wrap --dry-run good.so && ls", 0, "would be wrapped\ngood.so"},
    {false, "test ! -e good.so.unguarded", 0, ""},
    {false, "stat -c %i good.so >i && \"$M\" wrap good.so", 0, WRAPPED},
    {false, "stat -c %i good.so.unguarded | cmp - i && cmp \"$P\" good.so.unguarded && ls", 0,
     "good.so\ngood.so.unguarded\ni"},
    {false, "stat -c '%a %u' good.so good.so.unguarded | uniq | wc -l", 0, "1"},
    {false, "\"$M\" wrap good.so", 0, "good.so: wrapped already, by miguard "},
    {false, "\"$M\" wrap --check good.so", 0,
     "good.so: wrapped, in order\nprovider   good.so\nwrapped by miguard "},
    {false, "\"$M\" wrap good.so.unguarded", 1, "is the provider behind a shim; name the shim"},
    {false, "ln -s good.so link.so && \"$M\" wrap link.so && test -L link.so", 0,
     "wrapped already"},
    {false, "\"$M\" unwrap --dry-run good.so && test -e good.so.unguarded", 0,
     "would be unwrapped"},
    {false, "\"$M\" unwrap good.so && stat -c %i good.so | cmp - i && ls", 0, "good.so: unwrapped"},
    {false, "test ! -e good.so.unguarded && \"$M\" unwrap good.so", 1, "good.so is not wrapped"},

    /* What a package's upgrade does to either file. */
    {true, "\"$M\" wrap good.so && echo >>good.so.unguarded && \"$M\" wrap --check good.so", 1,
     "good.so: wrapped, and refuses to load: \nit is not the file that was wrapped"},
    {false, "\"$M\" wrap good.so", 1, "--again wraps the provider as it is now"},
    {false, "\"$M\" wrap --again good.so && \"$M\" wrap --check good.so", 0, "wrapped, in order"},
    {false, "cp \"$P\" n && mv n good.so && \"$M\" wrap --check good.so", 1, "not wrapped"},
    {false, "\"$M\" wrap good.so", 1, "good.so.unguarded is there already, and is another file"},
    {false, "\"$M\" wrap --again good.so && cmp \"$P\" good.so.unguarded", 0, WRAPPED},
    {false, "\"$M\" wrap --check good.so", 0, "wrapped, in order"},
    {false, "echo >>good.so.unguarded && \"$M\" unwrap good.so && ls", 0, "unwrapped\ngood.so"},

    /* Interrupted between the two steps. */
    {true, "ln good.so good.so.unguarded && \"$M\" wrap good.so", 0, WRAPPED},
    {true, "ln good.so good.so.unguarded && \"$M\" unwrap good.so && test ! -e good.so.unguarded",
     0, "good.so: unwrapped"},

    /* Elsewhere. */
    {true, "mkdir out && \"$M\" wrap --output out/good.so good.so && cmp \"$P\" good.so", 0,
     "out/good.so: wrapped; the provider is"},
    {false, "\"$M\" wrap --check out/good.so", 0, "provider   good.so\nwrapped, in order"},
    {false, "\"$H\" load \"$LOG\" \"$PWD/out/good.so\"", 0, "good.so: loaded, 1"},
    {false, "grep -c '\"provider\":\"good.so\"' \"$LOG\"", 0, ""},
    {false, "\"$M\" wrap --output out/good.so good.so", 1, "is there already; --again replaces it"},
    {false, "\"$M\" wrap --again --output out/good.so good.so", 0, "wrapped"},
    {false, "\"$M\" wrap --again --output good.so good.so", 1, "good.so is there already"},
    {false, "\"$M\" wrap --output none/good.so good.so", 3, "No such file or directory"},
    {false, "\"$M\" unwrap out/good.so && test ! -e out/good.so", 0, "removed; register"},

    /* What is no provider, or cannot be one. */
    {true, "cp \"$N\" none.so; \"$M\" wrap none.so", 1,
     "none.so is no provider: it has no MI_Main"},
    {false, "echo >text; \"$M\" wrap text", 1, "text is no provider: it is no ELF file"},
    {false, "\"$M\" wrap none", 3, "none: No such file or directory"},
    {false, "\"$M\" wrap .", 3, "it is no regular file"},
    {false, "mkfifo fifo; \"$M\" wrap --check fifo", 3, "it is no regular file"},
    {false, "\"$M\" wrap none good.so", 3, WRAPPED "\nnone: No such file"},
    {true, "chmod 666 good.so; \"$M\" wrap good.so", 1,
     "good.so is not wrapped: \nthe file is writable by its group and everybody"},
    {true, "chmod 777 .; \"$M\" wrap good.so; s=$?; chmod 755 .; exit $s", 1,
     "the folder is writable by"},
    {true, "n=\"$(printf 'a\\nb.so')\"; cp good.so \"$n\"; \"$M\" wrap \"$n\"", 3,
     "or has a line end"},
    {true, "ulimit -f 8; \"$M\" wrap good.so", 3, "good.so is not wrapped: write: File too large"},
    {false, "cmp \"$P\" good.so && \"$M\" unwrap good.so && ls", 0, "good.so: unwrapped\ngood.so"},

    /* A damaged shim. */
    {true,
     "\"$M\" wrap good.so && cp good.so bad.so && printf x | dd of=bad.so bs=1 conv=notrunc "
     "seek=$(($(grep -obUa 'miguard-shim' bad.so | head -n 1 | cut -d: -f1) + 15)) && "
     "\"$M\" wrap --check bad.so",
     1, "bad.so: not wrapped: it is a shim whose settings are not whole"},
    {false, "\"$M\" wrap bad.so", 1, "bad.so is no provider: it is a shim"},
    {false, "cp good.so moved.so && \"$M\" unwrap moved.so", 1,
     "moved.so was moved: its provider is"},
    {false, "rm good.so.unguarded && \"$M\" unwrap good.so; s=$?; test -e good.so && exit $s", 1,
     "good.so stays: "},

    /* A folder. */
    {true,
     "cp good.so two.so; cp \"$N\" lib.so; echo >text; ln -s good.so link.so; mkdir sub; "
     "\"$M\" wrap --all . --dry-run && ls | wc -l",
     0, "good.so: would be wrapped\ntwo.so: would be wrapped\n6"},
    {false, "\"$M\" wrap --all . && ls | wc -l", 0, "good.so: wrapped\ntwo.so: wrapped\n8"},
    {false, "\"$M\" wrap --all .", 0, "good.so: wrapped already\ntwo.so: wrapped already"},
    {false, "\"$M\" wrap --check --all .", 0,
     "good.so: wrapped, in order\ntwo.so: wrapped, in order"},
    {false, "cp \"$P\" n && mv n two.so && \"$M\" wrap --check --all .", 1,
     "good.so: wrapped, in order\ntwo.so: not wrapped"},
    {false, "rm two.so.unguarded; \"$M\" wrap two.so && \"$M\" unwrap --all . && ls | wc -l", 0,
     "good.so: unwrapped\ntwo.so: unwrapped\n6"},
    {false, "\"$M\" unwrap --all .", 0, ""},
    {false, "\"$M\" wrap --all sub", 1, "no file in it has an MI_Main"},
    {false, "\"$M\" wrap --all none", 3, "none: No such file"},

    /* Wrong usage. */
    {true, "\"$M\" wrap", 2, "name each FILE, or a folder with --all"},
    {false, "\"$M\" wrap --all . good.so", 2, "name each FILE, or a folder with --all"},
    {false, "\"$M\" wrap --output x good.so good.so", 2, "--output takes one FILE"},
    {false, "\"$M\" wrap --json good.so", 2, "--check"},
    {false, "\"$M\" unwrap", 2, "name each FILE"},
};

static bool says_each(const char *lines)
{
    char text[512], *save = NULL;

    snprintf(text, sizeof(text), "%s", lines);
    for (char *line = strtok_r(text, "\n", &save); line != NULL;
         line = strtok_r(NULL, "\n", &save)) {
        if (strstr(said, line) == NULL) {
            return false;
        }
    }
    return true;
}

static void check_step(size_t i)
{
    if (steps[i].begin) {
        begin("good");
    }
    run_here(steps[i].command);
    check(status == steps[i].status && says_each(steps[i].said), steps[i].command);
}

static void check_json(void)
{
    char path[512];

    begin("good");
    snprintf(path, sizeof(path), "%s/files/good.so.unguarded", folder);
    run_here("\"$M\" wrap good.so >/dev/null; \"$M\" wrap --check --json good.so");
    json_t *json = json_loads(said, 0, NULL);
    const char *real = json_string_value(json_object_get(json, "path"));
    const char *hash = json_string_value(json_object_get(json, "sha256"));
    check(status == 0 && real != NULL && strcmp(real, path) == 0 && hash != NULL &&
              strlen(hash) == 64 && json_is_true(json_object_get(json, "wrapped")) &&
              json_is_true(json_object_get(json, "in_order")) &&
              json_is_true(json_object_get(json, "in_place")) &&
              json_is_true(json_object_get(json, "same_build")) &&
              json_is_null(json_object_get(json, "problem")),
          "JSON of a shim");
    json_decref(json);
    run_here("sha256sum <good.so.unguarded; \"$M\" wrap --check good.so");
    check(strncmp(said, strstr(said, "sha256     ") != NULL ? strstr(said, "sha256     ") + 11 : "",
                  64) == 0,
          "the hash is that of sha256sum(1)");
    run_here("\"$M\" wrap --check --json good.so.unguarded");
    json = json_loads(said, 0, NULL);
    check(status == 1 && json_is_false(json_object_get(json, "wrapped")) &&
              json_is_false(json_object_get(json, "in_order")) &&
              json_is_null(json_object_get(json, "path")) &&
              json_is_string(json_object_get(json, "problem")),
          "JSON of a provider");
    json_decref(json);
}

/* ---- a host over time -------------------------------------------------------------------------
 */

static void check_host(void)
{
    const char *quick = getenv("QUICK");
    char command[512];
    long maps = -1, descriptors = -1, kib = -1;

    begin("one two three");
    run_here("\"$M\" wrap one.so two.so >/dev/null && \"$H\" load \"$LOG\" \"$PWD/one.so\" "
             "\"$PWD/two.so\" \"$PWD/three.so\" \"$PWD/one.so\"");
    check(status == 0 && count_text(": loaded, 1\n") == 4 && count_text("one.so: loaded, 1") == 2,
          "several in one process, and mapped anew when loaded again");
    run_here("grep '\"module-load\"' \"$LOG\" | grep -c '\"outcome\":\"success\"'");
    check(strcmp(said, "3\n") == 0, "each load of a shim is recorded");
    run_here("grep -c session-open \"$LOG\"; grep -o '\"provider\":\"[^\"]*\"' \"$LOG\" | sort -u");
    check(strstr(said, "\"one.so\"") != NULL && strstr(said, "\"two.so\"") != NULL &&
              strstr(said, "three") == NULL && strstr(said, "unguarded") == NULL,
          "both are guarded, by their own names; the third is not wrapped");

    run_here("\"$H\" foreign \"$LOG\" 20 \"$PWD/one.so\" \"$PWD/two.so\" \"$PWD/three.so\"");
    check(status == 0 && count_text(": answered, 1\n") == 60 && strstr(said, "host: lives") != NULL,
          "under the other host: registered, asked, unloaded when idle, 20 times");

    snprintf(command, sizeof(command),
             "\"$H\" cycle \"$LOG\" %s \"$PWD/one.so\" \"$PWD/two.so\" \"$PWD/three.so\"",
             quick != NULL && strcmp(quick, "1") == 0 ? "60" : "1000");
    run_here(command);
    bool read = sscanf(said, "grew: mappings %ld, descriptors %ld, resident %ld", &maps,
                       &descriptors, &kib) == 3;
    check(status == 0 && read && maps <= FEW_MAPPINGS && descriptors == 0,
          "nothing grows over many loads");
    printf("%s", said);

    run_here("\"$H\" threads \"$LOG\" \"$PWD/one.so\"");
    check(status == 0 && strstr(said, "served: 8") != NULL, "eight threads load one at once");
}

/* ---- LD_PRELOAD -------------------------------------------------------------------------------
 */

#define PRELOADED "LD_PRELOAD=\"$OUT_FOLDER/libmiguard-preload.so\" "

static void check_preload(void)
{
    const char *quick = getenv("QUICK");
    char command[512];
    long maps = -1, descriptors = -1;

    begin("one two null");
    run_here("ls \"$OUT_FOLDER/libmiguard-preload.so\"");
    if (status != 0) {
        printf("skip: preload: it is not built with a sanitizer\n");
        skipped++;
        return;
    }
    run_here(PRELOADED "\"$H\" load \"$LOG\" \"$PWD/one.so\" \"$PWD/two.so\" \"$PWD/null.so\"");
    check(status == 0 && count_text(": loaded, 1\n") == 2 &&
              strstr(said, "null.so: MI_Main returned NULL") != NULL,
          "a host with LD_PRELOAD loads as before");
    run_here("grep -o '\"provider\":\"[^\"]*\"' \"$LOG\" | sort -u");
    check(strcmp(said, "\"provider\":\"one.so\"\n\"provider\":\"two.so\"\n") == 0,
          "and its providers are guarded");
    run_here("\"$M\" wrap one.so >/dev/null; " PRELOADED
             "\"$H\" load \"$LOG\" \"$PWD/one.so\" && grep -c '\"session-open\"' \"$LOG\"");
    check(strstr(said, "one.so: loaded, 1") != NULL && strstr(said, "\n3\n") != NULL,
          "a shim is not wrapped twice");

    snprintf(command, sizeof(command),
             PRELOADED "\"$H\" cycle \"$LOG\" %s \"$PWD/one.so\" \"$PWD/two.so\"",
             quick != NULL && strcmp(quick, "1") == 0 ? "60" : "1000");
    run_here(command);
    bool read = sscanf(said, "grew: mappings %ld, descriptors %ld", &maps, &descriptors) == 2;
    check(status == 0 && read && maps <= FEW_MAPPINGS && descriptors == 0,
          "nothing grows with LD_PRELOAD");

    run_here("LD_PRELOAD=\"$OUT_FOLDER/libmiguard-preload.so $OUT_FOLDER/tests/shim/wrapper.so\" "
             "\"$H\" parent");
    check(strcmp(said, "getppid: right\n") == 0, "RTLD_NEXT is that of the caller");
    run_here("mkdir many; i=0; while [ $i -lt 1030 ]; do cp --reflink=auto \"$P\" many/$i.so; "
             "i=$((i + 1)); done; ulimit -n 4096; " PRELOADED
             "\"$H\" many many/*.so 2>said; cat said; "
             "grep -c 'more than 1024' said");
    check(strstr(said, "found 1024, different 1024\nfound 3, different 3\n") != NULL &&
              strstr(said, "\n6\n") != NULL,
          "more than there are stubs: not loaded, and said; free again when they are unloaded");
    run_here("mkdir lone && cp \"$OUT_FOLDER/libmiguard-preload.so\" lone/ && "
             "LD_PRELOAD=\"$PWD/lone/libmiguard-preload.so\" LD_LIBRARY_PATH= \"$T\" \"$P\"");
    check(status == 1 &&
              strstr(said, "miguard: a provider is not loaded, since it cannot be guarded: "
                           "libmiguard.so.0: cannot open shared object file") != NULL,
          "without libmiguard nothing is loaded");
}

/* ---- */

/* Below /run, or for another user in the home: the folders above must not be anybody's to write. */
static bool make_folder(void)
{
    const char *above = geteuid() == 0 ? "/run" : getenv("HOME");

    snprintf(folder, sizeof(folder), "%s/miguard-shim-test.XXXXXX", above != NULL ? above : "/run");
    if (mkdtemp(folder) == NULL || chmod(folder, 0755) != 0) {
        return false;
    }
    char path[300];
    snprintf(path, sizeof(path), "%s/log", folder);
    setenv("LOG", path, 1);
    snprintf(path, sizeof(path), "%s/files", folder);
    return mkdir(path, 0755) == 0;
}

static void set_paths(void)
{
    char path[512], *build = realpath(getenv("OUT") != NULL ? getenv("OUT") : "build", NULL);
    static const struct {
        const char *name, *path;
    } paths[] = {
        {"OUT_FOLDER", ""},           {"M", "/miguard"},
        {"H", "/tests/shim/host"},    {"P", "/tests/shim/provider.so"},
        {"N", "/libmiguard-host.so"}, {"T", "/tests/shim/bare"},
    };

    for (size_t i = 0; build != NULL && i < sizeof(paths) / sizeof(paths[0]); i++) {
        snprintf(path, sizeof(path), "%s%s", build, paths[i].path);
        setenv(paths[i].name, path, 1);
    }
    free(build);
    unsetenv("MIGUARD_POLICY");
}

int main(void)
{
    char remove[300];

    set_paths();
    if (!make_folder()) {
        printf("skip: shim: no folder that others cannot write\n0 passed, 0 failed, 1 skipped\n");
        return 0;
    }
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        check_refused(i);
    }
    check_made();
    check_mapped_before();
    check_never_loaded();
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        check_step(i);
    }
    check_json();
    check_host();
    check_preload();
    snprintf(remove, sizeof(remove), "rm -rf '%s'", folder);
    run(remove);
    printf("%d passed, %d failed, %d skipped\n", passed, failed, skipped);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
