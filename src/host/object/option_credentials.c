/* SPDX-License-Identifier: MIT */
/*
 * Credentials in options. They matter for remote sessions only; a local session's identity comes
 * from the kernel, never from here. The memory is wiped before it is freed.
 *
 * credentials_add() checks and borrows, append() copies; the getters lend what the list holds, but
 * for the password, which only credentials_get_password_at() gives, into the caller's own buffer.
 * Nothing here is ever compared with the identity of a session.
 */
#include "host/object/option_list.h"

#include "base/alloc.h"
#include "host/object/instance_internal.h"

/* The authentication type determines the member of the credentials union (MI_UserCredentials). */
enum credential_form { FORM_UNKNOWN, FORM_NOTHING, FORM_PASSWORD, FORM_CERTIFICATE };

/* FORM_UNKNOWN for a type that is not in MI.h: the member of the union is then not known, and
 * reading the wrong one would follow a random pointer. */
static enum credential_form form_of(const char *type)
{
    static const struct {
        const char *type;
        enum credential_form form;
    } forms[] = {
        {MI_AUTH_TYPE_DEFAULT, FORM_PASSWORD},      {MI_AUTH_TYPE_NONE, FORM_NOTHING},
        {MI_AUTH_TYPE_DIGEST, FORM_PASSWORD},       {MI_AUTH_TYPE_NEGO_WITH_CREDS, FORM_PASSWORD},
        {MI_AUTH_TYPE_NEGO_NO_CREDS, FORM_NOTHING}, {MI_AUTH_TYPE_BASIC, FORM_PASSWORD},
        {MI_AUTH_TYPE_KERBEROS, FORM_PASSWORD},     {MI_AUTH_TYPE_CLIENT_CERTS, FORM_CERTIFICATE},
        {MI_AUTH_TYPE_NTLM, FORM_PASSWORD},         {MI_AUTH_TYPE_ISSUER_CERT, FORM_CERTIFICATE},
    };

    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        if (decl_name_equal(forms[i].type, type)) {
            return forms[i].form;
        }
    }
    return FORM_UNKNOWN;
}

/* Overwrites and frees; NULL is allowed. */
static void wipe(char *text)
{
    if (text != NULL) {
        explicit_bzero(text, strlen(text)); /* not memset: the compiler must not leave it out */
        base_free(text);
    }
}

/* Frees one credential. Name and type are no secrets. */
static void credential_release(struct credential *credential)
{
    base_free(credential->option_name);
    base_free(credential->type);
    wipe(credential->domain);
    wipe(credential->username);
    wipe(credential->password);
    wipe(credential->thumbprint);
}

/* The array itself has only pointers and is freed without wiping. */
void credentials_release(struct option_list *list)
{
    for (MI_Uint32 i = 0; i < list->credential_count; i++) {
        credential_release(&list->credentials[i]);
    }
    base_free(list->credentials);
    list->credentials = NULL;
    list->credential_count = 0;
    list->credential_capacity = 0;
}

/* Room for one more credential. */
static MI_Result reserve(struct option_list *list)
{
    if (list->credential_count < list->credential_capacity) {
        return MI_RESULT_OK;
    }
    if (list->credential_capacity >= OPTIONS_MAX_ELEMENTS) {
        return MI_RESULT_SERVER_LIMITS_EXCEEDED;
    }
    /* Only pointers move with the array; the secrets themselves stay where they are. */
    MI_Uint32 capacity = list->credential_capacity == 0 ? 4 : list->credential_capacity * 2;
    struct credential *credentials = base_resize(list->credentials, capacity, sizeof(*credentials));
    if (credentials == NULL) {
        return MI_RESULT_SERVER_LIMITS_EXCEEDED;
    }
    list->credentials = credentials;
    list->credential_capacity = capacity;
    return MI_RESULT_OK;
}

/* False when memory ran out; NULL copies to NULL. */
static bool copy_text(const char *from, char **to)
{
    *to = base_copy_text(from);
    return *to != NULL || from == NULL;
}

/* Adds a copy of the credential, whose texts are borrowed; all or nothing. */
static MI_Result append(struct option_list *list, const struct credential *from)
{
    struct credential copy = {0};

    MI_Result result = reserve(list);
    if (result != MI_RESULT_OK) {
        return result;
    }
    if (!copy_text(from->option_name, &copy.option_name) || !copy_text(from->type, &copy.type) ||
        !copy_text(from->domain, &copy.domain) || !copy_text(from->username, &copy.username) ||
        !copy_text(from->password, &copy.password) ||
        !copy_text(from->thumbprint, &copy.thumbprint)) {
        credential_release(&copy);
        return MI_RESULT_SERVER_LIMITS_EXCEEDED;
    }
    list->credentials[list->credential_count] = copy;
    list->credential_count++;
    return MI_RESULT_OK;
}

/* One name can have several credentials, but only one of each type. */
static bool is_duplicate(const struct option_list *list, const char *name, const char *type)
{
    for (MI_Uint32 i = 0; i < list->credential_count; i++) {
        if (decl_name_equal(list->credentials[i].option_name, name) &&
            decl_name_equal(list->credentials[i].type, type)) {
            return true;
        }
    }
    return false;
}

/* For a credential that only borrows its texts until append() has copied them. */
static char *unconst(const char *text)
{
    return (char *)(uintptr_t)text;
}

/* The union is read by the authentication type alone, after that is known to be valid. */
MI_Result credentials_add(struct option_list *list, const char *name,
                          const MI_UserCredentials *credentials, MI_Uint32 flags)
{
    if (name == NULL || *name == '\0' || credentials == NULL ||
        credentials->authenticationType == NULL || flags != 0) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    struct credential borrowed = {
        .option_name = unconst(name),
        .type = unconst(credentials->authenticationType),
    };
    switch (form_of(credentials->authenticationType)) {
    case FORM_PASSWORD:
        borrowed.domain = unconst(credentials->credentials.usernamePassword.domain);
        borrowed.username = unconst(credentials->credentials.usernamePassword.username);
        borrowed.password = unconst(credentials->credentials.usernamePassword.password);
        if (borrowed.username == NULL || *borrowed.username == '\0') {
            return MI_RESULT_INVALID_PARAMETER;
        }
        break;
    case FORM_CERTIFICATE:
        borrowed.thumbprint = unconst(credentials->credentials.certificateThumbprint);
        if (borrowed.thumbprint == NULL || *borrowed.thumbprint == '\0') {
            return MI_RESULT_INVALID_PARAMETER;
        }
        break;
    case FORM_NOTHING:
        break;
    default:
        return MI_RESULT_INVALID_PARAMETER; /* the member of the union is not known */
    }
    if (is_duplicate(list, name, credentials->authenticationType)) {
        return MI_RESULT_FAILED;
    }
    return append(list, &borrowed);
}

/* The number for all names together. */
MI_Result credentials_get_count(const struct option_list *list, MI_Uint32 *count)
{
    if (count == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    *count = list->credential_count;
    return MI_RESULT_OK;
}

/* Six asterisks for every password, even for an absent one: not even its absence is disclosed
 * (MI_DestinationOptions_GetCredentialsAt). The texts are borrowed until the list is released. */
MI_Result credentials_get_at(const struct option_list *list, MI_Uint32 index, const char **name,
                             MI_UserCredentials *credentials, MI_Uint32 *flags)
{
    if (name == NULL || credentials == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    *name = NULL;
    memset(credentials, 0, sizeof(*credentials));
    if (index >= list->credential_count) {
        return MI_RESULT_NO_SUCH_PROPERTY;
    }
    const struct credential *credential = &list->credentials[index];
    *name = credential->option_name;
    credentials->authenticationType = credential->type;
    if (credential->thumbprint != NULL) {
        credentials->credentials.certificateThumbprint = credential->thumbprint;
    } else if (credential->username != NULL) {
        credentials->credentials.usernamePassword.domain = credential->domain;
        credentials->credentials.usernamePassword.username = credential->username;
        credentials->credentials.usernamePassword.password = "******";
    }
    if (flags != NULL) {
        *flags = 0;
    }
    return MI_RESULT_OK;
}

/* Lengths count the NUL. With password NULL only the length is returned. *password_length is
 * correct also when length is too short, which is FAILED. TYPE_MISMATCH for credentials without
 * user. */
MI_Result credentials_get_password_at(const struct option_list *list, MI_Uint32 index,
                                      const char **name, char *password, MI_Uint32 length,
                                      MI_Uint32 *password_length, MI_Uint32 *flags)
{
    if (name == NULL || password_length == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    *name = NULL;
    *password_length = 0;
    if (index >= list->credential_count) {
        return MI_RESULT_NO_SUCH_PROPERTY;
    }
    const struct credential *credential = &list->credentials[index];
    if (credential->username == NULL) {
        return MI_RESULT_TYPE_MISMATCH;
    }
    const char *secret = credential->password == NULL ? "" : credential->password;
    size_t size = strlen(secret) + 1;
    if (size > UINT32_MAX) {
        return MI_RESULT_SERVER_LIMITS_EXCEEDED;
    }
    *name = credential->option_name;
    *password_length = (MI_Uint32)size;
    if (flags != NULL) {
        *flags = 0;
    }
    if (password == NULL) {
        return MI_RESULT_OK;
    }
    if (length < size) {
        return MI_RESULT_FAILED;
    }
    memcpy(password, secret, size);
    return MI_RESULT_OK;
}

/* For Clone: the copies are wiped like the originals. */
MI_Result credentials_copy(const struct option_list *from, struct option_list *to)
{
    MI_Result result = MI_RESULT_OK;

    for (MI_Uint32 i = 0; i < from->credential_count && result == MI_RESULT_OK; i++) {
        result = append(to, &from->credentials[i]);
    }
    return result;
}
