/* SPDX-License-Identifier: MIT */
/*
 * Which files make a policy, and the draft that comes out of them.
 *
 * draft_load() begins a load, reads each path (load_path), a file (load_file) or the sorted *.yaml
 * of a folder (load_folder), and ends it: the draft is kept only without an error. Every file is
 * opened by trust_open(), which proves the path step by step, and what was opened is what is read.
 */
#include "policy/load.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "identity/trust.h"
#include "policy/policy.h"
#include "policy/schema.h"

/* Of a folder no more is read than this, whatever is in it. */
enum { MAX_ENTRIES = 4096 };

/* Milliseconds that all questions of one load may take together: a reload, and a thread that waits
 * for it, must end although the directory never answers. */
enum { DIRECTORY_PATIENCE = 5000 };

/* A draft and the memory that all its parts are in. */
struct storage {
    struct policy_draft draft;
    struct arena arena;
};

/* The draft lies in it as well. */
static void storage_free(struct storage *storage)
{
    arena_release(&storage->arena);
    base_free(storage);
}

void draft_free(struct policy_draft *draft)
{
    if (draft != NULL) {
        storage_free(draft->memory);
    }
}

/* ---- one load, from begin to end ------------------------------------------------------------- */

/*
 * begin() prepares, each file adds, end() decides. Nothing of a set with an error comes out.
 */

/* Records go to the standard file where no policy names a sink. */
static const struct draft_sink built_in_sink = {
    .place = {.file = "built-in"},
    .settings = SINK_FILE_DEFAULT(AUDIT_DEFAULT_FILE),
};

/* What is in force where no file gives a setting. A mismatch is denied, a call whose record cannot
 * be written is denied, and all else is allowed. */
static const struct draft_settings built_in = {
    .mode = DRAFT_ENFORCE,
    .mode_place = {.file = "built-in"},
    .decision = DRAFT_ALLOW,
    .decision_place = {.file = "built-in"},
    .audit_failure_denies = true,
    .audit_failure_place = {.file = "built-in"},
    .on_mismatch = DRAFT_MISMATCH_DENY,
    .on_mismatch_place = {.file = "built-in"},
    .audit = POLICY_AUDIT_DENY | POLICY_AUDIT_OPEN,
    .audit_place = {.file = "built-in"},
    .compared = MIGUARD_COMPONENTS_ALL,
    .compared_place = {.file = "built-in"},
    .watch = false,
    .watch_place = {.file = "built-in"},
    .gate = {sizeof(struct miguard_gate_options), MIGUARD_GATE_OFF, MIGUARD_GATE_ERRNO, false,
             false},
    .gate_scope_place = {.file = "built-in"},
    .gate_action_place = {.file = "built-in"},
    .gate_report_place = {.file = "built-in"},
    .gate_io_uring_place = {.file = "built-in"},
    .sinks = &built_in_sink,
    .sink_count = 1,
    .sinks_place = {.file = "built-in"},
    .repeat_seconds = AUDIT_REPEAT_SECONDS,
    .repeat_place = {.file = "built-in"},
    .keys = AUDIT_KEYS_ALL,
    .keys_place = {.file = "built-in"},
};

/* One load: what schema.c fills, and what becomes the draft. */
struct loading {
    struct load load;
    struct storage *storage;
    enum draft_trust trust;
    crypto_hash_sha256_state hash; /* of the files so far */
};

/* The time for the directory starts here. False when memory is out, with errors->failed set. */
static bool begin(struct loading *loading, enum draft_trust trust, struct diagnostics *errors)
{
    *loading = (struct loading){.trust = trust, .load.settings = built_in, .load.errors = errors};
    loading->storage = base_alloc(1, sizeof(*loading->storage));
    if (loading->storage == NULL) {
        errors->failed = true;
        return false;
    }
    loading->load.kept = &loading->storage->arena;
    (void)crypto_hash_sha256_init(&loading->hash);
    directory_begin(&loading->load.asker, DIRECTORY_PATIENCE);
    return true;
}

/* libsodium's SHA-256 is plain C without state of its own: sodium_init() is not needed for it. The
 * line is what sha256sum(1) and cut(1) give, so that an auditor can make the same hash. */
static void hash_file(struct loading *loading, const char *text, size_t length)
{
    unsigned char hash[crypto_hash_sha256_BYTES];
    char line[DRAFT_HASH_SIZE];

    (void)crypto_hash_sha256(hash, (const unsigned char *)text, length);
    (void)sodium_bin2hex(line, sizeof(line), hash, sizeof(hash));
    line[sizeof(line) - 1] = '\n';
    (void)crypto_hash_sha256_update(&loading->hash, (const unsigned char *)line, sizeof(line));
}

/* "" when no file was read. */
static void finish_hash(struct loading *loading, char ret_hash[DRAFT_HASH_SIZE])
{
    unsigned char hash[crypto_hash_sha256_BYTES];

    ret_hash[0] = '\0';
    if (loading->load.file_count > 0) {
        (void)crypto_hash_sha256_final(&loading->hash, hash);
        (void)sodium_bin2hex(ret_hash, DRAFT_HASH_SIZE, hash, sizeof(hash));
    }
}

/* A growing array as an array of the draft's. Also for a count of 0: arena_take() gives memory
 * then, too. */
static const void *keep_array(struct load *load, const void *items, size_t count, size_t size)
{
    void *copy = arena_take(load->kept, count, size);

    if (copy != NULL && count > 0) {
        memcpy(copy, items, count * size);
    }
    return copy;
}

/* Arrays that grew on the heap become the draft's. */
static void fill_draft(struct loading *loading)
{
    struct load *load = &loading->load;
    struct policy_draft *draft = &loading->storage->draft;

    *draft = (struct policy_draft){
        .settings = load->settings,
        .rules = keep_array(load, load->rules, load->rule_count, sizeof(*load->rules)),
        .rule_count = load->rule_count,
        .tests = keep_array(load, load->tests, load->test_count, sizeof(*load->tests)),
        .test_count = load->test_count,
        .files = keep_array(load, load->files, load->file_count, sizeof(load->files[0])),
        .file_count = load->file_count,
        .memory = loading->storage,
    };
    finish_hash(loading, draft->hash);
}

/* Errors win over a draft: it is released and *ret_draft not written. Out of memory comes first,
 * since the list of errors may then lack some. */
static enum miguard_status end(struct loading *loading, struct policy_draft **ret_draft)
{
    struct load *load = &loading->load;
    enum miguard_status status = MIGUARD_OK;

    schema_finish(load);
    directory_end(&load->asker);
    fill_draft(loading);
    if (load->failed || load->temporary.failed || load->kept->failed || load->errors->failed) {
        load->errors->failed = true;
        status = MIGUARD_NO_MEMORY;
    } else if (load->errors->errors > 0) {
        status = MIGUARD_BAD_POLICY;
    }
    base_free(load->rules);
    base_free(load->rule_hashes);
    base_free(load->tests);
    arena_release(&load->temporary);
    if (status != MIGUARD_OK) {
        storage_free(loading->storage);
        return status;
    }
    *ret_draft = &loading->storage->draft;
    return MIGUARD_OK;
}

/* ---- files ----------------------------------------------------------------------------------- */

/*
 * A file is read whole, up to its limit, before anything of it is parsed: what is hashed is what is
 * parsed, even when the file changes meanwhile.
 */

/* About a file or folder as a whole. */
__attribute__((format(printf, 4, 5))) static void report_problem(struct loading *loading,
                                                                 enum diagnostic_severity severity,
                                                                 const char *path,
                                                                 const char *format, ...)
{
    struct policy_place place = {.file = path};
    char message[512];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    diagnostic_add(loading->load.errors, severity, &place, NULL, 0, "%s", message);
}

/* text must live as long as the load: errors show lines of it. */
static void read_source(struct loading *loading, const char *name, const char *text, size_t length)
{
    struct load *load = &loading->load;
    struct policy_source *source = arena_take(&load->temporary, 1, sizeof(*source));

    if (load->file_count == DRAFT_MAX_FILES) {
        report_problem(loading, DIAGNOSTIC_ERROR, name, "more than %d files; join some",
                       DRAFT_MAX_FILES);
        return;
    }
    if (source == NULL) {
        load->failed = true;
        return;
    }
    source->name = name;
    source->text = text;
    source->length = length;
    hash_file(loading, text, length);
    schema_read(load, source);
}

/* At most one byte more than a file may have: that says that it is too large. -1: errno says
 * why. */
static ssize_t read_all(int fd, char *buffer, size_t size)
{
    size_t length = 0;

    while (length < size) {
        ssize_t got = read(fd, buffer + length, size - length);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return -1;
        }
        if (got == 0) {
            break;
        }
        length += (size_t)got;
    }
    return (ssize_t)length;
}

/* Copies the text, so that the load keeps no more of a small file than its size. */
static void take_text(struct loading *loading, const char *path, const char *buffer, size_t length)
{
    struct arena *temporary = &loading->load.temporary;
    const char *text = arena_copy(temporary, buffer, length);
    const char *name = arena_copy(temporary, path, strlen(path));

    if (text == NULL || name == NULL) {
        loading->load.failed = true;
        return;
    }
    read_source(loading, name, text, length);
}

/* The size is bounded by reading, not by st_size: the file may grow. */
static void load_file(struct loading *loading, const char *path, int fd)
{
    char *buffer = base_alloc(DRAFT_MAX_FILE + 1, 1);

    if (buffer == NULL) {
        loading->load.failed = true;
        return;
    }
    ssize_t length = read_all(fd, buffer, DRAFT_MAX_FILE + 1);
    if (length < 0) {
        report_problem(loading, DIAGNOSTIC_ERROR, path, "read: %s", strerrordesc_np(errno));
    } else {
        take_text(loading, path, buffer, (size_t)length);
    }
    base_free(buffer);
}

/* ---- a folder -------------------------------------------------------------------------------- */

/* One more than allowed, so that the excess shows. */
struct listing {
    const char *names[DRAFT_MAX_FILES + 1];
    uint32_t count, entries;
};

/* Byte order, whatever the locale; each name is put where it belongs. */
static void insert_name(struct listing *listing, const char *name)
{
    uint32_t at = listing->count++;

    for (; at > 0 && strcmp(listing->names[at - 1], name) > 0; at--) {
        listing->names[at] = listing->names[at - 1];
    }
    listing->names[at] = name;
}

/* Hidden files and editors' copies (x.yaml~, .x.yaml.swp) are not read. */
static bool is_policy_name(const char *name)
{
    size_t length = strlen(name);

    return name[0] != '.' && length > 5 && strcmp(name + length - 5, ".yaml") == 0;
}

/* The signature of a bundle, which `miguard policy install` puts beside it, is expected here. */
static bool is_signature_name(const char *name)
{
    static const char end[] = ".yaml.minisig";
    size_t length = strlen(name), end_length = sizeof(end) - 1;

    return name[0] != '.' && length > end_length && strcmp(name + length - end_length, end) == 0;
}

/* In the load's memory; NULL when it is out. */
static char *join(struct loading *loading, const char *folder, const char *name)
{
    size_t length = strlen(folder), size = length + strlen(name) + 2;
    char *path = arena_take(&loading->load.temporary, size, 1);

    if (path == NULL) {
        loading->load.failed = true;
        return NULL;
    }
    while (length > 1 && folder[length - 1] == '/') {
        length--;
    }
    snprintf(path, size, "%.*s%s%s", (int)length, folder,
             length == 1 && folder[0] == '/' ? "" : "/", name);
    return path;
}

/* False when the listing is to end. A file with another name gets a warning, because it may be a
 * policy that was meant to act. */
static bool list_entry(struct loading *loading, const char *folder, const char *name,
                       struct listing *listing)
{
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        return true;
    }
    if (++listing->entries > MAX_ENTRIES) {
        report_problem(loading, DIAGNOSTIC_ERROR, folder,
                       "more than %d entries; keep only policies here", MAX_ENTRIES);
        return false;
    }
    if (is_signature_name(name)) {
        return true;
    }
    char *path = join(loading, folder, name);
    if (path == NULL) {
        return false;
    }
    if (!is_policy_name(name)) {
        report_problem(loading, DIAGNOSTIC_WARNING, path,
                       "ignored: a policy's name ends in \".yaml\" and does not begin with a dot");
        return true;
    }
    if (listing->count == DRAFT_MAX_FILES) {
        report_problem(loading, DIAGNOSTIC_ERROR, folder, "more than %d files; join some",
                       DRAFT_MAX_FILES);
        return false;
    }
    insert_name(listing, path);
    return true;
}

/* getdents64(2) itself: readdir(3) would allocate behind the seam's back. */
static void list_folder(struct loading *loading, const char *folder, int fd,
                        struct listing *listing)
{
    /* Entries are read in place. */
    _Alignas(struct dirent64) char buffer[16 * 1024];

    for (;;) {
        ssize_t length = getdents64(fd, buffer, sizeof(buffer));
        if (length == 0) {
            return;
        }
        if (length < 0) {
            report_problem(loading, DIAGNOSTIC_ERROR, folder, "getdents64: %s",
                           strerrordesc_np(errno));
            return;
        }
        for (ssize_t at = 0; at < length;) {
            const struct dirent64 *entry = (const struct dirent64 *)(const void *)(buffer + at);
            if (!list_entry(loading, folder, entry->d_name, listing)) {
                return;
            }
            at += entry->d_reclen;
        }
    }
}

/* TRUST_REFUSED is reported here, TRUST_ABSENT by the caller, who knows whether it matters. */
static enum trust_result open_trusted(struct loading *loading, const char *path, int *ret_fd,
                                      struct stat *ret_status)
{
    char problem[TRUST_PROBLEM];
    struct policy_place place = {.file = path};
    /* Without trust the file is only opened, for `policy check` and for tests. */
    enum trust_rule rule = loading->trust == DRAFT_TRUST_ALL ? TRUST_STRICT : TRUST_ANYBODY;
    enum trust_result result = trust_open(path, rule, problem, ret_fd, ret_status);

    if (result == TRUST_REFUSED) {
        diagnostic_add(loading->load.errors, DIAGNOSTIC_ERROR, &place, NULL, 0, "%s", problem);
    }
    return result;
}

/* A file that vanished is an error: half of a set must not come into force. */
static void load_listed(struct loading *loading, const char *path)
{
    struct stat status;
    int fd;
    enum trust_result result = open_trusted(loading, path, &fd, &status);

    if (result == TRUST_ABSENT) {
        report_problem(loading, DIAGNOSTIC_ERROR, path,
                       "it vanished while its folder was read; try again");
    }
    if (result != TRUST_OPENED) {
        loading->load.incomplete = true;
        return;
    }
    if (S_ISDIR(status.st_mode)) {
        report_problem(loading, DIAGNOSTIC_ERROR, path,
                       "a folder; folders in a policy folder are not read");
    } else {
        load_file(loading, path, fd);
    }
    close(fd);
}

/* All names first, then the files in byte order: the order decides between rules. */
static void load_folder(struct loading *loading, const char *folder, int fd)
{
    struct listing listing = {.count = 0};

    list_folder(loading, folder, fd, &listing);
    for (uint32_t i = 0; i < listing.count; i++) {
        load_listed(loading, listing.names[i]);
    }
}

/* ---- the ways in ----------------------------------------------------------------------------- */

/* may_be_absent is for the standard places alone. */
static void load_path(struct loading *loading, const char *path, bool may_be_absent)
{
    struct stat status;
    int fd;
    enum trust_result result = open_trusted(loading, path, &fd, &status);

    if (result == TRUST_ABSENT && may_be_absent) {
        return;
    }
    if (result == TRUST_ABSENT) {
        report_problem(loading, DIAGNOSTIC_ERROR, path, "no such file or folder");
    }
    if (result != TRUST_OPENED) {
        loading->load.incomplete = true;
        return;
    }
    if (S_ISDIR(status.st_mode)) {
        load_folder(loading, path, fd);
    } else {
        load_file(loading, path, fd);
    }
    close(fd);
}

/* With neither file nor folder the draft is the built-in one. */
enum miguard_status load_standard(const char *file, const char *folder, enum draft_trust trust,
                                  struct policy_draft **ret_draft, struct diagnostics *errors)
{
    struct loading loading;

    if (!begin(&loading, trust, errors)) {
        return MIGUARD_NO_MEMORY;
    }
    load_path(&loading, file, true);
    load_path(&loading, folder, true);
    return end(&loading, ret_draft);
}

/* Arguments are checked before anything is opened. */
enum miguard_status draft_load(const char *const *paths, size_t path_count, enum draft_trust trust,
                               struct policy_draft **ret_draft, struct diagnostics *errors)
{
    struct loading loading;

    if (ret_draft == NULL || errors == NULL || (paths == NULL && path_count > 0)) {
        return MIGUARD_INVALID_ARGUMENT;
    }
    if (path_count == 0) {
        return load_standard(POLICY_FILE, POLICY_FOLDER, trust, ret_draft, errors);
    }
    for (size_t i = 0; i < path_count; i++) {
        if (paths[i] == NULL || paths[i][0] == '\0') {
            return MIGUARD_INVALID_ARGUMENT;
        }
    }
    if (!begin(&loading, trust, errors)) {
        return MIGUARD_NO_MEMORY;
    }
    for (size_t i = 0; i < path_count; i++) {
        load_path(&loading, paths[i], false);
    }
    return end(&loading, ret_draft);
}

/* Without trust: the text has no owner. */
enum miguard_status draft_load_text(const char *name, const char *text, size_t length,
                                    struct policy_draft **ret_draft, struct diagnostics *errors)
{
    struct loading loading;

    if (name == NULL || (text == NULL && length > 0) || ret_draft == NULL || errors == NULL) {
        return MIGUARD_INVALID_ARGUMENT;
    }
    if (!begin(&loading, DRAFT_TRUST_NONE, errors)) {
        return MIGUARD_NO_MEMORY;
    }
    read_source(&loading, name, text == NULL ? "" : text, length);
    return end(&loading, ret_draft);
}

/* Cannot have errors, so the list is not looked at. */
enum miguard_status draft_builtin(struct policy_draft **ret_draft)
{
    struct diagnostics errors = DIAGNOSTICS_EMPTY;
    struct loading loading;

    if (ret_draft == NULL) {
        return MIGUARD_INVALID_ARGUMENT;
    }
    return begin(&loading, DRAFT_TRUST_NONE, &errors) ? end(&loading, ret_draft)
                                                      : MIGUARD_NO_MEMORY;
}
