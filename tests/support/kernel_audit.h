/* SPDX-License-Identifier: MIT */
/*
 * The kernel's audit system for tests that start an auditd: there is one to a kernel, so one test
 * at a time has it, nobody's is taken, and whether auditing is on is as it was afterwards.
 */
#ifndef SUPPORT_KERNEL_AUDIT_H
#define SUPPORT_KERNEL_AUDIT_H

#include <linux/audit.h>
#include <stdint.h>

/* NULL, and it is this test's until its end; or why it cannot be had. Waits for another test. */
const char *kernel_audit_taken(void);

/* 0 or errno. */
int kernel_audit_ask(struct audit_status *ret_status);

void kernel_audit_enable(uint32_t enabled);

/* When no auditd runs any more: on or off as kernel_audit_taken() found it. */
void kernel_audit_restore(void);

#endif
