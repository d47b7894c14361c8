/* SPDX-License-Identifier: MIT */
/* Says who writes a record: process, host and boot, and the number of the record in the process.
 * Called for each record, by the log and by the log file. */
#include "audit/stamp.h"

#include <string.h>

#include "base/process.h"

/* Names this boot: a reader joins records of one boot by it, whatever the clock was set to. */
static void read_boot_id(char boot_id[64])
{
    if (read_proc_file("/proc/sys/kernel/random/boot_id", boot_id, 64) < 0) {
        boot_id[0] = '\0';
    }
    boot_id[strcspn(boot_id, "\n")] = '\0';
}

/* What all records of the process have in common is encoded here, once. entity is stored last:
 * stamp_is_current() reads it without a lock. */
static void read_process(struct log_process *process, uint64_t entity)
{
    struct text *origin = &process->memory.origin;
    struct audit_stamp stamp = {
        .entity = entity,
        .process = &process->process,
        .host_name = process->host.nodename,
        .boot_id = process->boot_id,
    };

    identity_read_process(&process->process);
    text_clear(origin);
    audit_encode_origin(origin, &stamp);
    if (origin->failed) {
        text_release(origin); /* then it is made with each record */
    }
    atomic_store(&process->entity, entity);
}

/* uname(2) fails only for a wrong pointer. */
void stamp_init(struct log_process *process)
{
    memory_init(&process->memory);
    uname(&process->host);
    read_boot_id(process->boot_id);
    read_process(process, process_epoch());
}

void stamp_destroy(struct log_process *process)
{
    memory_destroy(&process->memory);
}

/* Acquire, with the store of entity in read_process(): who sees the new name sees what belongs to
 * it. */
bool stamp_is_current(const struct log_process *process)
{
    return atomic_load_explicit(&process->entity, memory_order_acquire) == process_epoch();
}

/* What identity_read_process() gives is read again; host and boot stay the same across a fork. */
void stamp_renew(struct log_process *process)
{
    names_forget(&process->names);
    read_process(process, process_epoch());
}

/* The number is left out where the record may still become a count: ids would have gaps that look
 * like lost records. */
struct audit_stamp stamp_without_number(struct log_process *process)
{
    return (struct audit_stamp){
        .entity = atomic_load_explicit(&process->entity, memory_order_relaxed),
        .names = &process->names,
        .process = &process->process,
        .host_name = process->host.nodename,
        .boot_id = process->boot_id,
        .memory = &process->memory,
    };
}

/* The number is drawn here, and is used up also when the record is lost. */
struct audit_stamp stamp_next(struct log_process *process)
{
    struct audit_stamp stamp = stamp_without_number(process);

    stamp.number = process_next_number();
    return stamp;
}

/* For a body that was encoded before its number was drawn. */
void stamp_id(struct log_process *process, char ret_id[AUDIT_ID_SIZE])
{
    const struct audit_stamp stamp = stamp_next(process);
    audit_id(&stamp, ret_id);
}

void stamp_encode(struct log_process *process, const struct audit_event *event,
                  struct text *ret_body, char ret_id[AUDIT_ID_SIZE])
{
    const struct audit_stamp stamp = stamp_next(process);
    audit_encode_body(ret_body, event, &stamp);
    audit_id(&stamp, ret_id);
}
