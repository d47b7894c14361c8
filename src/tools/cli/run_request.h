/* SPDX-License-Identifier: MIT */
/* What `miguard run` is asked for: its command line (run_request.c), and instances
 * (run_instance.c). */
#ifndef TOOLS_CLI_RUN_REQUEST_H
#define TOOLS_CLI_RUN_REQUEST_H

#include "tools/cli/cli.h"
#include "tools/cli/options.h"

struct run_pair {
    const char *text; /* KEY=VALUE or KEY[]=VALUE as given */
    size_t key_length;
    bool array;
    const char *value;
};

struct run_pairs {
    struct run_pair *list;
    size_t count;
};

enum run_verb { RUN_GET, RUN_ENUMERATE, RUN_CREATE, RUN_MODIFY, RUN_DELETE, RUN_INVOKE };
enum run_gate { RUN_GATE_THREAD, RUN_GATE_PROCESS, RUN_GATE_BY_POLICY };

struct run_request {
    struct word_list modules, keys_given, operands;
    const char *as_user, *audit_file, *policy;
    enum run_gate gate;
    bool json;
    enum run_verb verb;
    const char *name_space, *class_name, *method;
    struct run_pairs values; /* KEY=VALUE */
    struct run_pairs keys;   /* --key KEY=VALUE */
};

/* From operands and keys_given to what they mean. CLI_YES, or the exit status after a message.
 * Released with run_request_release() either way. */
int run_request_read(const struct command_line *line, struct run_request *request);
void run_request_release(struct run_request *request);

/* A dynamic instance of class_name with pairs as string elements, the host converts them. A key
 * that is given more than once, or as KEY[]=VALUE, becomes an array. */
MI_Result run_instance_new(MI_Session *session, const char *class_name,
                           const struct run_pairs *pairs, MI_Instance **ret_instance);

#endif
