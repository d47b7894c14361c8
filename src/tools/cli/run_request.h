/* SPDX-License-Identifier: MIT */
/* What `miguard run` is asked for: its command line (run_request.c), and instances
 * (run_instance.c). */
#ifndef TOOLS_CLI_RUN_REQUEST_H
#define TOOLS_CLI_RUN_REQUEST_H

#include "tools/cli/cli.h"
#include "tools/cli/options.h"
#include "tools/cli/run_input.h"

/* One KEY=VALUE of the command line, in place: nothing is copied. */
struct run_pair {
    const char *text; /* KEY=VALUE or KEY[]=VALUE as given */
    size_t key_length;
    /* Given as KEY[]=VALUE. */
    bool array;
    /* Behind the =, in place. */
    const char *value;
};

/* Pairs in the order in which they were given; the list is on the heap. */
struct run_pairs {
    struct run_pair *list;
    size_t count;
};

enum run_verb {
    RUN_GET,
    RUN_ENUMERATE,
    RUN_CREATE,
    RUN_MODIFY,
    RUN_DELETE,
    RUN_INVOKE,
    RUN_QUERY,
    RUN_ASSOCIATORS,
    RUN_REFERENCES,
    RUN_CLASS,
    RUN_CLASSES,
    RUN_LIST,
    RUN_SUBSCRIBE,
    RUN_TEST_CONNECTION,
};

/* THREAD and PROCESS are the positions of their words; BY_POLICY is not a word, but the default. */
enum run_gate { RUN_GATE_THREAD, RUN_GATE_PROCESS, RUN_GATE_BY_POLICY };

/* The whole request, read by the table of cmd_run.c and then by run_request_read(). */
struct run_request {
    /* As given; values and keys below are made of the last two. */
    struct word_list modules, keys_given, options_given, flags_given, operands;
    /* NULL: as the policy and the environment say. */
    const char *as_user, *client, *audit_file, *policy, *input;
    enum run_gate gate;
    bool report, no_report; /* what a gate refuses */
    bool json, table, trace;
    uint64_t timeout; /* seconds; 0: none */
    uint64_t count;   /* of indications, after which a subscription ends; 0: none */
    FILE *out, *err;  /* where the answer goes */
    MI_Uint32 flags;  /* MI_OPERATIONFLAGS_... */
    enum run_verb verb;
    /* query, associators and references: as the options say. */
    const char *language, *association, *result_class, *role, *result_role;
    /* class_name is NULL where the operation takes none. */
    const char *name_space, *class_name, *method, *query;
    char *made_query;        /* NULL, or query, on the heap */
    struct run_pairs values; /* KEY=VALUE */
    struct run_pairs keys;   /* --key KEY=VALUE */
    struct run_pairs custom; /* --option NAME=VALUE */
};

/* From operands and keys_given to what they mean. CLI_YES, or the exit status after a message.
 * Released with run_request_release() either way. */
int run_request_read(const struct command_line *line, struct run_request *request);

/* Whether the answers of the operation are classes, and not instances. */
bool run_gives_classes(enum run_verb verb);

/* Frees the lists; {0} and a half-read request are allowed. */
void run_request_release(struct run_request *request);

/*
 * A dynamic instance of the class of shape, or of the parameters of its method, with what was read
 * (input may be NULL) and pairs as string elements; the host converts them to the declared types. A
 * key that is given more than once, or as KEY[]=VALUE, becomes an array. CLI_YES, and *ret_instance
 * is released with MI_Instance_Delete(), or the exit status after a message.
 */
int run_instance_new(const struct run_shape *shape, const struct run_pairs *pairs,
                     const struct run_input *input, MI_Instance **ret_instance);

/* The time-out and the custom options, where there are any; else *ret_options stays as it is. The
 * caller ends it with MI_OperationOptions_Delete() in either case. */
MI_Result run_options_new(MI_Session *session, const struct run_request *request,
                          MI_OperationOptions *ret_options);

#endif
