/* SPDX-License-Identifier: MIT */
/*
 * The one list of named options behind operation, destination and delivery options.
 *
 * A list is used by one thread at a time; its user ensures that. The functions have the semantics
 * of the slots they serve (MI_OperationOptionsFT, MI_DestinationOptionsFT); list is never NULL,
 * everything else is checked.
 */
#ifndef HOST_OBJECT_OPTION_LIST_H
#define HOST_OBJECT_OPTION_LIST_H

#include <MI.h>
#include <stdbool.h>

/* Also the check of a handle: the table of handles is common, so a handle of one kind must not be
 * accepted as another. 0 is no kind, as in zeroed memory. */
enum option_kind { OPTIONS_OPERATION = 1, OPTIONS_DESTINATION, OPTIONS_DELIVERY };

/* One option. The names and values belong to the list. */
struct option {
    /* Owned; never empty. */
    char *name;
    MI_Type type;
    /* MI_FLAG_REQUIRED for a custom option that must be understood. */
    MI_Uint32 flags; /* as the getters report it */
    MI_Value value;
};

/* One credential. All texts belong to the list; those after type are wiped before they are
 * freed. */
struct credential {
    /* Under which option the credential was added; owned, like the other texts. */
    char *option_name;
    char *type; /* MI_AUTH_TYPE_... */
    char *domain;
    char *username;   /* NULL for credentials other than a password */
    char *password;   /* NULL when not given */
    char *thumbprint; /* of a certificate */
};

/* Released by option_list_release(). Zeroed memory with a kind is an empty list. */
struct option_list {
    /* Set when the list is made, and never changed. */
    enum option_kind kind;
    bool must_understand;                 /* operation: every custom option counts as must-comply */
    MI_SubscriptionDeliveryType delivery; /* delivery */
    struct option *options;
    MI_Uint32 option_count, option_capacity;
    struct credential *credentials;
    MI_Uint32 credential_count, credential_capacity;
};

/* (option_list.c) Frees options and credentials and leaves an empty list of the same kind. */
void option_list_release(struct option_list *list);

/* What a new list of its kind holds: for operations the message channels. SERVER_LIMITS_EXCEEDED.
 */
MI_Result option_list_preset(struct option_list *list);

/* Fills the empty list to with copies. On failure to holds a part, which option_list_release()
 * frees. SERVER_LIMITS_EXCEEDED. */
MI_Result option_list_copy(const struct option_list *from, struct option_list *to);

/* Sets or replaces the option called name. All setters: INVALID_PARAMETER for a NULL or empty name,
 * a NULL value or flags other than 0; TYPE_MISMATCH when the option exists with another type;
 * SERVER_LIMITS_EXCEEDED for memory or more than OPTIONS_MAX_ELEMENTS. */
MI_Result option_set_string(struct option_list *list, const char *name, const char *value,
                            MI_Uint32 flags);

/* For the channel option, value is the number of a channel and flags 1 disables it. */
MI_Result option_set_number(struct option_list *list, const char *name, MI_Uint32 value,
                            MI_Uint32 flags);

/* A timestamp or an interval. */
MI_Result option_set_datetime(struct option_list *list, const char *name, const MI_Datetime *value,
                              MI_Uint32 flags);

/* Stored as an MI_Datetime that is not a timestamp, as option_get() reports it. */
MI_Result option_set_interval(struct option_list *list, const char *name, const MI_Interval *value,
                              MI_Uint32 flags);

/* An option for the provider. must_comply makes an operation fail whose server does not understand
 * it. */
MI_Result option_set_custom(struct option_list *list, const char *name, MI_Type type,
                            const MI_Value *value, MI_Boolean must_comply, MI_Uint32 flags);

/* All getters by name: NO_SUCH_PROPERTY when it is not set, TYPE_MISMATCH when it has another type,
 * INVALID_PARAMETER for a NULL name or value. index and flags may be NULL. A string is borrowed
 * until the option is replaced or the list released. */
MI_Result option_get_string(const struct option_list *list, const char *name, const char **value,
                            MI_Uint32 *index, MI_Uint32 *flags);

/* The channel option is an array, and TYPE_MISMATCH here. */
MI_Result option_get_number(const struct option_list *list, const char *name, MI_Uint32 *value,
                            MI_Uint32 *index, MI_Uint32 *flags);

/* Also finds what option_set_interval() stored. */
MI_Result option_get_datetime(const struct option_list *list, const char *name, MI_Datetime *value,
                              MI_Uint32 *index, MI_Uint32 *flags);

/* Also TYPE_MISMATCH for a date that is a timestamp. */
MI_Result option_get_interval(const struct option_list *list, const char *name, MI_Interval *value,
                              MI_Uint32 *index, MI_Uint32 *flags);

/* INVALID_PARAMETER for a NULL count only. */
MI_Result option_get_count(const struct option_list *list, MI_Uint32 *count);

/* INVALID_PARAMETER beyond the end, and without a place for value or type. The value is borrowed;
 * only as many bytes are written as its type has. */
MI_Result option_get_at(const struct option_list *list, MI_Uint32 index, const char **name,
                        MI_Value *value, MI_Type *type, MI_Uint32 *flags);

/* By name and of any type. */
MI_Result option_get(const struct option_list *list, const char *name, MI_Value *value,
                     MI_Type *type, MI_Uint32 *index, MI_Uint32 *flags);

/* The numbers of the enabled channels, in the order in which they were enabled, in the caller's
 * array of length elements. TYPE_MISMATCH for an option of another name that is set. */
MI_Result option_get_channels(const struct option_list *list, const char *name, MI_Uint32 *channels,
                              MI_Uint32 length, MI_Uint32 *count, MI_Uint32 *flags);

/* (option_credentials.c) Wipes and frees all credentials of the list. */
void credentials_release(struct option_list *list);

/* Appends copies of those in from. On failure to holds a part. */
MI_Result credentials_copy(const struct option_list *from, struct option_list *to);

/* INVALID_PARAMETER for an unknown authentication type, a missing user name or thumbprint, or flags
 * other than 0; FAILED for a second credential of one name and type
 * (MI_DestinationOptions_AddCredentials). */
MI_Result credentials_add(struct option_list *list, const char *name,
                          const MI_UserCredentials *credentials, MI_Uint32 flags);

/* Likewise; 0 for operation options, which have no credentials. */
MI_Result credentials_get_count(const struct option_list *list, MI_Uint32 *count);

/* The credential without its password. The texts are borrowed. */
MI_Result credentials_get_at(const struct option_list *list, MI_Uint32 index, const char **name,
                             MI_UserCredentials *credentials, MI_Uint32 *flags);

/* The only function that returns a password, into the caller's buffer. */
MI_Result credentials_get_password_at(const struct option_list *list, MI_Uint32 index,
                                      const char **name, char *password, MI_Uint32 length,
                                      MI_Uint32 *password_length, MI_Uint32 *flags);

#endif
