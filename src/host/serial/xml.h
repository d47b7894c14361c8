/* SPDX-License-Identifier: MIT */
/* CIM-XML to the tree of host/mof/mof.h; for the files of host/serial/ only. */
#ifndef HOST_SERIAL_XML_H
#define HOST_SERIAL_XML_H

#include "base/arena.h"
#include "host/mof/mof.h"

enum {
    XML_MAX_DEPTH = 200,             /* elements within elements */
    XML_MAX_ELEMENTS = 3 << 19,      /* more than 16 MiB of the shortest that are written */
    XML_MAX_EMBEDDED = 4 * 16 << 20, /* bytes of texts within texts, all together */
};

/* An element. It has elements or text, never both. */
struct xml_element {
    const char *name;
    const char *const *attributes; /* name and value in turn, then NULL */
    const char *text;              /* "" without any */
    const struct xml_element *first, *next;
    unsigned line, column; /* from 1 */
};

/* (xml_parse.c) The first element of the text with all that is in it, from the arena; *ret_used is
 * where it ends, and what stands behind it is not looked at. On failure *ret_error is set: line 0
 * where memory is missing. */
bool xml_parse(struct arena *arena, const char *text, size_t length,
               const struct xml_element **ret_root, size_t *ret_used, struct mof_error *ret_error);

/* (xml_read.c) The instances and classes of the text, which xml_free() releases; otherwise as
 * mof_read_schema(). */
bool xml_read(const char *text, size_t length, struct mof_document **ret_document, size_t *ret_used,
              struct mof_error *ret_error);

/* NULL is allowed. */
void xml_free(struct mof_document *document);

#endif
