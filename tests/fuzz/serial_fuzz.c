/* SPDX-License-Identifier: MIT */
/*
 * Any bytes to both deserializers; the first byte says which, and whether a class, an instance, or
 * an instance of a class that is given is wanted. What is read and can be written is read again as
 * the same text. What is refused has a result, an error, and no object.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "host/object/object.h"
#include "host/serial/serial.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ROOM = 1 << 20 };

static void must(bool good)
{
    if (!good) {
        abort();
    }
}

/* What one input asks for. */
struct trial {
    MI_Serializer serializer;
    MI_Deserializer deserializer;
    bool class;
    MI_Class *given;
};

/* A class or an instance. */
struct object {
    MI_Class *class;
    MI_Instance *instance;
};

static void release(struct object *object)
{
    (void)MI_Class_Delete(object->class);
    instance_delete(object->instance);
    *object = (struct object){0};
}

static bool read_text(struct trial *trial, MI_Uint8 *text, size_t size, struct object *ret_object)
{
    MI_Instance *error = NULL;
    MI_Uint32 read = 0;

    MI_Result result =
        trial->class ? deserializer_ft.DeserializeClass(&trial->deserializer, 0, text,
                                                        (MI_Uint32)size, NULL, NULL, NULL, NULL,
                                                        NULL, &read, &ret_object->class, &error)
                     : deserializer_ft.DeserializeInstance(
                           &trial->deserializer, 0, text, (MI_Uint32)size, &trial->given,
                           trial->given != NULL, NULL, NULL, &read, &ret_object->instance, &error);
    const bool object = ret_object->class != NULL || ret_object->instance != NULL;
    must(object == (result == MI_RESULT_OK) && (error != NULL) == !object && read <= size);
    instance_delete(error);
    return object;
}

/* 0: it cannot be written, or is too long. */
static MI_Uint32 write_text(struct trial *trial, const struct object *object, MI_Uint8 *text)
{
    MI_Uint32 needed = 0;

    MI_Result result =
        trial->class ? serializer_ft.SerializeClass(&trial->serializer,
                                                    MI_SERIALIZER_FLAGS_CLASS_DEEP, object->class,
                                                    text, ROOM, &needed)
                     : serializer_ft.SerializeInstance(&trial->serializer,
                                                       MI_SERIALIZER_FLAGS_INSTANCE_WITH_CLASS,
                                                       object->instance, text, ROOM, &needed);
    return result == MI_RESULT_OK ? needed : 0;
}

static void run(struct trial *trial, MI_Uint8 *text, size_t size)
{
    static MI_Uint8 first[ROOM], second[ROOM];
    struct object object = {0}, again = {0};

    if (!read_text(trial, text, size, &object)) {
        return;
    }
    const MI_Uint32 length = write_text(trial, &object, first);
    release(&object);
    if (length == 0) {
        return;
    }
    (void)MI_Class_Delete(trial->given);
    trial->given = NULL; /* the text has its classes now */
    must(read_text(trial, first, length, &again));
    const MI_Uint32 whole = write_text(trial, &again, second);
    release(&again);
    if (whole == 0) {
        return;
    }
    /* An embedded instance that had no class has one in the text: its other properties are NULL. */
    must(read_text(trial, second, whole, &again));
    must(write_text(trial, &again, first) == whole && memcmp(first, second, whole) == 0);
    release(&again);
}

/* T_End with a key, a number, a reference, an instance and an array. */
static MI_Class *make_class(void)
{
    static const char text[] =
        "class T_End { [Key] string Id; uint8 Number; T_End REF Friend; [EmbeddedObject] string "
        "Part; real32 Many[]; datetime When; char16 Letter; };";
    MI_Deserializer deserializer = {0};
    MI_Class *item = NULL;

    must(deserializer_new("MI_MOF_CIMV2_EXTV1", &deserializer) == MI_RESULT_OK);
    must(deserializer_ft.DeserializeClass(&deserializer, 0, (MI_Uint8 *)(uintptr_t)text,
                                          sizeof(text) - 1, NULL, NULL, NULL, NULL, NULL, NULL,
                                          &item, NULL) == MI_RESULT_OK);
    return item;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    const char *format = (data[0] & 1) != 0 ? "MI_XML" : "MI_MOF_CIMV2_EXTV1";
    struct trial trial = {.class = (data[0] & 2) != 0};
    must(serializer_new(format, &trial.serializer) == MI_RESULT_OK);
    must(deserializer_new(format, &trial.deserializer) == MI_RESULT_OK);
    if (!trial.class && (data[0] & 4) != 0) {
        trial.given = make_class();
    }
    MI_Uint8 *text = malloc(size); /* as long as the input, so that one byte more is seen */
    must(text != NULL);
    memcpy(text, data + 1, size - 1);
    run(&trial, text, size - 1);
    free(text);
    (void)MI_Class_Delete(trial.given);
    return 0;
}
