/* SPDX-License-Identifier: MIT */
/*
 * For a test that counts the calls of a check, or lets one come in by its number: with these in
 * place of src/identity/uninterrupted.c each check reads ids and groups again, and not only one
 * during which the kernel preempted the thread. What the originals know is in
 * tests/table/interrupted_test.c.
 */
#ifndef SUPPORT_ALWAYS_INTERRUPTED_H
#define SUPPORT_ALWAYS_INTERRUPTED_H

#include "identity/uninterrupted.h"

void uninterrupted_begin(void)
{
}

bool uninterrupted_end(void)
{
    return false;
}

#endif
