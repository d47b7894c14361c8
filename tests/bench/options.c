/* SPDX-License-Identifier: MIT */
/* Reads the options of a bench program. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "bench/report.h"

static const char help[] =
    "usage: bench [OPTION]...\n"
    "Measures each row as the ratio of two sides that run in turn, and compares it with its goal.\n"
    "\n"
    "  --quick            less of everything, in under a minute; rows that need length are left "
    "out\n"
    "  --only GLOB        only the rows with such a name; may be given several times\n"
    "  --list             print the rows and their goals, and measure nothing\n"
    "  --verbose          print with each row what it leaves out\n"
    "  --json[=FILE]      write the results as JSON: to standard output in place of the table, or "
    "to\n"
    "                     FILE beside it\n"
    "  --baseline FILE    compare with the ratios of this file (tests/bench/baseline.json)\n"
    "  --update-baseline  write the ratios into it instead; --only leaves the other rows as they "
    "are\n"
    "  --help             print this\n"
    "\n"
    "Exit status: 0 every goal is met, or missed by no more than the noise; 1 a goal is missed, or "
    "a\n"
    "row could not be measured; 2 the arguments or the baseline are invalid; 3 a file cannot be "
    "read\n"
    "or written. A row that is worse than its baseline is named and changes nothing.\n"
    "The noise is the 95 % interval of the median of the pairs; see tests/bench/measure.h.\n";

enum {
    OPTION_QUICK = 1,
    OPTION_ONLY,
    OPTION_LIST,
    OPTION_VERBOSE,
    OPTION_JSON,
    OPTION_BASELINE,
    OPTION_UPDATE,
    OPTION_HELP
};

static const struct option long_options[] = {
    {"quick", no_argument, NULL, OPTION_QUICK},
    {"only", required_argument, NULL, OPTION_ONLY},
    {"list", no_argument, NULL, OPTION_LIST},
    {"verbose", no_argument, NULL, OPTION_VERBOSE},
    {"json", optional_argument, NULL, OPTION_JSON},
    {"baseline", required_argument, NULL, OPTION_BASELINE},
    {"update-baseline", no_argument, NULL, OPTION_UPDATE},
    {"help", no_argument, NULL, OPTION_HELP},
    {0},
};

static void print_rows(const struct bench_group *const groups[], size_t count, bool verbose)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < groups[i]->count; k++) {
            const struct bench_row *row = &groups[i]->rows[k];
            char goal[32] = "-";
            if (row->goal >= 0) {
                snprintf(goal, sizeof(goal), "<= %.3g", row->goal);
            }
            printf("%-28s %-10s %s / %s\n", row->name, goal, row->first, row->second);
            if (verbose) {
                printf("    leaves out: %s\n", row->leaves_out);
            }
        }
    }
}

/* False for one that is unknown or too much. */
static bool take_option(int option, struct bench_options *options, bool *ret_list, bool *ret_help)
{
    switch (option) {
    case OPTION_QUICK:
        options->quick = true;
        return true;
    case OPTION_ONLY:
        if (options->only_count == BENCH_MAX_ONLY) {
            fprintf(stderr, "bench: --only: more than %d\n", BENCH_MAX_ONLY);
            return false;
        }
        options->only[options->only_count++] = optarg;
        return true;
    case OPTION_LIST:
        *ret_list = true;
        return true;
    case OPTION_VERBOSE:
        options->verbose = true;
        return true;
    case OPTION_JSON:
        options->json = optarg == NULL;
        options->json_path = optarg;
        return true;
    case OPTION_BASELINE:
        options->baseline = optarg;
        return true;
    case OPTION_UPDATE:
        options->update = true;
        return true;
    case OPTION_HELP:
        *ret_help = true;
        return true;
    default: /* getopt_long(3) has named it */
        return false;
    }
}

/* QUICK=1 in the environment asks for the same as --quick, as in the tests. */
static bool quick_in_environment(void)
{
    const char *quick = getenv("QUICK");

    return quick != NULL && quick[0] != '\0';
}

bool options_read(int argc, char **argv, const struct bench_group *const groups[], size_t count,
                  struct bench_options *ret_options, int *ret_status)
{
    bool list = false, want_help = false;

    *ret_options = (struct bench_options){.quick = quick_in_environment(),
                                          .baseline = "tests/bench/baseline.json"};
    *ret_status = 2;
    optind = 0; /* the test of this program calls it more than once */
    for (int option; (option = getopt_long(argc, argv, "", long_options, NULL)) != -1;) {
        if (!take_option(option, ret_options, &list, &want_help)) {
            return false;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "bench: %s: not an option\n", argv[optind]);
        return false;
    }
    if (ret_options->quick && ret_options->update) {
        fprintf(stderr, "bench: --update-baseline: not with --quick, which measures less\n");
        return false;
    }
    if (want_help) {
        fputs(help, stdout);
    } else if (list) {
        print_rows(groups, count, ret_options->verbose);
    }
    *ret_status = 0;
    return !want_help && !list;
}
