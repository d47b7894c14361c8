/* SPDX-License-Identifier: MIT */
#include "support/log.h"

#include <dirent.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "miguard.h"
#include "support/record.h"

static char folder[] = "/tmp/miguard-test-XXXXXX";
static pid_t owner; /* who made it; a forked child leaves it alone */

/* The log, its state, and what was rotated. */
static void empty_folder(void)
{
    char path[512];
    DIR *entries = opendir(folder);

    for (struct dirent *entry; entries != NULL && (entry = readdir(entries)) != NULL;) {
        snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        unlink(path);
    }
    if (entries != NULL) {
        closedir(entries);
    }
}

/* A folder of its own: a log is not made where everybody can write. */
const char *log_path(void)
{
    static char path[64];

    if (owner == 0) {
        if (mkdtemp(folder) == NULL || chmod(folder, 0755) != 0) {
            abort();
        }
        snprintf(path, sizeof(path), "%s/audit.jsonl", folder);
        owner = getpid();
        atexit(log_remove);
    }
    return path;
}

void log_start(void)
{
    log_start_with(0); /* tests count records */
}

void log_start_with(int repeat_window)
{
    struct miguard_config config = MIGUARD_CONFIG_INIT;
    struct miguard_error error = {0};

    config.audit_file = log_path();
    empty_folder();
    config.repeat_window = repeat_window;
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
        started = true;
    }
}

void log_remove(void)
{
    if (owner == getpid()) {
        empty_folder();
        rmdir(folder);
        owner = 0;
        strcpy(folder + sizeof(folder) - 7, "XXXXXX");
    }
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

/* Whatever a test asks of its log, each record in it has to be one by the schema. */
static bool is_record(const json_t *record)
{
    char why[256];

    if (!json_is_object(record) || !record_check(record, why, sizeof(why))) {
        fprintf(stderr, "no record: %s\n", json_is_object(record) ? why : "no JSON object");
        return false;
    }
    return true;
}

long log_count(const char *action, const char *reason)
{
    FILE *file = fopen(log_path(), "r");
    char *line = NULL;
    size_t size = 0;
    long count = 0;

    while (file != NULL && getline(&line, &size, file) > 0) {
        json_t *record = record_json(line, strlen(line));
        if (!is_record(record)) {
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

static long mentions_in(const char *path, const char *text)
{
    FILE *file = fopen(path, "r");
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

long log_mentions(const char *text)
{
    char path[512];
    long count = 0;
    DIR *entries = opendir(folder);

    for (struct dirent *entry; entries != NULL && (entry = readdir(entries)) != NULL;) {
        if (strncmp(entry->d_name, "audit.jsonl", 11) == 0 &&
            strcmp(entry->d_name + 11, ".state") != 0) {
            snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
            count += mentions_in(path, text);
        }
    }
    if (entries != NULL) {
        closedir(entries);
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
        json_t *record = record_json(line, strlen(line));
        snprintf(value, sizeof(value), "%s", at(record, path));
        json_decref(record);
    }
    free(line);
    if (file != NULL) {
        fclose(file);
    }
    return value;
}
