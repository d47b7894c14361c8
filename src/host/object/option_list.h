/* SPDX-License-Identifier: MIT */
/*
 * The one list of named options behind operation, destination and delivery options.
 *
 * A list is used by one thread at a time; its user ensures that. The functions have the semantics
 * of the slots they serve (reference G.3, G.4); list is never NULL, everything else is checked.
 */
#ifndef HOST_OBJECT_OPTION_LIST_H
#define HOST_OBJECT_OPTION_LIST_H

#include <MI.h>
#include <stdbool.h>

enum option_kind { OPTIONS_OPERATION = 1, OPTIONS_DESTINATION, OPTIONS_DELIVERY };

struct option {
    char *name;
    MI_Type type;
    MI_Uint32 flags; /* as the getters report it */
    MI_Value value;
};

struct credential {
    char *option_name;
    char *type; /* MI_AUTH_TYPE_... */
    char *domain;
    char *username;   /* NULL for credentials other than a password */
    char *password;   /* NULL when not given */
    char *thumbprint; /* of a certificate */
};

struct option_list {
    enum option_kind kind;
    bool must_understand;                 /* operation: every custom option counts as must-comply */
    MI_SubscriptionDeliveryType delivery; /* delivery */
    struct option *options;
    MI_Uint32 option_count, option_capacity;
    struct credential *credentials;
    MI_Uint32 credential_count, credential_capacity;
};

/* option_list.c */
void option_list_release(struct option_list *list);
MI_Result option_list_copy(const struct option_list *from, struct option_list *to);

MI_Result option_set_string(struct option_list *list, const char *name, const char *value,
                            MI_Uint32 flags);
MI_Result option_set_number(struct option_list *list, const char *name, MI_Uint32 value,
                            MI_Uint32 flags);
MI_Result option_set_datetime(struct option_list *list, const char *name, const MI_Datetime *value,
                              MI_Uint32 flags);
MI_Result option_set_interval(struct option_list *list, const char *name, const MI_Interval *value,
                              MI_Uint32 flags);
MI_Result option_set_custom(struct option_list *list, const char *name, MI_Type type,
                            const MI_Value *value, MI_Boolean must_comply, MI_Uint32 flags);

MI_Result option_get_string(const struct option_list *list, const char *name, const char **value,
                            MI_Uint32 *index, MI_Uint32 *flags);
MI_Result option_get_number(const struct option_list *list, const char *name, MI_Uint32 *value,
                            MI_Uint32 *index, MI_Uint32 *flags);
MI_Result option_get_datetime(const struct option_list *list, const char *name, MI_Datetime *value,
                              MI_Uint32 *index, MI_Uint32 *flags);
MI_Result option_get_interval(const struct option_list *list, const char *name, MI_Interval *value,
                              MI_Uint32 *index, MI_Uint32 *flags);
MI_Result option_get_count(const struct option_list *list, MI_Uint32 *count);
MI_Result option_get_at(const struct option_list *list, MI_Uint32 index, const char **name,
                        MI_Value *value, MI_Type *type, MI_Uint32 *flags);
MI_Result option_get(const struct option_list *list, const char *name, MI_Value *value,
                     MI_Type *type, MI_Uint32 *index, MI_Uint32 *flags);
MI_Result option_get_channels(const struct option_list *list, const char *name, MI_Uint32 *channels,
                              MI_Uint32 length, MI_Uint32 *count, MI_Uint32 *flags);

/* option_credentials.c */
void credentials_release(struct option_list *list);
MI_Result credentials_copy(const struct option_list *from, struct option_list *to);
MI_Result credentials_add(struct option_list *list, const char *name,
                          const MI_UserCredentials *credentials, MI_Uint32 flags);
MI_Result credentials_get_count(const struct option_list *list, MI_Uint32 *count);
MI_Result credentials_get_at(const struct option_list *list, MI_Uint32 index, const char **name,
                             MI_UserCredentials *credentials, MI_Uint32 *flags);
MI_Result credentials_get_password_at(const struct option_list *list, MI_Uint32 index,
                                      const char **name, char *password, MI_Uint32 length,
                                      MI_Uint32 *password_length, MI_Uint32 *flags);

#endif
