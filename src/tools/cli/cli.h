/* SPDX-License-Identifier: MIT */
/*
 * The `miguard` command.
 *
 * commands.h lists the sub-commands; each has its options in a table (options.h) and returns an
 * exit status. Results go to stdout, everything else to stderr. Text that comes from outside passes
 * terminal.c before it is printed, so that no value can reach the terminal as an escape sequence.
 */
#ifndef TOOLS_CLI_CLI_H
#define TOOLS_CLI_CLI_H

#include <MI.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "miguard.h"
#include "miguard/host.h"

/* The exit statuses of every command, in the order of how bad they are: of several files the
 * highest counts. A script can distinguish "no" from "not known". */
enum cli_exit {
    CLI_YES = 0,    /* done; the answer is yes, or "the same" */
    CLI_NO = 1,     /* the answer is no: refused, failed, different */
    CLI_USAGE = 2,  /* the command line makes no sense */
    CLI_UNABLE = 3, /* the question could not even be asked */
};

/* ---- messages and text (terminal.c) -----------------------------------------------------------
 */

/* "miguard: ..." on stderr, made safe for a terminal; returns status, so that a failure is one
 * line. */
int complain(enum cli_exit status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* From now on complain() writes there on this thread, which answers a client; NULL: to stderr. */
void complain_on(FILE *stream);

/* complain() for what a library call left in error. */
int complain_error(enum cli_exit status, const char *what, const struct miguard_error *error);

/* Whether colours are wanted on stream: it is a terminal, and NO_COLOR is not set (no-color.org).
 */
bool is_coloured(FILE *stream);

/* Writes text so that it can neither move the cursor nor hide or change the direction of writing:
 * what text_is_hidden() says becomes \xHHHH (the escape of MOF, DSP0004), bytes that are not UTF-8
 * become U+FFFD. quoted also escapes " and \ and writes \n and \t. */
void print_safe(FILE *stream, const char *text, bool quoted);

/* A copy of text with each byte that is not UTF-8 replaced by U+FFFD, freed by the caller, or NULL
 * out of memory: jansson refuses other text, and file names may be any bytes. */
char *valid_utf8(const char *text);

/* JSON of one line or more as a terminal may have it: what is hidden is written as \u escapes,
 * which say the same to a program. False: out of memory, or stream cannot be written. */
bool print_json_text(FILE *stream, const char *json, size_t length);

/* One line of JSON, as print_json_text() writes it. */
bool print_json(FILE *stream, const json_t *json);

/* ---- rendering (render.c, render_json.c) -------------------------------------------------- */

/* "ACCESS_DENIED"; "UNKNOWN" for a number that is not an MI_Result. Static. */
const char *result_name(MI_Result result);

/* The text of a datetime, interval or moment, as in DSP0004: 25 characters. */
void datetime_text(const MI_Datetime *datetime, char text[26]);

/* "MG_File.Path=\"/etc/passwd\"", on the heap, or NULL out of memory. */
char *reference_text(const MI_Instance *reference);

/* The type of one element of an array type; the command does not link the host's own functions for
 * values. */
MI_Type scalar_type(MI_Type type);

/* Element index of an array of type, which must have more elements than that; borrowed. False when
 * it is NULL (strings and instances may be). */
bool array_element(MI_Type type, const MI_Array *array, MI_Uint32 index, MI_Value *ret_value);

/* In MOF (DSP0004, annex A): instance of CLASS { name = value; ... }; With terse, properties that
 * are NULL are left out. */
void render_mof(FILE *stream, const MI_Instance *instance, bool terse);

/* One value of MOF, without a line break at its end. */
void render_value(FILE *stream, MI_Type type, const MI_Value *value);

/* (render_class.c) A class declaration in MOF. */
void render_class_mof(FILE *stream, const MI_Class *item);

/* What MOF calls one value of a type, which may be an array's: "uint32". Static. */
const char *mof_type_name(MI_Type type);

/* The same as an object: name, superclass, properties, methods. A new reference, or NULL. */
json_t *render_class_json(const MI_Class *item);

/* As one JSON object; a new reference, or NULL out of memory. 64-bit integers beyond 2^53 become
 * strings, since a JSON number that passes a double loses its last bits (RFC 8259, section 6). */
json_t *render_json(const MI_Instance *instance);

#endif
