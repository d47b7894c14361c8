/* SPDX-License-Identifier: MIT */
/*
 * A host for the tests of shims, in a process of its own with the shared libraries: what a user
 * has.
 *
 *     host load LOG FILE...     loads each with a server of its own, asks it, and prints
 *                               "FILE: loaded, N" or "FILE: MI_Main returned NULL"; then whether
 * the process is who it was host cycle LOG N FILE...  loads and unloads them N times in random
 * order, one server each; asks each; prints what grew host threads LOG FILE     eight threads load
 * it at once
 */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "miguard.h"
#include "miguard/host.h"
#include "support/foreign_host.h"

enum { MOST_FILES = 8, THREADS = 8 };

static void configure(const char *log)
{
    struct miguard_config config = MIGUARD_CONFIG_INIT;
    struct miguard_error error;

    config.audit_file = log;
    if (miguard_configure(&config, &error) != MIGUARD_OK) {
        fprintf(stderr, "configure: %s\n", error.detail);
        exit(2);
    }
}

/* A server with one module; NULL when it is refused. */
static struct miguard_host *load(const char *path, struct miguard_error *error)
{
    struct miguard_host *host = NULL;

    if (miguard_host_new(NULL, &host, error) != MIGUARD_OK) {
        exit(2);
    }
    if (miguard_host_load(host, path, NULL, error) != MIGUARD_OK) {
        miguard_host_free(host);
        return NULL;
    }
    return host;
}

/* The count of MI_Main that the provider of the file answers; -1 when it is refused. */
static long ask_session(MI_Session *session, const char *path)
{
    char name[64];
    const char *file = strrchr(path, '/') + 1;
    MI_Operation operation = MI_OPERATION_NULL;
    const MI_Instance *instance = NULL;
    MI_Boolean more = MI_FALSE;
    MI_Result result = MI_RESULT_FAILED;
    MI_Value value = {0};
    long count = -1;

    snprintf(name, sizeof(name), "T_%.*s", (int)strcspn(file, "."), file);
    MI_Session_EnumerateInstances(session, 0, NULL, "root/test", name, MI_FALSE, NULL, &operation);
    MI_Operation_GetInstance(&operation, &instance, &more, &result, NULL, NULL);
    if (result == MI_RESULT_OK && instance != NULL &&
        MI_Instance_GetElement(instance, "MainCalls", &value, NULL, NULL, NULL) == MI_RESULT_OK) {
        count = (long)value.uint32;
    }
    while (more && MI_Operation_GetInstance(&operation, &instance, &more, &result, NULL, NULL) ==
                       MI_RESULT_OK) {
    }
    MI_Operation_Close(&operation);
    return count;
}

static long ask(struct miguard_host *host, const char *path)
{
    MI_Session session = MI_SESSION_NULL;

    if (miguard_host_session(host, &session, NULL) != MIGUARD_OK) {
        exit(2);
    }
    long count = ask_session(&session, path);
    MI_Session_Close(&session, NULL, NULL);
    return count;
}

static int load_each(char **files)
{
    struct miguard_identity *before = NULL, *after = NULL;

    if (miguard_identity_capture(&before, NULL) != MIGUARD_OK) {
        return 2;
    }
    for (; *files != NULL; files++) {
        struct miguard_error error;
        struct miguard_host *host = load(*files, &error);
        const char *slash = strrchr(*files, '/');
        if (host == NULL) {
            printf("%s: %s\n", slash + 1, error.detail);
            continue;
        }
        printf("%s: loaded, %ld\n", slash + 1, ask(host, *files));
        miguard_host_free(host);
    }
    if (miguard_identity_capture(&after, NULL) != MIGUARD_OK) {
        return 2;
    }
    printf("the thread is %s\n",
           miguard_identity_compare(before, after) == 0 ? "who it was" : "another");
    miguard_identity_free(before);
    miguard_identity_free(after);
    return 0;
}

/* ---- what grows -------------------------------------------------------------------------------
 */

/* Lines of a file, or a number in it behind a name. */
static long count_lines(const char *path)
{
    FILE *file = fopen(path, "r");
    long lines = 0;
    int c;

    while (file != NULL && (c = fgetc(file)) != EOF) {
        lines += c == '\n';
    }
    if (file != NULL) {
        fclose(file);
    }
    return lines;
}

static long count_descriptors(void)
{
    long count = 0;

    for (int fd = 0; fd < 4096; fd++) {
        errno = 0;
        count += lseek(fd, 0, SEEK_CUR) >= 0 || errno != EBADF;
    }
    return count;
}

static long resident_kib(void)
{
    FILE *file = fopen("/proc/self/status", "r");
    char line[256];
    long kib = -1;

    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        (void)sscanf(line, "VmRSS: %ld", &kib);
    }
    if (file != NULL) {
        fclose(file);
    }
    return kib;
}

/* One step: loads the file, or unloads it when it is loaded. 0: as it should be. */
static int turn(const char *path, struct miguard_host **host)
{
    struct miguard_error error;

    if (*host != NULL) {
        miguard_host_free(*host);
        *host = NULL;
        return 0;
    }
    *host = load(path, &error);
    if (*host == NULL) {
        fprintf(stderr, "%s: %s\n", path, error.detail);
        return 1;
    }
    if (ask(*host, path) < 1) {
        fprintf(stderr, "%s: no answer\n", path);
        return 1;
    }
    return 0;
}

static int cycle(unsigned long times, char **files)
{
    struct miguard_host *hosts[MOST_FILES] = {NULL};
    long maps = 0, descriptors = 0, kib = 0;
    size_t count = 0;

    while (files[count] != NULL && count < MOST_FILES) {
        count++;
    }
    srand(1);
    /* Each is turned on and off about `times` times; the first tenth warms up. */
    for (unsigned long i = 0; i < 2 * times * count; i++) {
        size_t which = (size_t)rand() % count;
        if (turn(files[which], &hosts[which]) != 0) {
            return 1;
        }
        if (i == times * count / 5) {
            for (size_t k = 0; k < count; k++) {
                miguard_host_free(hosts[k]);
                hosts[k] = NULL;
            }
            maps = count_lines("/proc/self/maps");
            descriptors = count_descriptors();
            kib = resident_kib();
        }
    }
    for (size_t k = 0; k < count; k++) {
        miguard_host_free(hosts[k]);
    }
    printf("grew: mappings %ld, descriptors %ld, resident %ld KiB\n",
           count_lines("/proc/self/maps") - maps, count_descriptors() - descriptors,
           resident_kib() - kib);
    return 0;
}

/* ---- threads ----------------------------------------------------------------------------------
 */

static pthread_barrier_t together;

static void *load_once(void *path)
{
    struct miguard_error error;
    struct miguard_host *host;

    pthread_barrier_wait(&together);
    host = load(path, &error);
    long count = host != NULL ? ask(host, path) : -1;
    /* No one is unloaded before all are loaded. */
    pthread_barrier_wait(&together);
    miguard_host_free(host);
    return count > 0 ? path : NULL;
}

static int load_together(char *path)
{
    pthread_t threads[THREADS];
    int served = 0;

    pthread_barrier_init(&together, NULL, THREADS);
    for (int i = 0; i < THREADS; i++) {
        if (pthread_create(&threads[i], NULL, load_once, path) != 0) {
            return 2;
        }
    }
    for (int i = 0; i < THREADS; i++) {
        void *result = NULL;
        pthread_join(threads[i], &result);
        served += result != NULL;
    }
    printf("served: %d\n", served);
    return 0;
}

/* ---- looking up -------------------------------------------------------------------------------
 */

static int compare_parent(void)
{
    printf("getppid: %s\n", getppid() == (pid_t)syscall(SYS_getppid) ? "right" : "wrong");
    return 0;
}

static int by_address(const void *one, const void *other)
{
    const char *a = *(char *const *)one, *b = *(char *const *)other;

    return a < b ? -1 : a > b;
}

static int look_up(char **files, size_t count)
{
    void **libraries = calloc(count, sizeof(*libraries)), **found = calloc(count, sizeof(*found));
    size_t distinct = 0, all = 0;

    if (libraries == NULL || found == NULL) {
        return 2;
    }
    for (size_t i = 0; i < count; i++) {
        libraries[i] = dlopen(files[i], RTLD_NOW | RTLD_LOCAL);
        found[i] = libraries[i] != NULL ? dlsym(libraries[i], "MI_Main") : NULL;
    }
    for (size_t i = 0; i < count; i++) {
        if (libraries[i] != NULL) {
            dlclose(libraries[i]);
        }
    }
    qsort(found, count, sizeof(*found), by_address);
    for (size_t i = 0; i < count; i++) {
        all += found[i] != NULL;
        distinct += found[i] != NULL && (i == 0 || found[i] != found[i - 1]);
    }
    printf("found %zu, different %zu\n", all, distinct);
    free(libraries);
    free(found);
    return 0;
}

/* ---- the other host ---------------------------------------------------------------------------
 */

/* Registers each file, which maps it and unmaps it, asks it, and unloads it when it is idle; so
 * often. */
static int serve_foreign(char **files, unsigned long times)
{
    struct foreign_host *host = foreign_host_new(NULL);
    MI_Session session = MI_SESSION_NULL;
    unsigned agent = 0;
    char why[256];

    for (char **file = files; *file != NULL; file++) {
        if (!foreign_host_open(host, *file, agent++ % FOREIGN_AGENTS, why)) {
            printf("%s: %s\n", strrchr(*file, '/') + 1, why);
        }
    }
    foreign_host_session(host, &session);
    for (unsigned long i = 0; i < times; i++) {
        for (char **file = files; *file != NULL; file++) {
            printf("%s: answered, %ld\n", strrchr(*file, '/') + 1, ask_session(&session, *file));
        }
        foreign_host_idle(host);
    }
    printf("host: %s\n", foreign_host_died(host) != NULL ? foreign_host_died(host) : "lives");
    MI_Session_Close(&session, NULL, NULL);
    foreign_host_free(host);
    return 0;
}

int main(int count, char **arguments)
{
    if (count == 2 && strcmp(arguments[1], "parent") == 0) {
        return compare_parent();
    }
    if (count > 2 && strcmp(arguments[1], "many") == 0) {
        int status = look_up(arguments + 2, (size_t)count - 2);
        /* Fills what is free, so that the second time has other addresses. */
        for (int i = 0; i < 4096; i++) {
            (void)mmap(NULL, 65536, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        }
        return status + look_up(arguments + 2, 3);
    }
    if (count < 4) {
        return 2;
    }
    configure(arguments[2]);
    if (strcmp(arguments[1], "foreign") == 0) {
        return serve_foreign(arguments + 4, strtoul(arguments[3], NULL, 10));
    }
    if (strcmp(arguments[1], "load") == 0) {
        return load_each(arguments + 3);
    }
    return strcmp(arguments[1], "cycle") == 0
               ? cycle(strtoul(arguments[3], NULL, 10), arguments + 4)
               : load_together(arguments[3]);
}
