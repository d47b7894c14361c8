/* SPDX-License-Identifier: MIT */
/*
 * MI_Deserializer: the slots, which check what a program passes, and the error that says where a
 * text is wrong.
 *
 * A handle is that of serializer.c. Each call reads the text to a tree (host/mof/mof.h) and makes
 * objects of it. All outputs are set in any case; after a failure *cimErrorDetails is an instance
 * of CIM_Error whose Message has the line and column, unless memory is out for that too.
 */
#include <stdio.h>

#include "base/entry.h"
#include "host/serial/handle.h"
#include "host/serial/read.h"
#include "host/serial/write.h"
#include "host/serial/xml.h"

MI_Result deserializer_new(const char *format, MI_Deserializer *ret_deserializer)
{
    const enum serial_format known = serial_format_of(format);

    if (known == SERIAL_NONE) {
        return MI_RESULT_NOT_SUPPORTED;
    }
    ret_deserializer->reserved1 = DESERIALIZER_MARK | (MI_Uint64)known;
    return MI_RESULT_OK;
}

static enum serial_format format_of(const MI_Deserializer *deserializer)
{
    return deserializer == NULL ? SERIAL_NONE
                                : serial_handle_format(deserializer->reserved1, DESERIALIZER_MARK);
}

static MI_Result close_deserializer(MI_Deserializer *deserializer)
{
    ENTRY_UNCANCELLED;
    if (format_of(deserializer) == SERIAL_NONE) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    memset(deserializer, 0, sizeof(*deserializer));
    return MI_RESULT_OK;
}

/* ---- the text ---------------------------------------------------------------------------------
 */

/* What each call is about. */
struct source {
    enum serial_format format;
    const char *text;
    size_t length, used; /* used: how much of it was read */
    struct mof_document *document;
    struct serial_in in;
};

static void end_source(struct source *source)
{
    serial_in_end(&source->in);
    (source->format == SERIAL_XML ? xml_free : mof_free)(source->document);
}

/* False, with the result in source->in. */
static bool read_source(struct source *source)
{
    struct serial_in *in = &source->in;
    struct mof_error error;

    source->used = source->length; /* of XML less, where something follows */
    if (source->format == SERIAL_XML
            ? xml_read(source->text, source->length, &source->document, &source->used, &error)
            : mof_read_schema(source->text, source->length, &source->document, &error)) {
        in->document = source->document;
        return true;
    }
    return error.line == 0 ? serial_no_memory(in)
                           : serial_refuse(in,
                                           error.limit ? MI_RESULT_SERVER_LIMITS_EXCEEDED
                                                       : MI_RESULT_INVALID_PARAMETER,
                                           error.line, error.column, "%s", error.text);
}

/* The end of each call: *ret_error says what stands in `in`. A failure to make it changes nothing.
 */
static MI_Result give_result(const struct serial_in *in, MI_Instance **ret_error)
{
    char text[MOF_ERROR_SIZE + 60];

    if (in->result == MI_RESULT_OK || ret_error == NULL) {
        return in->result;
    }
    if (in->error.line == 0) {
        snprintf(text, sizeof(text), "%s", in->error.text);
    } else {
        snprintf(text, sizeof(text), "line %u, column %u: %s", in->error.line, in->error.column,
                 in->error.text);
    }
    (void)error_instance_new(in->result, (MI_Uint32)in->result, NULL, text, ret_error);
    return in->result;
}

/* What is wrong with the arguments; NULL: nothing. */
static const char *wrong_source(const struct source *source, MI_Uint32 flags)
{
    return source->format == SERIAL_NONE ? "this is no open deserializer"
           : flags != 0                  ? "flags must be 0"
           : source->text == NULL        ? "there is no buffer"
                                         : NULL;
}

static bool check_classes(struct serial_in *in, const char *wrong)
{
    if (wrong == NULL && in->classes.count > 0 && in->classes.given == NULL) {
        wrong = "there are no class objects, but a number of them";
    }
    for (MI_Uint32 i = 0; wrong == NULL && i < in->classes.count; i++) {
        wrong = class_declaration(in->classes.given[i]) == NULL
                    ? "a class object is NULL or of another library"
                    : NULL;
    }
    return wrong == NULL || serial_refuse(in, MI_RESULT_INVALID_PARAMETER, 0, 0, "%s", wrong);
}

/* ---- classes and instances --------------------------------------------------------------------
 */

static MI_Result deserialize_class(MI_Deserializer *deserializer, MI_Uint32 flags, MI_Uint8 *buffer,
                                   MI_Uint32 length, MI_Class *parent, const MI_Char *server,
                                   const MI_Char *name_space,
                                   MI_Deserializer_ClassObjectNeeded needed, void *context,
                                   MI_Uint32 *read, MI_Class **class_object, MI_Instance **error)
{
    ENTRY_UNCANCELLED;
    struct source source ON_LEAVING(end_source) = {
        .format = format_of(deserializer),
        .text = (const char *)buffer,
        .length = length,
        .in.classes = {
            .needed = needed, .context = context, .server = server, .name_space = name_space}};
    struct serial_in *in = &source.in;
    const char *wrong = wrong_source(&source, flags);

    if (read != NULL) {
        *read = 0;
    }
    if (class_object != NULL) {
        *class_object = NULL;
    } else {
        wrong = "there is no place for the class";
    }
    if (error != NULL) {
        *error = NULL;
    }
    if (wrong == NULL && parent != NULL && class_declaration(parent) == NULL) {
        wrong = "the parent class is of another library";
    }
    if (check_classes(in, wrong) && read_source(&source) &&
        serial_read_class(in, parent, class_object) && read != NULL) {
        *read = (MI_Uint32)source.used;
    }
    return give_result(in, error);
}

/* The last instance of the text: those before it are there for their aliases. */
static bool read_instance(struct serial_in *in, MI_Instance **ret_instance)
{
    const struct mof_instance *last = in->document->instances;

    if (last == NULL) {
        return serial_refuse(in, MI_RESULT_INVALID_PARAMETER, 1, 1, "the text has no instance");
    }
    while (last->next != NULL) {
        last = last->next;
    }
    return serial_build_instance(in, last, false, ret_instance);
}

static MI_Result deserialize_instance(MI_Deserializer *deserializer, MI_Uint32 flags,
                                      MI_Uint8 *buffer, MI_Uint32 length, MI_Class **classes,
                                      MI_Uint32 count, MI_Deserializer_ClassObjectNeeded needed,
                                      void *context, MI_Uint32 *read, MI_Instance **instance,
                                      MI_Instance **error)
{
    ENTRY_UNCANCELLED;
    struct source source ON_LEAVING(end_source) = {
        .format = format_of(deserializer),
        .text = (const char *)buffer,
        .length = length,
        .in.classes = {.given = classes, .count = count, .needed = needed, .context = context}};
    struct serial_in *in = &source.in;
    const char *wrong = wrong_source(&source, flags);

    if (read != NULL) {
        *read = 0;
    }
    if (instance != NULL) {
        *instance = NULL;
    } else {
        wrong = "there is no place for the instance";
    }
    if (error != NULL) {
        *error = NULL;
    }
    if (check_classes(in, wrong) && read_source(&source) && read_instance(in, instance) &&
        read != NULL) {
        *read = (MI_Uint32)source.used;
    }
    return give_result(in, error);
}

/* ---- names ------------------------------------------------------------------------------------
 */

enum wanted_name { CLASS_NAME, PARENT_NAME, INSTANCE_CLASS_NAME };

/* The name that is asked for, or NULL after a failure. */
static const char *find_name(struct serial_in *in, enum wanted_name wanted)
{
    const struct mof_instance *instance = in->document->instances;
    const struct mof_class *item = in->document->classes;

    while (instance != NULL && instance->next != NULL) {
        instance = instance->next;
    }
    while (item != NULL && item->next != NULL) {
        item = item->next;
    }
    if (wanted == INSTANCE_CLASS_NAME ? instance == NULL : item == NULL) {
        serial_refuse(in, MI_RESULT_INVALID_PARAMETER, 1, 1,
                      wanted == INSTANCE_CLASS_NAME ? "the text has no instance"
                                                    : "the text has no class");
        return NULL;
    }
    if (wanted == PARENT_NAME && item->superclass == NULL) {
        serial_refuse(in, MI_RESULT_INVALID_SUPERCLASS, item->line, item->column,
                      "the class %.60s derives from no other", item->name);
    }
    return wanted == INSTANCE_CLASS_NAME ? instance->class_name
           : wanted == PARENT_NAME       ? item->superclass
                                         : item->name;
}

/* *length is the room, then what is needed with the NUL; too little is FAILED, as in a serializer.
 */
static MI_Result give_name(struct serial_in *in, const char *found, MI_Char *name, MI_Uint32 room,
                           MI_Uint32 *length)
{
    *length = (MI_Uint32)strlen(found) + 1;
    if (name == NULL || room < *length) {
        serial_refuse(in, MI_RESULT_FAILED, 0, 0, "the name needs %u characters", *length);
    } else {
        memcpy(name, found, *length);
    }
    return in->result;
}

static MI_Result deserialize_name(MI_Deserializer *deserializer, MI_Uint8 *buffer, MI_Uint32 size,
                                  MI_Char *name, MI_Uint32 *length, MI_Instance **error,
                                  enum wanted_name wanted)
{
    struct source source ON_LEAVING(end_source) = {
        .format = format_of(deserializer), .text = (const char *)buffer, .length = size};
    const char *wrong = wrong_source(&source, 0);
    const MI_Uint32 room = length == NULL ? 0 : *length;

    if (length != NULL) {
        *length = 0;
    } else {
        wrong = "there is no place for the length";
    }
    if (error != NULL) {
        *error = NULL;
    }
    if (check_classes(&source.in, wrong) && read_source(&source)) {
        const char *found = find_name(&source.in, wanted);
        if (found != NULL) {
            (void)give_name(&source.in, found, name, room, length);
        }
    }
    return give_result(&source.in, error);
}

static MI_Result class_get_class_name(MI_Deserializer *deserializer, MI_Uint8 *buffer,
                                      MI_Uint32 size, MI_Char *name, MI_Uint32 *length,
                                      MI_Instance **error)
{
    ENTRY_UNCANCELLED;
    return deserialize_name(deserializer, buffer, size, name, length, error, CLASS_NAME);
}

static MI_Result class_get_parent_name(MI_Deserializer *deserializer, MI_Uint8 *buffer,
                                       MI_Uint32 size, MI_Char *name, MI_Uint32 *length,
                                       MI_Instance **error)
{
    ENTRY_UNCANCELLED;
    return deserialize_name(deserializer, buffer, size, name, length, error, PARENT_NAME);
}

static MI_Result instance_get_class_name(MI_Deserializer *deserializer, MI_Uint8 *buffer,
                                         MI_Uint32 size, MI_Char *name, MI_Uint32 *length,
                                         MI_Instance **error)
{
    ENTRY_UNCANCELLED;
    return deserialize_name(deserializer, buffer, size, name, length, error, INSTANCE_CLASS_NAME);
}

const MI_DeserializerFT deserializer_ft = {
    .Close = close_deserializer,
    .DeserializeClass = deserialize_class,
    .Class_GetClassName = class_get_class_name,
    .Class_GetParentClassName = class_get_parent_name,
    .DeserializeInstance = deserialize_instance,
    .Instance_GetClassName = instance_get_class_name,
};
