/* SPDX-License-Identifier: MIT */
#include "support/log.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "miguard.h"

const char *log_path(void)
{
    static char path[] = "/tmp/miguard-test-XXXXXX.jsonl";
    static bool chosen;
    if (!chosen) {
        int fd = mkstemps(path, 6);
        if (fd < 0) {
            abort();
        }
        close(fd);
        unlink(path);
        chosen = true;
    }
    return path;
}

void log_start(void)
{
    struct miguard_config config = MIGUARD_CONFIG_INIT;
    struct miguard_error error = {0};

    unlink(log_path());
    config.audit_file = log_path();
    if (miguard_configure(&config, &error) != MIGUARD_OK) {
        fprintf(stderr, "miguard_configure: %s: %s\n", error.step, error.detail);
        abort();
    }
}

void log_start_once(void)
{
    static bool started;
    if (!started) {
        log_start();
        atexit(log_remove);
        started = true;
    }
}

void log_remove(void)
{
    unlink(log_path());
}

static const char *at(const json_t *record, const char *path)
{
    char copy[128];
    char *rest = NULL;

    snprintf(copy, sizeof(copy), "%s", path);
    for (char *key = strtok_r(copy, ".", &rest); key != NULL; key = strtok_r(NULL, ".", &rest)) {
        record = json_object_get(record, key);
    }
    const char *value = json_string_value(record);
    return value != NULL ? value : "";
}

static bool matches(const json_t *record, const char *action, const char *reason)
{
    return (action == NULL || strcmp(at(record, "event.action"), action) == 0) &&
           (reason == NULL || strcmp(at(record, "event.reason"), reason) == 0);
}

long log_count(const char *action, const char *reason)
{
    FILE *file = fopen(log_path(), "r");
    char *line = NULL;
    size_t size = 0;
    long count = 0;

    while (file != NULL && getline(&line, &size, file) > 0) {
        json_t *record = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
        if (!json_is_object(record)) {
            count -= 1000000;
        } else if (matches(record, action, reason)) {
            count++;
        }
        json_decref(record);
    }
    free(line);
    if (file != NULL) {
        fclose(file);
    }
    return count;
}

long log_mentions(const char *text)
{
    FILE *file = fopen(log_path(), "r");
    char *line = NULL;
    size_t size = 0;
    long count = 0;

    while (file != NULL && getline(&line, &size, file) > 0) {
        count += strstr(line, text) != NULL;
    }
    free(line);
    if (file != NULL) {
        fclose(file);
    }
    return count;
}

const char *log_last(const char *path)
{
    static char value[512];
    FILE *file = fopen(log_path(), "r");
    char *line = NULL;
    size_t size = 0;

    value[0] = '\0';
    while (file != NULL && getline(&line, &size, file) > 0) {
        json_t *record = json_loads(line, 0, NULL);
        snprintf(value, sizeof(value), "%s", at(record, path));
        json_decref(record);
    }
    free(line);
    if (file != NULL) {
        fclose(file);
    }
    return value;
}
