/* SPDX-License-Identifier: MIT */
/* What `miguard run` is asked for: its command line (run_request.c), and instances
 * (run_instance.c). */
#ifndef TOOLS_CLI_RUN_REQUEST_H
#define TOOLS_CLI_RUN_REQUEST_H

#include "base/text.h"
#include "tools/cli/cli.h"
#include "tools/cli/options.h"
#include "tools/cli/run_host.h"
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

/* The whole request, read by the table of cmd_run.c and then by run_request_read(). */
struct run_request {
    /* As given; values and keys below are made of the last two. */
    struct word_list keys_given, options_given, flags_given, operands;
    /* NULL: as the policy and the environment say. */
    const char *as_user, *client, *input;
    const char *connect; /* the socket of a server that makes the request */
    /* This is such a server: the request came from a client, and --input names what it read, which
     * is here. */
    bool served;
    const char *given;
    size_t given_length;
    struct run_hosting hosting;
    bool shell;    /* --shell: the requests come line by line */
    bool in_shell; /* one of those */
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

/* The options that belong to the request itself, and not to where it is made. */
#define RUN_REQUEST_OPTIONS                                                                        \
    LIST("--key", "KEY=VALUE", struct run_request, keys_given,                                     \
         "invoke: a key of the instance whose method it is; a static one has no key"),             \
        TEXT("--language", "WQL|CQL", struct run_request, language,                                \
             "query, subscribe: the language; without it WQL"),                                    \
        TEXT("--association", "CLASS", struct run_request, association,                            \
             "associators: only by this association class and those that derive from it"),         \
        TEXT("--result-class", "CLASS", struct run_request, result_class,                          \
             "associators: only objects of this class; references: only associations of it"),      \
        TEXT("--role", "NAME", struct run_request, role,                                           \
             "associators, references: only where the object is in the reference NAME"),           \
        TEXT("--result-role", "NAME", struct run_request, result_role,                             \
             "associators: only where the result is in the reference NAME"),                       \
        TEXT(                                                                                      \
            "--input", "FILE|-", struct run_request, input,                                        \
            "read properties or parameters from an instance in MOF or a JSON object, as they are " \
            "printed; KEY=VALUE adds to them"),                                                    \
        NUMBER("--timeout", "SECONDS", struct run_request, timeout, 1, 864000,                     \
               "end the operation after SECONDS", .noun = "number of seconds"),                    \
        NUMBER(                                                                                    \
            "--count", "N", struct run_request, count, 1, UINT64_MAX,                              \
            "subscribe: end after N indications; it is a failure when the time is over before"),   \
        LIST("--flag", "FLAG", struct run_request, flags_given,                                    \
             "an operation flag: no-rtti, basic-rtti, standard-rtti, full-rtti, "                  \
             "localized-qualifiers, "                                                              \
             "expensive-properties, polymorphism-shallow, polymorphism-deep-base-props-only, "     \
             "report-operation-started"),                                                          \
        LIST("--option", "NAME=VALUE", struct run_request, options_given,                          \
             "a custom option for the provider"),                                                  \
        FLAG("--json", struct run_request, json,                                                   \
             "print one JSON object per instance and line; errors as JSON on stderr"),             \
        FLAG("--table", struct run_request, table,                                                 \
             "print one line per instance, one column per property that has a value; per class, "  \
             "or for "                                                                             \
             "the operation class per property and method",                                        \
             .excludes = "--json")

/* From operands and keys_given to what they mean. CLI_YES, or the exit status after a message.
 * Released with run_request_release() either way. */
int run_request_read(const struct command_line *line, struct run_request *request);

/* The same for --shell, which has at most a namespace. */
int run_request_read_shell(const struct command_line *line, struct run_request *request);

/*
 * Reads one line of a shell, split into words, in the namespace name_space (NULL: none
 * was chosen yet). What the line does not say is as in defaults. request is zero, and
 * keeps both. As run_request_read().
 */
int run_request_read_line(char **words, int count, const struct run_request *defaults,
                          const char *name_space, struct run_request *request);

/* The operations, ended with NULL, by enum run_verb. */
extern const char *const run_verbs[];

/* The options of a request, as a command for command_option(). */
extern const struct command run_request_command;

/* Whether the answers of the operation are classes, and not instances. */
bool run_gives_classes(enum run_verb verb);

/* The words of the request for a server, each with a NUL behind it, as it is read by
 * run_request_serve(). False: out of memory. */
bool run_request_words(const struct run_request *request, struct text *ret_words);

/* Reads such words into request, whose streams are set. count is at least 1. As
 * run_request_read(). */
int run_request_serve(char **words, int count, struct run_request *request);

/* Frees the lists; {0} and a half-read request are allowed. */
void run_request_release(struct run_request *request);

/*
 * A dynamic instance of the class of shape, or of the parameters of its method, with
 * what was read (input may be NULL) and pairs as string elements; the host converts
 * them to the declared types. A key that is given more than once, or as KEY[]=VALUE,
 * becomes an array. CLI_YES, and *ret_instance is released with MI_Instance_Delete(),
 * or the exit status after a message.
 */
int run_instance_new(const struct run_shape *shape, const struct run_pairs *pairs,
                     const struct run_input *input, MI_Instance **ret_instance);

/* The time-out and the custom options, where there are any; else *ret_options stays as
 * it is. The caller ends it with MI_OperationOptions_Delete() in either case. */
MI_Result run_options_new(MI_Session *session, const struct run_request *request,
                          MI_OperationOptions *ret_options);

#endif
