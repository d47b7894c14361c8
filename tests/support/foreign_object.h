/* SPDX-License-Identifier: MIT */
/*
 * Instances, options and the application of the foreign host (support/foreign_host.h).
 *
 * An instance is read by its declaration and offsets only, whatever function table it came with. A
 * dynamic one has a declaration of its own, with room for FOREIGN_ELEMENTS elements.
 */
#ifndef SUPPORT_FOREIGN_OBJECT_H
#define SUPPORT_FOREIGN_OBJECT_H

#include <MI.h>
#include <stdbool.h>

enum { FOREIGN_ELEMENTS = 48, FOREIGN_OPTIONS = 8 };

/* On the heap; MI_Instance_Delete() frees it. flags: of the declaration, 0 for a class. */
MI_Instance *foreign_instance_new(const MI_Char *class_name, MI_Uint32 flags);
/* By a declaration, which may be that of a method: on the heap, or in the caller's memory. */
MI_Instance *foreign_instance_make(const MI_ClassDecl *decl);
void foreign_instance_construct(const MI_ClassDecl *decl, MI_Instance *instance);

/* Deep; from may be of any maker. NULL for NULL. */
MI_Instance *foreign_instance_clone(const MI_Instance *from);

/* What a provider of decl gets for an instance of a client: laid out by decl, by the names of the
 * elements. Elements that decl does not have are dropped. */
MI_Instance *foreign_instance_inbound(const MI_ClassDecl *decl, const MI_Instance *from);

/* Whether all keys of a are in b with the same value, and there is one. */
bool foreign_instance_same_keys(const MI_Instance *a, const MI_Instance *b);

/* Every key of the instance has a value. */
bool foreign_instance_has_keys(const MI_Instance *instance);

/* Free with MI_Instance_Delete(); NULL is allowed. */
void foreign_instance_free(MI_Instance *instance);

/* The tables that MI_Server has, besides its own. */
extern const MI_InstanceFT foreign_instance_ft;

/* The application of a session: makes instances and options; all else is NOT_SUPPORTED. */
extern const MI_ApplicationFT foreign_application_ft;

/* What a client's options are to a provider: custom options by number. */
struct foreign_options {
    unsigned count;
    struct {
        MI_Char name[64];
        MI_Char text[128]; /* of a string */
        MI_Value value;
        MI_Type type;
    } options[FOREIGN_OPTIONS];
};

/* The options of a client as they are now; none for NULL. */
void foreign_options_read(struct foreign_options *to, const MI_OperationOptions *options);

#endif
