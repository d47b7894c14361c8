/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as instances in MOF, or as the path of one, by the first byte. What is read is within
 * the limits; written again and read again it is the same.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "host/mof/mof.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good)
{
    if (!good) {
        abort();
    }
}

/* ---- writing -------------------------------------------------------------------------------- */

static void write_instance(FILE *out, const struct mof_instance *instance);

/* Every character as an escape, as two where it is beyond the first 65,536. */
static void write_string(FILE *out, const char *text)
{
    uint32_t code = 0;
    size_t length = 0;

    fputc('"', out);
    for (; *text != '\0'; text += length) {
        length = utf8_next(text, UTF8_MAX, &code);
        must(length > 0);
        if (code >= 0x10000) {
            fprintf(out, "\\x%04X\\x%04X", 0xD800 + ((code - 0x10000) >> 10),
                    0xDC00 + ((code - 0x10000) & 0x3FF));
        } else {
            fprintf(out, "\\x%04X", code);
        }
    }
    fputc('"', out);
}

static void write_value(FILE *out, const struct mof_value *value)
{
    size_t count = 0;

    must(value->line > 0 && value->column > 0);
    switch (value->kind) {
    case MOF_NULL:
        fputs("NULL", out);
        break;
    case MOF_CHAR:
        fprintf(out, "'\\x%04X'", value->character);
        break;
    case MOF_STRING:
        write_string(out, value->text);
        break;
    case MOF_INSTANCE:
        write_instance(out, value->instance);
        break;
    case MOF_ARRAY:
        fputc('{', out);
        for (const struct mof_value *at = value->items; at != NULL; at = at->next, count++) {
            must(at->kind != MOF_ARRAY);
            fputs(count == 0 ? "" : ",", out);
            write_value(out, at);
        }
        must(count == value->count);
        fputc('}', out);
        break;
    default:
        fputs(value->text, out);
        break;
    }
}

static void write_instance(FILE *out, const struct mof_instance *instance)
{
    size_t count = 0;

    fprintf(out, "instance of %s {", instance->class_name);
    for (const struct mof_property *at = instance->properties; at != NULL; at = at->next, count++) {
        fprintf(out, "%s=", at->name);
        write_value(out, &at->value);
        fputs(";\n", out);
    }
    must(count == instance->count);
    fputc('}', out);
}

static char *write_document(const struct mof_document *document)
{
    char *text = NULL;
    size_t size = 0, count = 0;
    FILE *out = open_memstream(&text, &size);

    must(out != NULL);
    for (const struct mof_instance *at = document->instances; at != NULL; at = at->next, count++) {
        must(at->levels <= MOF_MAX_DEPTH);
        write_instance(out, at);
        fputs(";\n", out);
    }
    must(count == document->count && count <= MOF_MAX_INSTANCES);
    must(fclose(out) == 0);
    return text;
}

/* ---- reading -------------------------------------------------------------------------------- */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mof_document *document = NULL, *again = NULL;
    struct mof_error error = {0};

    if (size == 0) {
        return 0;
    }
    char *text = malloc(size);
    must(text != NULL);
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    bool path = data[0] == '?';
    bool good =
        path ? mof_read_path(text, &document, &error) : mof_read(text, size - 1, &document, &error);
    free(text);
    if (!good) {
        must(document == NULL && error.line > 0 && error.column > 0 && error.text[0] != '\0');
        return 0;
    }
    must(!path || document->count == 1);
    char *first = write_document(document);
    must(mof_read(first, strlen(first), &again, &error));
    char *second = write_document(again);
    must(strcmp(first, second) == 0);
    free(first);
    free(second);
    mof_free(document);
    mof_free(again);
    return 0;
}
