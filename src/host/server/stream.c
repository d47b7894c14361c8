/* SPDX-License-Identifier: MIT */
/*
 * Streamed output parameters of a method (WriteStreamParameter).
 *
 * A client with a callback for them gets each part as it comes, and the provider goes on when the
 * callback has returned. For any other client the parts are joined, and are an output like the
 * others in the instance that the provider posts.
 */
#include "host/server/host.h"

#include <string.h>

#include "base/alloc.h"
#include "host/object/object.h"

/* The parts of one parameter that came so far; owned by its operation. */
struct stream {
    struct stream *next;
    char *name;
    MI_Type type; /* of an array */
    MI_Value value;
    size_t capacity; /* elements */
    bool ended;
};

static MI_Type element_type(MI_Type type)
{
    return (MI_Type)((unsigned)type & ~(unsigned)MI_ARRAY);
}

void stream_free(struct operation *operation)
{
    while (operation->streams != NULL) {
        struct stream *first = operation->streams;
        operation->streams = first->next;
        value_release(first->type, &first->value);
        base_free(first->name);
        base_free(first);
    }
}

/* A stream that is not there yet is made. */
static struct stream *find_stream(struct operation *operation, const char *name, MI_Type type)
{
    struct stream *stream = operation->streams;

    while (stream != NULL && !decl_name_equal(stream->name, name)) {
        stream = stream->next;
    }
    if (stream != NULL) {
        return stream;
    }
    stream = base_alloc(1, sizeof(*stream));
    char *copy = base_copy_text(name);
    if (stream == NULL || copy == NULL) {
        base_free(stream);
        base_free(copy);
        return NULL;
    }
    *stream = (struct stream){.next = operation->streams, .name = copy, .type = type};
    operation->streams = stream;
    return stream;
}

/* Room for `more` elements behind the others; twice as much as there was, so that many small parts
 * are not copied again and again. */
static bool make_room(struct stream *stream, size_t more)
{
    size_t each = value_size(element_type(stream->type));
    size_t used = stream->value.array.size;
    size_t wanted = used + more > 2 * stream->capacity ? used + more : 2 * stream->capacity;

    if (used + more <= stream->capacity) {
        return true;
    }
    if (wanted * each > MIGUARD_HOST_MAX_INSTANCE_BYTES) {
        wanted = used + more;
    }
    if (wanted * each > MIGUARD_HOST_MAX_INSTANCE_BYTES) {
        return false;
    }
    void *data = base_alloc(wanted, each);
    if (data == NULL) {
        return false;
    }
    if (used > 0) {
        memcpy(data, stream->value.array.data, used * each);
    }
    base_free(stream->value.array.data);
    stream->value.array.data = data;
    stream->capacity = wanted;
    return true;
}

/* The elements of part move to the stream; its own array is empty then. */
static bool join(struct stream *stream, MI_Array *part)
{
    size_t each = value_size(element_type(stream->type));

    if (!make_room(stream, part->size)) {
        return false;
    }
    if (part->size > 0) {
        unsigned char *end = (unsigned char *)stream->value.array.data;
        memcpy(end + stream->value.array.size * each, part->data, part->size * each);
        stream->value.array.size += part->size;
    }
    base_free(part->data);
    *part = (MI_Array){0};
    return true;
}

/* A part that is lost makes the operation fail in the end, as a lost result does. */
static MI_Result keep_part(const struct context *context, const char *name, const MI_Value *value,
                           MI_Type type, bool last)
{
    struct operation *operation = context->operation;
    const struct decl_copy *copies = context->module->copies;
    MI_Value part = {0};
    MI_Result result = value == NULL ? MI_RESULT_OK : value_take(type, value, copies, &part);

    if (result != MI_RESULT_OK) {
        return result;
    }
    pthread_mutex_lock(&operation->lock);
    struct stream *stream = find_stream(operation, name, type);
    if (stream != NULL && stream->ended) {
        result = MI_RESULT_INVALID_PARAMETER;
    } else if (stream == NULL || !join(stream, &part.array)) {
        result = MI_RESULT_SERVER_LIMITS_EXCEEDED;
        operation->lost = result;
    } else {
        stream->ended = last;
    }
    pthread_mutex_unlock(&operation->lock);
    value_release(type, &part);
    return result;
}

/* What a method may stream: what it declares so. A dynamic provider declares nothing. */
static MI_Result check_parameter(const struct request *request, const char *name, MI_Type type)
{
    if (((unsigned)type & MI_ARRAY) == 0 || value_size(type) == 0) {
        return MI_RESULT_TYPE_MISMATCH;
    }
    if (request->method == NULL) {
        return MI_RESULT_OK;
    }
    const MI_ParameterDecl *parameter = decl_stream_find(request->method, name);
    if (parameter == NULL) {
        return MI_RESULT_NO_SUCH_PROPERTY;
    }
    return parameter->type == type ? MI_RESULT_OK : MI_RESULT_TYPE_MISMATCH;
}

/* The value stays the provider's: it waits for the callback, and for its acknowledgement. */
static void deliver_part(struct operation *operation, const char *name, const MI_Value *value,
                         MI_Type type)
{
    struct event event = {.kind = EVENT_STREAM, .text = {name}, .value = value, .value_type = type};

    event_post(operation, &event);
}

/* WriteStreamParameter: MI_FLAG_NULL marks the end of the stream, with or without a last part. */
MI_Result stream_write(MI_Context *address, const MI_Char *name, const MI_Value *value,
                       MI_Type type, MI_Uint32 flags)
{
    ENTRY_UNCANCELLED;
    struct context *context ON_LEAVING(context_let_go) = context_pin(address);
    bool last = (flags & MI_FLAG_NULL) != 0;

    if (context == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    struct operation *operation = context->operation;
    if (operation == NULL || operation->request.kind != REQUEST_INVOKE) {
        return MI_RESULT_NOT_SUPPORTED;
    }
    if (name == NULL || (value == NULL && !last) || (flags & ~MI_FLAG_NULL) != 0) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    MI_Result result = check_parameter(&operation->request, name, type);
    if (result != MI_RESULT_OK) {
        return result;
    }
    if (operation->callbacks.streamedParameterResult == NULL) {
        return keep_part(context, name, value, type, last);
    }
    if (value != NULL) {
        deliver_part(operation, name, value, type);
    }
    return MI_RESULT_OK;
}

/* The caller holds no lock; a provider does not stream and post its outputs at the same time. */
MI_Result stream_join(struct operation *operation, MI_Instance *outputs)
{
    MI_Result result = MI_RESULT_OK;

    pthread_mutex_lock(&operation->lock);
    for (struct stream *at = operation->streams; at != NULL && result == MI_RESULT_OK;
         at = at->next) {
        result = instance_append_element(outputs, at->name, &at->value, at->type, 0);
        if (result == MI_RESULT_ALREADY_EXISTS) {
            result = MI_RESULT_OK; /* the provider has posted it, too */
        }
    }
    pthread_mutex_unlock(&operation->lock);
    return result;
}
