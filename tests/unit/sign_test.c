/* SPDX-License-Identifier: MIT */
/* Keys and signatures in minisign's formats: what is written is read, what was cut, changed or
 * moved is refused with its reason. tests/live/sign_test.sh asks minisign(1) itself. */
#include "tools/sign/sign.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct sign_secret secret, other_secret;
static struct sign_public keys[2];
static uint8_t digest[SIGN_DIGEST];
static struct text signature;

#define COMMENT "file:policy.yaml\tserial:7"

static void make_all(void)
{
    ck_assert(sign_begin());
    sign_make_keys(&secret, &keys[0]);
    sign_make_keys(&other_secret, &keys[1]);
    sign_digest("the policy", 10, digest);
    memset(&signature, 0, sizeof(signature));
    ck_assert(sign_write(&secret, digest, COMMENT, &signature));
}

static void release_all(void)
{
    text_release(&signature);
}

/* What verifying this text says, with both keys. */
static enum sign_result result_of(const char *text, size_t length)
{
    struct sign_signature read;
    size_t index = 9;
    enum sign_result result = sign_read(text, length, &read);

    if (result == SIGN_GOOD) {
        result = sign_verify(&read, digest, keys, 2, &index);
    }
    ck_assert(result != SIGN_GOOD || index == 0);
    return result;
}

START_TEST(a_signature_is_good)
{
    struct sign_signature read;
    size_t index = 9;

    ck_assert_int_eq(result_of(signature.data, signature.length), SIGN_GOOD);
    ck_assert_int_eq(sign_read(signature.data, signature.length, &read), SIGN_GOOD);
    ck_assert_str_eq(read.trusted, COMMENT);
    /* The order of the keys does not matter; without the key, or any, it is another's. */
    struct sign_public turned[2] = {keys[1], keys[0]};
    ck_assert_int_eq(sign_verify(&read, digest, turned, 2, &index), SIGN_GOOD);
    ck_assert_uint_eq(index, 1);
    ck_assert_int_eq(sign_verify(&read, digest, turned, 1, &index), SIGN_OTHER_KEY);
    ck_assert_int_eq(sign_verify(&read, digest, turned, 0, &index), SIGN_OTHER_KEY);
}
END_TEST

/* The id is no proof: another key that has it does not make the signature good, nor spoil it. */
START_TEST(keys_may_share_an_id)
{
    struct sign_signature read;
    struct sign_public both[2] = {keys[1], keys[0]};
    size_t index = 9;

    memcpy(both[0].id, keys[0].id, SIGN_ID);
    ck_assert_int_eq(sign_read(signature.data, signature.length, &read), SIGN_GOOD);
    ck_assert_int_eq(sign_verify(&read, digest, both, 1, &index), SIGN_CHANGED);
    ck_assert_int_eq(sign_verify(&read, digest, both, 2, &index), SIGN_GOOD);
    ck_assert_uint_eq(index, 1);
}
END_TEST

START_TEST(another_file_is_changed)
{
    digest[SIGN_DIGEST - 1] ^= 1;
    ck_assert_int_eq(result_of(signature.data, signature.length), SIGN_CHANGED);
}
END_TEST

START_TEST(another_comment_is_found)
{
    char *serial = strstr(signature.data, "serial:7");

    serial[7] = '8';
    ck_assert_int_eq(result_of(signature.data, signature.length), SIGN_COMMENT_CHANGED);
}
END_TEST

/* The last lines of one signature behind the first of another by the same key. */
START_TEST(a_comment_is_not_moved)
{
    struct text second = TEXT_EMPTY, mixed = TEXT_EMPTY;
    uint8_t older[SIGN_DIGEST];

    sign_digest("an older policy", 15, older);
    ck_assert(sign_write(&secret, older, COMMENT, &second));
    const char *from = strstr(second.data, "trusted comment: file");
    text_append_bytes(&mixed, signature.data,
                      (size_t)(strstr(signature.data, "trusted comment: file") - signature.data));
    text_append(&mixed, from);
    ck_assert_int_eq(result_of(mixed.data, mixed.length), SIGN_COMMENT_CHANGED);
    text_release(&second);
    text_release(&mixed);
}
END_TEST

/* The older kind has another algorithm in its first two bytes: RW in base64, not RU. */
START_TEST(the_older_kind_is_named)
{
    *(strstr(signature.data, "\nRU") + 2) = 'W';
    ck_assert_int_eq(result_of(signature.data, signature.length), SIGN_OLD_KIND);
}
END_TEST

START_TEST(nothing_shorter_or_longer_is_read)
{
    struct sign_public key;
    struct text public_text = TEXT_EMPTY;

    for (size_t length = 0; length < signature.length; length++) {
        ck_assert_int_eq(result_of(signature.data, length), SIGN_MALFORMED);
    }
    text_append(&signature, "\n");
    ck_assert_int_eq(result_of(signature.data, signature.length), SIGN_MALFORMED);
    sign_public_write(&keys[0], &public_text);
    for (size_t length = 0; length < public_text.length; length++) {
        ck_assert_int_eq(sign_public_read(public_text.data, length, &key), SIGN_MALFORMED);
    }
    ck_assert_int_eq(sign_public_read(public_text.data, public_text.length, &key), SIGN_GOOD);
    ck_assert_mem_eq(&key, &keys[0], sizeof(key));
    text_release(&public_text);
}
END_TEST

/* Each bit of each byte but those of the untrusted comment, which covers nothing and is covered by
 * nothing. */
START_TEST(no_bit_can_be_changed)
{
    size_t first = strlen("untrusted comment: "), end = strcspn(signature.data, "\n");
    unsigned step = getenv("QUICK") != NULL ? 3 : 1;

    for (size_t at = 0; at < signature.length; at += at >= first && at < end ? 1 : step) {
        for (unsigned bit = 0; bit < 8; bit++) {
            signature.data[at] = (char)(signature.data[at] ^ (1 << bit));
            enum sign_result result = result_of(signature.data, signature.length);
            ck_assert_msg(result != SIGN_GOOD || (at >= first && at < end), "byte %zu, bit %u", at,
                          bit);
            signature.data[at] = (char)(signature.data[at] ^ (1 << bit));
        }
    }
    ck_assert_int_eq(result_of(signature.data, signature.length), SIGN_GOOD);
}
END_TEST

START_TEST(comments_are_one_line)
{
    static const char *const bad[] = {"a\nb", "a\rb", "\x1b[2J", "\x7f", "\x01"};
    struct text text = TEXT_EMPTY;
    char longest[SIGN_TRUSTED_MOST + 1];

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ck_assert(!sign_write(&secret, digest, bad[i], &text));
    }
    memset(longest, 'x', sizeof(longest));
    longest[SIGN_TRUSTED_MOST] = '\0';
    ck_assert(!sign_write(&secret, digest, longest, &text));
    ck_assert_uint_eq(text.length, 0);
    longest[SIGN_TRUSTED_MOST - 1] = '\0';
    ck_assert(sign_write(&secret, digest, longest, &text));
    ck_assert_int_eq(result_of(text.data, text.length), SIGN_GOOD);
    text_release(&text);
    /* And what another program wrote. */
    *strchr(strstr(signature.data, "serial"), ':') = '\x1b';
    ck_assert_int_eq(result_of(signature.data, signature.length), SIGN_MALFORMED);
}
END_TEST

/* ---- secret keys ---------------------------------------------------------------------------- */

START_TEST(a_secret_without_a_password)
{
    char text[SIGN_SECRET_TEXT], *line;
    struct sign_secret read;

    ck_assert(sign_secret_write(&secret, NULL, 0, text));
    ck_assert_int_eq(sign_secret_read(text, strlen(text), NULL, 0, &read), SIGN_GOOD);
    ck_assert_mem_eq(&read, &secret, sizeof(read));
    for (size_t length = 0; length < strlen(text); length++) {
        ck_assert_int_eq(sign_secret_read(text, length, NULL, 0, &read), SIGN_MALFORMED);
    }
    /* Behind 54 bytes of the head are the id and the key: 2 to 4 base64 digits a byte. */
    line = strchr(text, '\n') + 1;
    for (size_t at = 54 * 4 / 3 + 2; at < 54 * 4 / 3 + 90; at++) {
        char kept = line[at];
        line[at] = kept == 'A' ? 'B' : 'A';
        ck_assert_int_eq(sign_secret_read(text, strlen(text), NULL, 0, &read), SIGN_DAMAGED);
        line[at] = kept;
    }
    /* minisign -W leaves the checksum zero: the halves of the key must still belong together. */
    memset(line + 168, 'A', 43);
    ck_assert_int_eq(sign_secret_read(text, strlen(text), NULL, 0, &read), SIGN_GOOD);
    line[130] = line[130] == 'A' ? 'B' : 'A';
    ck_assert_int_eq(sign_secret_read(text, strlen(text), NULL, 0, &read), SIGN_DAMAGED);
    sign_wipe(&read);
    ck_assert_uint_eq(read.key[0] | read.key[40] | read.id[3], 0);
}
END_TEST

/* Takes 1 GiB and a second each time; some minutes in an emulator or under valgrind (RUNNER). */
START_TEST(a_secret_with_a_password)
{
    char text[SIGN_SECRET_TEXT];
    struct sign_secret read;

    if (getenv("EMULATED") != NULL || getenv("RUNNER") != NULL) {
        puts("skip: a secret key with a password: scrypt takes minutes here");
        return;
    }
    ck_assert(sign_secret_write(&secret, "pass word", 9, text));
    ck_assert_int_eq(sign_secret_read(text, strlen(text), NULL, 0, &read), SIGN_LOCKED);
    ck_assert_int_eq(sign_secret_read(text, strlen(text), "pass word", 9, &read), SIGN_GOOD);
    ck_assert_mem_eq(&read, &secret, sizeof(read));
    ck_assert_int_eq(sign_secret_read(text, strlen(text), "pass worb", 9, &read),
                     SIGN_WRONG_PASSWORD);
    ck_assert(!sign_secret_write(&secret, "", 0, text));
}
END_TEST

/* A key whose file asks for more memory than minisign(1) ever does is refused before any of it is
 * taken. 38 bytes of head, then two numbers: the digits from 51 on are within them. */
START_TEST(a_cost_without_measure_is_refused)
{
    char text[SIGN_SECRET_TEXT];
    struct sign_secret read;

    ck_assert(sign_secret_write(&secret, NULL, 0, text));
    char *line = strchr(text, '\n') + 1;
    memcpy(line, "RWRTY0Iy", 8); /* Ed, Sc, B2 */
    line[60] = 'z';
    ck_assert_int_eq(sign_secret_read(text, strlen(text), "x", 1, &read), SIGN_MALFORMED);
}
END_TEST

/* ---- files ---------------------------------------------------------------------------------- */

START_TEST(files_are_made_once_and_for_their_owner)
{
    char folder[] = "/tmp/miguard-sign.XXXXXX", path[64], text[SIGN_SECRET_TEXT];
    char password[SIGN_PASSWORD_MOST + 1];
    struct sign_secret read;
    struct stat status;
    size_t length;

    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/a.key", folder);
    ck_assert(sign_secret_write(&secret, NULL, 0, text));
    ck_assert(sign_make_file(path, text, strlen(text), 0600));
    ck_assert_int_eq(stat(path, &status), 0);
    ck_assert_uint_eq(status.st_mode & 07777, 0600);
    ck_assert(!sign_make_file(path, "x", 1, 0600));
    ck_assert_int_eq(errno, EEXIST);
    ck_assert_int_eq(sign_secret_load(path, NULL, 0, &read), SIGN_GOOD);
    static const mode_t open_modes[] = {0640, 0620, 0604, 0602, 0610, 0601};
    for (size_t i = 0; i < sizeof(open_modes) / sizeof(open_modes[0]); i++) {
        ck_assert_int_eq(chmod(path, open_modes[i]), 0);
        ck_assert_int_eq(sign_secret_load(path, NULL, 0, &read), SIGN_EXPOSED);
        ck_assert_int_eq(sign_password_load(path, password, &length), SIGN_EXPOSED);
    }
    ck_assert_int_eq(sign_secret_load(folder, NULL, 0, &read), SIGN_MALFORMED);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(sign_secret_load(path, NULL, 0, &read), SIGN_UNABLE);
    ck_assert_int_eq(mkfifo(path, 0600), 0); /* and it does not wait for a writer */
    ck_assert_int_eq(sign_secret_load(path, NULL, 0, &read), SIGN_MALFORMED);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

static const struct {
    const char *bytes;
    size_t length;
    enum sign_result result;
    const char *password;
} passwords[] = {
    {"one", 3, SIGN_GOOD, "one"},        {"one two\n", 8, SIGN_GOOD, "one two"},
    {"", 0, SIGN_MALFORMED, NULL},       {"\n", 1, SIGN_MALFORMED, NULL},
    {"a\nb\n", 4, SIGN_MALFORMED, NULL}, {"a\0b", 3, SIGN_MALFORMED, NULL},
};

START_TEST(passwords_are_one_line)
{
    char path[] = "/tmp/miguard-sign.XXXXXX", password[SIGN_PASSWORD_MOST + 1];
    size_t length;
    int fd = mkstemp(path);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, passwords[_i].bytes, passwords[_i].length),
                     (ssize_t)passwords[_i].length);
    ck_assert_int_eq(sign_password_load(path, password, &length), passwords[_i].result);
    if (passwords[_i].result == SIGN_GOOD) {
        ck_assert_str_eq(password, passwords[_i].password);
        ck_assert_uint_eq(length, strlen(passwords[_i].password));
    }
    close(fd);
    unlink(path);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sign");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 240);
    tcase_add_checked_fixture(all, make_all, release_all);
    tcase_add_test(all, a_signature_is_good);
    tcase_add_test(all, keys_may_share_an_id);
    tcase_add_test(all, another_file_is_changed);
    tcase_add_test(all, another_comment_is_found);
    tcase_add_test(all, a_comment_is_not_moved);
    tcase_add_test(all, the_older_kind_is_named);
    tcase_add_test(all, nothing_shorter_or_longer_is_read);
    tcase_add_test(all, no_bit_can_be_changed);
    tcase_add_test(all, comments_are_one_line);
    tcase_add_test(all, a_secret_without_a_password);
    tcase_add_test(all, a_secret_with_a_password);
    tcase_add_test(all, a_cost_without_measure_is_refused);
    tcase_add_test(all, files_are_made_once_and_for_their_owner);
    tcase_add_loop_test(all, passwords_are_one_line, 0,
                        (int)(sizeof(passwords) / sizeof(passwords[0])));
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
