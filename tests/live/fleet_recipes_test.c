/* SPDX-License-Identifier: MIT */
/*
 * The files of policy/fleet that other tests do not run: YAML and JSON are read, rules for
 * Prometheus are checked and tested by promtool(1), the questions of the Grafana dashboard are
 * asked of tables that the schema names, and a file of a program that is not here says that it was
 * not run.
 */
#include <fnmatch.h>
#include <ftw.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

static unsigned passed, failed, skipped, yaml_files, json_files;

static void check(const char *what, bool good)
{
    passed += good;
    failed += !good;
    if (!good) {
        printf("FAIL: %s\n", what);
    }
}

static bool yaml_is_read(const char *path)
{
    FILE *file = fopen(path, "re");
    yaml_parser_t parser;
    yaml_event_t event;
    bool good = file != NULL && yaml_parser_initialize(&parser) == 1, end = !good;

    if (good) {
        yaml_parser_set_input_file(&parser, file);
    }
    while (!end) {
        good = yaml_parser_parse(&parser, &event) == 1;
        end = !good || event.type == YAML_STREAM_END_EVENT;
        if (good) {
            yaml_event_delete(&event);
        }
    }
    if (file != NULL) {
        yaml_parser_delete(&parser);
        fclose(file);
    }
    return good;
}

static bool json_is_read(const char *path)
{
    json_t *json = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
    bool good = json != NULL;

    json_decref(json);
    return good;
}

static bool says_not_run(const char *path)
{
    char command[512];

    snprintf(command, sizeof(command), "grep -q 'Not run by the tests\\|what was tested' '%s'",
             path);
    return system(command) == 0;
}

/* By this test, and by tests/live/bundle_recipes_test.sh. */
static bool is_run(const char *path)
{
    return strstr(path, "/prometheus/") != NULL || strstr(path, "/ansible/") != NULL;
}

static int look_at(const char *path, const struct stat *status, int type, struct FTW *place)
{
    (void)status;
    (void)place;
    if (type != FTW_F) {
        return 0;
    }
    if (fnmatch("*.yaml", path, 0) == 0) {
        yaml_files++;
        check(path, yaml_is_read(path));
        check(path, is_run(path) || says_not_run(path));
    } else if (fnmatch("*.json", path, 0) == 0) {
        json_files++;
        check(path, json_is_read(path));
    }
    return 0;
}

static void check_rules(void)
{
    if (system("command -v promtool >/dev/null") != 0) {
        puts("skip: rules for Prometheus: promtool is not installed");
        skipped++;
        return;
    }
    check("promtool check rules",
          system("promtool check rules policy/fleet/prometheus/*.yaml >/dev/null") == 0);
    check("promtool test rules",
          system("promtool test rules tests/data/fleet-rules-test.yaml >/dev/null") == 0);
}

/* A metric that a rule asks for is one that the command prints. */
static void check_metrics(void)
{
    check("metrics of the rules are those of audit metrics",
          system(
              "for name in $(grep -oh 'miguard_audit_[a-z_]*' policy/fleet/prometheus/*.yaml | "
              "sort -u); do grep -rq \"$name\\|${name#miguard_audit_}\" src/tools/review/metrics.c "
              "src/tools/cli/cmd_audit_metrics.c || { echo \"$name\"; exit 1; }; done") == 0);
}

/* Every column that the dashboard names is in the schema: checked in a database by
 * fleet_postgresql_test; here that it names the table at all. */
static void check_dashboard(void)
{
    json_t *json = json_load_file("policy/fleet/grafana/miguard.json", 0, NULL);
    const json_t *panel;
    size_t i;

    check("the dashboard has panels", json_array_size(json_object_get(json, "panels")) >= 5);
    json_array_foreach(json_object_get(json, "panels"), i, panel)
    {
        const json_t *target = json_array_get(json_object_get(panel, "targets"), 0);
        const char *sql = json_string_value(json_object_get(target, "rawSql"));
        check("a panel asks the table", sql != NULL && strstr(sql, "miguard.records") != NULL);
    }
    json_decref(json);
}

int main(void)
{
    check("policy/fleet is there", nftw("policy/fleet", look_at, 8, FTW_PHYS) == 0);
    check("there is YAML and JSON", yaml_files >= 5 && json_files >= 1);
    check_rules();
    check_metrics();
    check_dashboard();
    printf("%u passed, %u failed, %u skipped\n", passed, failed, skipped);
    return failed != 0;
}
