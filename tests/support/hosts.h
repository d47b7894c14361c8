/* SPDX-License-Identifier: MIT */
/*
 * The two hosts that providers are tested under as one table: the embedded server of this project
 * and the foreign host, which does what a peer does (support/foreign_host.h). A client asks both by
 * the functions of MI.h, and gets all that was answered as one text.
 */
#ifndef SUPPORT_HOSTS_H
#define SUPPORT_HOSTS_H

#include <MI.h>
#include <stdbool.h>
#include <stddef.h>

#include "support/foreign_host.h"

struct miguard_host;

#define HOSTS_SPACE "root/test"

/* A module: its file, or its MI_Main. agent: which thread of the foreign host serves it; a provider
 * that waits on its request's thread can only reach classes of other agents. */
struct hosted_module {
    const char *path;
    MI_MainFunction main_function;
    unsigned agent;
};

struct running_host {
    const struct host_kind *kind;
    struct foreign_host *foreign;  /* or NULL */
    struct miguard_host *embedded; /* or NULL */
    MI_Session client;
    MI_Application application;
};

struct host_kind {
    const char *name;
    /* wrap: as miguard_wrap_module(), or NULL. False, with a line on stdout, when it did not work.
     */
    bool (*start)(struct running_host *host, const struct hosted_module *modules, unsigned count,
                  MI_Module *(*wrap)(MI_Server *server, MI_Module *module));
    void (*stop)(struct running_host *host);
    /* Calls that reached the providers' functions, without Load and Unload. */
    unsigned long (*provider_calls)(const struct running_host *host);
};

enum { HOST_EMBEDDED, HOST_FOREIGN, HOSTS };
extern const struct host_kind host_kinds[HOSTS];

/* ---- a client -------------------------------------------------------------------------------- */

enum ask_verb {
    ASK_GET,
    ASK_ENUMERATE,
    ASK_CREATE,
    ASK_MODIFY,
    ASK_DELETE,
    ASK_INVOKE,
    ASK_ASSOCIATORS,
    ASK_REFERENCES,
    ASK_TEST
};

/* One request. name and value: a string of the instance, or of the parameters of ASK_INVOKE; up to
 * two. asynchronous: by a callback. each: called with each instance of the answer; or NULL. */
struct ask {
    enum ask_verb verb;
    const char *class_name, *method;
    const char *names[2], *values[2];
    bool asynchronous;
    void (*each)(const MI_Instance *instance, void *data);
    void *data;
};

/* Asks, and waits for all of the answer. ret_text, which may be NULL, gets each instance with its
 * elements, and the final result with message and details. */
MI_Result hosts_ask(struct running_host *host, const struct ask *ask, char *ret_text, size_t size);

/* An instance as hosts_ask() prints it, appended. */
void hosts_print(const MI_Instance *instance, char *text, size_t size);

/* A string or number element of an instance as text; "" when it is NULL or not there. */
void hosts_element(const MI_Instance *instance, const char *name, char *ret_text, size_t size);

#endif
