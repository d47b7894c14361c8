/* SPDX-License-Identifier: MIT */
#include "support/memory.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED true
#endif
#endif
#ifndef SANITIZED
#define SANITIZED false
#endif

/* Read without stdio, whose buffers would be counted. */
static void each_block(const char *path, void (*look)(const char *block, size_t size, void *data),
                       void *data)
{
    char block[4097];
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = 0;

    while (file >= 0 && (size = read(file, block, sizeof(block) - 1)) > 0) {
        block[size] = '\0';
        look(block, (size_t)size, data);
    }
    if (file >= 0) {
        close(file);
    }
}

static void count_lines(const char *block, size_t size, void *data)
{
    for (size_t i = 0; i < size; i++) {
        *(long *)data += block[i] == '\n';
    }
}

static void second_number(const char *block, size_t size, void *data)
{
    long pages = 0;
    (void)size;
    if (sscanf(block, "%*d %ld", &pages) == 1) {
        *(long *)data = pages * sysconf(_SC_PAGESIZE);
    }
}

static void page_table_size(const char *block, size_t size, void *data)
{
    const char *line = strstr(block, "VmPTE:");
    (void)size;
    if (line != NULL) {
        *(long *)data = strtol(line + strlen("VmPTE:"), NULL, 10) * 1024;
    }
}

struct memory memory_now(void)
{
    struct memory now = {0};

    each_block("/proc/self/statm", second_number, &now.resident);
    each_block("/proc/self/status", page_table_size, &now.page_tables);
    each_block("/proc/self/maps", count_lines, &now.mappings);
    return now;
}

static long more(long a, long b)
{
    return a > b ? a : b;
}

struct memory memory_most(struct memory a, struct memory b)
{
    return (struct memory){more(a.resident, b.resident), more(a.page_tables, b.page_tables),
                           more(a.mappings, b.mappings)};
}

bool memory_under_valgrind(void)
{
    const char *runner = getenv("RUNNER");
    return runner != NULL && strstr(runner, "valgrind") != NULL;
}

bool memory_is_not_ours(void)
{
    return SANITIZED || memory_under_valgrind();
}
