/* SPDX-License-Identifier: MIT */
/*
 * MI_Serializer: the slots, which check what a program passes, and the buffer protocol.
 *
 * The struct holds a mark and the format and nothing that must be freed. A copy of it is as good as
 * the original; after Close it is zero, which no slot takes.
 *
 * A buffer that is NULL or too short is FAILED with the bytes that are needed, as in the open host;
 * nothing is written to it then.
 */
#include "base/entry.h"
#include "host/serial/handle.h"
#include "host/serial/write.h"

enum serial_format serial_format_of(const char *name)
{
    if (name == NULL) {
        return SERIAL_NONE;
    }
    return strcmp(name, "MI_XML") == 0               ? SERIAL_XML
           : strcmp(name, "MI_MOF_CIMV2_EXTV1") == 0 ? SERIAL_MOF
                                                     : SERIAL_NONE;
}

MI_Result serializer_new(const char *format, MI_Serializer *ret_serializer)
{
    const enum serial_format known = serial_format_of(format);

    if (known == SERIAL_NONE) {
        return MI_RESULT_NOT_SUPPORTED;
    }
    ret_serializer->reserved1 = SERIALIZER_MARK | (MI_Uint64)known;
    return MI_RESULT_OK;
}

static enum serial_format format_of(const MI_Serializer *serializer)
{
    return serializer == NULL ? SERIAL_NONE
                              : serial_handle_format(serializer->reserved1, SERIALIZER_MARK);
}

static MI_Result close_serializer(MI_Serializer *serializer)
{
    ENTRY_UNCANCELLED;
    if (format_of(serializer) == SERIAL_NONE) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    memset(serializer, 0, sizeof(*serializer));
    return MI_RESULT_OK;
}

/* Copies the text out and releases it. */
static MI_Result give_text(struct serial_out *out, MI_Uint8 *buffer, MI_Uint32 length,
                           MI_Uint32 *needed)
{
    MI_Result result = serial_goes_on(out) ? MI_RESULT_OK : out->result;

    if (result == MI_RESULT_OK) {
        *needed = (MI_Uint32)out->text.length;
        if (buffer == NULL || length < *needed) {
            result = MI_RESULT_FAILED;
        } else {
            memcpy(buffer, out->text.data, out->text.length);
        }
    }
    text_release(&out->text);
    return result;
}

/* The class without MI_SERIALIZER_FLAGS_CLASS_DEEP has only what it declares itself. */
static MI_Result serialize_class(MI_Serializer *serializer, MI_Uint32 flags,
                                 const MI_Class *class_object, MI_Uint8 *buffer, MI_Uint32 length,
                                 MI_Uint32 *needed)
{
    ENTRY_UNCANCELLED;
    const enum serial_format format = format_of(serializer);
    const MI_ClassDecl *decl = class_declaration(class_object);
    struct serial_out out = {0};

    if (needed != NULL) {
        *needed = 0;
    }
    if (format == SERIAL_NONE || (flags & ~(MI_Uint32)MI_SERIALIZER_FLAGS_CLASS_DEEP) != 0 ||
        decl == NULL || needed == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    (format == SERIAL_MOF ? mof_write_class
                          : xml_write_class)(&out, decl, flags == MI_SERIALIZER_FLAGS_CLASS_DEEP);
    return give_text(&out, buffer, length, needed);
}

static MI_Result serialize_instance(MI_Serializer *serializer, MI_Uint32 flags,
                                    const MI_Instance *instance, MI_Uint8 *buffer, MI_Uint32 length,
                                    MI_Uint32 *needed)
{
    ENTRY_UNCANCELLED;
    const enum serial_format format = format_of(serializer);
    struct serial_out out = {0};

    if (needed != NULL) {
        *needed = 0;
    }
    if (format == SERIAL_NONE ||
        (flags & ~(MI_Uint32)MI_SERIALIZER_FLAGS_INSTANCE_WITH_CLASS) != 0 || instance == NULL ||
        instance_class_name(instance) == NULL || needed == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    (format == SERIAL_MOF ? mof_write_instance : xml_write_instance)(
        &out, instance, flags == MI_SERIALIZER_FLAGS_INSTANCE_WITH_CLASS);
    return give_text(&out, buffer, length, needed);
}

const MI_SerializerFT serializer_ft = {
    .Close = close_serializer,
    .SerializeClass = serialize_class,
    .SerializeInstance = serialize_instance,
};
