/* SPDX-License-Identifier: MIT */
/*
 * The one seam through which both libraries allocate, so that a test can fail each site in turn:
 * a fault test links its own definition of these three functions in place of alloc.c.
 */
#ifndef BASE_ALLOC_H
#define BASE_ALLOC_H

#include <stddef.h>

/* Zeroed memory for count objects of size bytes, or NULL (also when the product overflows). */
__attribute__((warn_unused_result)) void *base_alloc(size_t count, size_t size);

/* As realloc(3) for count objects of size bytes; the old block stays valid on failure. */
__attribute__((warn_unused_result)) void *base_resize(void *block, size_t count, size_t size);

/* As free(3), for memory of the functions above. NULL is allowed. Keeps errno, so that clean-up
 * does not hide an error. */
void base_free(void *block);

/* A copy of text, or NULL when text is NULL or memory ran out. */
__attribute__((warn_unused_result)) char *base_copy_text(const char *text);

#endif
