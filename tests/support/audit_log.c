/* SPDX-License-Identifier: MIT */
#include "support/audit_log.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "support/record.h"

char audit_log_folder[64], audit_log_path[128];

/* Less than what a log reports, as df(1) counts. */
static bool has_room(const char *folder)
{
    struct statvfs space;

    if (statvfs(folder, &space) != 0) {
        return false;
    }
    uint64_t used = space.f_blocks - space.f_bfree;
    return used * 100 < 80 * (used + space.f_bavail);
}

/* Not on a disk that is nearly full: the log says so in a record (audit-space), and tests count
 * records. */
void audit_log_make(void)
{
    bool elsewhere = !has_room("/tmp") && has_room("/dev/shm");

    snprintf(audit_log_folder, sizeof(audit_log_folder), "%s/miguard-audit-XXXXXX",
             elsewhere ? "/dev/shm" : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(audit_log_folder));
    snprintf(audit_log_path, sizeof(audit_log_path), "%s/audit.jsonl", audit_log_folder);
}

void audit_log_remove(void)
{
    char command[128];
    snprintf(command, sizeof(command), "rm -rf '%s'", audit_log_folder);
    ck_assert_int_eq(system(command), 0);
}

struct audit *audit_log_open(uint32_t repeat_seconds)
{
    struct sink_settings file = SINK_FILE_DEFAULT(NULL);
    const struct audit_settings settings = {&file, 1, repeat_seconds, NULL};
    struct audit *audit = NULL;
    struct miguard_error error = {0};

    file.path = audit_log_path;
    file.sync = AUDIT_SYNC_NONE;
    file.rotate_bytes = 0;
    ck_assert_msg(audit_open(&settings, &audit, &error) == MIGUARD_OK, "%s: %s", error.step,
                  error.detail);
    return audit;
}

static char *read_file(const char *name)
{
    FILE *file = fopen(name, "re");
    ck_assert_ptr_nonnull(file);
    struct stat status;
    ck_assert_int_eq(fstat(fileno(file), &status), 0);
    char *text = calloc(1, (size_t)status.st_size + 1);
    ck_assert_ptr_nonnull(text);
    ck_assert_uint_eq(fread(text, 1, (size_t)status.st_size, file), (size_t)status.st_size);
    fclose(file);
    return text;
}

struct audit_log audit_log_read(void)
{
    struct audit_log log = {read_file(audit_log_path), json_array(), 0};
    char why[256];

    for (char *line = log.text; *line != '\0';) {
        size_t length = strcspn(line, "\n");
        json_t *record = record_json(line, length);
        if (record == NULL) {
            log.broken++;
        } else {
            ck_assert_msg(line[length] == '\n', "the last line has no end");
            ck_assert_msg(record_check(record, why, sizeof(why)), "%s in %.*s", why,
                          length < 2000 ? (int)length : 2000, line);
            json_array_append_new(log.records, record);
        }
        line += length + (line[length] == '\n');
    }
    return log;
}

void audit_log_release(struct audit_log *log)
{
    json_decref(log->records);
    free(log->text);
}

const json_t *audit_log_member(const json_t *value, const char *dotted)
{
    char key[64];

    for (const char *at = dotted; *at != '\0' && value != NULL;) {
        size_t length = strcspn(at, ".");
        snprintf(key, sizeof(key), "%.*s", (int)length, at);
        value = json_object_get(value, key);
        at += length + (at[length] == '.');
    }
    return value;
}

const char *audit_log_string(const json_t *record, const char *dotted)
{
    const char *text = json_string_value(audit_log_member(record, dotted));
    return text == NULL ? "(none)" : text;
}

json_int_t audit_log_number(const json_t *record, const char *dotted)
{
    return json_integer_value(audit_log_member(record, dotted));
}

const json_t *audit_log_at(const struct audit_log *log, size_t index)
{
    return json_array_get(log->records, index);
}

const json_t *audit_log_nth(const struct audit_log *log, const char *action, unsigned nth)
{
    json_t *record;
    size_t i;

    json_array_foreach(log->records, i, record)
    {
        if (strcmp(audit_log_string(record, "event.action"), action) == 0 && nth-- == 0) {
            return record;
        }
    }
    return NULL;
}

unsigned audit_log_count(const struct audit_log *log, const char *action)
{
    unsigned count = 0;
    while (audit_log_nth(log, action, count) != NULL) {
        count++;
    }
    return count;
}

unsigned audit_log_check_order(const struct audit_log *log)
{
    json_t *entities = json_object(), *ids = json_object(), *record;
    size_t i;

    json_array_foreach(log->records, i, record)
    {
        const char *id = audit_log_string(record, "event.id");
        ck_assert_int_eq(audit_log_number(record, "event.sequence"), (json_int_t)i + 1);
        ck_assert_msg(json_object_get(ids, id) == NULL, "%s stands there twice", id);
        json_object_set_new(ids, id, json_true());
        json_object_set_new(entities, audit_log_string(record, "process.entity_id"), json_true());
    }
    unsigned count = (unsigned)json_object_size(entities);
    json_decref(entities);
    json_decref(ids);
    return count;
}
