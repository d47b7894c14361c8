/* SPDX-License-Identifier: MIT */
/*
 * A log of millions of records that were really written, and what the readers need for it: time and
 * peak memory. Several processes write at a time, each through the library as a provider's host and
 * as a daemon do: sessions of many users, used by another; actions on resources; sessions that have
 * ended; classes that a rule denies. The log has a key, and each record is tied to the one before.
 *
 * `make bench-large`. RECORDS: how many (5,000,000). The log lies below TMPDIR, or build/ without
 * it, and is removed at the end unless KEEP is set. LOG: the folder of a log that was kept, which
 * is only read. What is being done, and since when, goes to standard error. What needs few records
 * of the log has BISECT seconds of processor time in one of a GB or more; what takes longer is
 * named, and no failure: only ratios in one run are that. Exit status: 0; 1 what a reader found is
 * not what was written; 3 it could not be done.
 */
#include <jansson.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/command.h"
#include "bench/machine.h"
#include "bench/measure.h"
#include "miguard.h"
#include "miguard/guard.h"
#include "miguard/switch.h"
#include "support/stub_host.h"

enum { WRITERS = 4, USERS = 64, FIRST_UID = 40000, CLASSES = 800, RESOURCES = 50000, SPACES = 7 };
#define BISECT 0.02
/* BYTES_OF_RECORD: more than the largest has. A reading is not repeated once it took SECONDS. */
enum { BYTES_OF_RECORD = 1700, RUNS = 3, SECONDS = 30, NEEDLE_EVERY = 10000 };

static const char *const actions[] = {"read", "write", "delete", "list", "admin.grant"};
enum { ACTIONS = sizeof(actions) / sizeof(actions[0]) };

/* In memory that the writers share. */
static struct counts {
    atomic_ulong written, needles;
    atomic_bool stop;
} * counts;

static unsigned long wanted = 5000000;
static char folder[PATH_MAX], log_file[PATH_MAX + 16], key_file[PATH_MAX + 16], policy_folder[64],
    policy_file[96];

/* ---- one writer --------------------------------------------------------------------------------
 */

struct user {
    struct miguard_target *target;
    struct stub_host *host;
    MI_Context *context;
    MI_Session session;
    struct miguard_binding *binding;
};

struct writer {
    uint64_t random;
    struct user users[USERS];
    struct stub_host *own_host;
    MI_Session own, ended;
    MI_Context *own_context;
};

static void need(bool condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "bench-large: %s\n", what);
        _exit(3);
    }
}

/* splitmix64: the same figures in each run. */
static uint32_t pick(struct writer *writer, uint32_t count)
{
    uint64_t z = writer->random += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t)((z ^ z >> 31) >> 32) % count;
}

/* A context of its own, and the session of the identity that the thread has now. */
static MI_Context *take_session(struct stub_host *host, MI_Session *ret_session)
{
    MI_Context *context = NULL;

    need(miguard_guard_context(&host->context, &context) == MI_RESULT_OK &&
             MI_Context_GetLocalSession(context, ret_session) == MI_RESULT_OK,
         "no session");
    return context;
}

static void begin_user(struct user *user, uint32_t number, struct miguard_front_end *front_end)
{
    const gid_t list[3] = {FIRST_UID + number, 50000 + number % 5, 50010 + number % 3};
    const struct miguard_groups groups = {MIGUARD_GROUPS_LIST, list, 1 + number % 3, NULL};

    user->host = stub_host_new();
    need(miguard_target_ids(FIRST_UID + number, FIRST_UID + number, &groups, &user->target, NULL) ==
                 MIGUARD_OK &&
             miguard_bind_target(front_end, user->target, "/srv", "request", &user->binding,
                                 NULL) == MIGUARD_OK &&
             miguard_switch_to(user->target, NULL) == MIGUARD_OK,
         "no user");
    user->context = take_session(user->host, &user->session);
    need(miguard_switch_back(NULL) == MIGUARD_OK, "no way back");
}

static void begin_writer(struct writer *writer, int number)
{
    struct miguard_config config = MIGUARD_CONFIG_INIT;
    struct miguard_front_end *front_end = NULL;
    struct miguard_error error = {0};

    config.policy = policy_file;
    config.repeat_window = 0;
    if (miguard_configure(&config, &error) != MIGUARD_OK ||
        miguard_front_end_register("fileserver", actions, ACTIONS, &front_end, &error) !=
            MIGUARD_OK) {
        fprintf(stderr, "bench-large: %s: %s\n", error.step, error.detail);
        _exit(3);
    }
    writer->random = (uint64_t)number + 1;
    for (uint32_t i = 0; i < USERS; i++) {
        begin_user(&writer->users[i], i, front_end);
    }
    writer->own_host = stub_host_new();
    writer->own_context = take_session(writer->own_host, &writer->own);
    MI_Context_PostResult(take_session(stub_host_new(), &writer->ended), MI_RESULT_OK);
}

/* One call on a session, which the guard refuses. */
static void use_session(struct writer *writer, MI_Session *session, const char *class)
{
    const MI_Instance *instance = NULL;
    MI_Operation operation = MI_OPERATION_NULL;
    MI_Boolean more = MI_FALSE;
    MI_Result result = MI_RESULT_OK;
    char space[32];

    snprintf(space, sizeof(space), "root/vendor%u", pick(writer, SPACES));
    if (pick(writer, 3) == 0) {
        MI_Session_Invoke(session, 0, NULL, space, class, "Start", NULL, NULL, NULL, &operation);
    } else {
        MI_Session_EnumerateInstances(session, 0, NULL, space, class, MI_FALSE, NULL, &operation);
    }
    MI_Operation_GetInstance(&operation, &instance, &more, &result, NULL, NULL);
    need(result != MI_RESULT_OK, "a call was allowed");
    MI_Operation_Close(&operation);
}

static void open_session(const struct user *user)
{
    struct stub_host *host = stub_host_new();
    MI_Session session;

    need(miguard_switch_to(user->target, NULL) == MIGUARD_OK, "no switch");
    MI_Context_PostResult(take_session(host, &session), MI_RESULT_OK);
    need(miguard_switch_back(NULL) == MIGUARD_OK, "no way back");
    stub_host_free(host);
}

static void use_resource(struct writer *writer, const struct user *user)
{
    char resource[64];

    snprintf(resource, sizeof(resource), "/srv/data/%u", pick(writer, RESOURCES));
    const struct miguard_use use = MIGUARD_USE(pick(writer, ACTIONS), resource);
    need(miguard_verify(user->binding, &use, NULL) != MIGUARD_OK, "a use was allowed");
}

/* One record. */
static void write_record(struct writer *writer, unsigned long number)
{
    struct user *user = &writer->users[pick(writer, USERS)];
    const uint32_t kind = pick(writer, 100);
    char class[32];

    snprintf(class, sizeof(class), "MG_Class%u", pick(writer, CLASSES));
    if (number % NEEDLE_EVERY == 0) {
        use_session(writer, &user->session, "MG_Needle");
        atomic_fetch_add(&counts->needles, 1);
    } else if (kind < 5) {
        open_session(user);
    } else if (kind < 75) {
        use_session(writer, &user->session, class);
    } else if (kind < 90) {
        use_resource(writer, user);
    } else if (kind < 95) {
        snprintf(class, sizeof(class), "MG_Secret%u", pick(writer, CLASSES));
        use_session(writer, &writer->own, class);
    } else {
        use_session(writer, &writer->ended, class);
    }
}

static void run_writer(int number)
{
    static struct writer writer;
    const unsigned long share = wanted / WRITERS;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGINT, SIG_IGN); /* the first process ends the others */
    begin_writer(&writer, number);
    for (unsigned long i = 0; i < share && !atomic_load(&counts->stop); i++) {
        write_record(&writer, i);
        atomic_fetch_add_explicit(&counts->written, 1, memory_order_relaxed);
    }
    MI_Context_PostResult(writer.own_context, MI_RESULT_OK);
    exit(0); /* closes the log */
}

/* ---- its files -------------------------------------------------------------------------------
 */

static void write_policy(void)
{
    strcpy(policy_folder, "/run/miguard-large-XXXXXX");
    need(mkdtemp(policy_folder) != NULL, "a folder below /run cannot be made: this needs root");
    snprintf(policy_file, sizeof(policy_file), "%s/policy.yaml", policy_folder);
    FILE *file = fopen(policy_file, "we");
    need(file != NULL, policy_file);
    fprintf(file,
            "version: 1\n"
            "audit: {sinks: [{file: {path: \"%s\", rotate: off, sync: none, chain: required}}]}\n"
            "rules:\n"
            "  - name: no-secrets\n"
            "    match: { operation: [EnumerateInstances, Invoke], class: \"MG_Secret*\" }\n"
            "    decision: deny\n",
            log_file);
    fclose(file);
}

static void remove_all(void)
{
    char command[PATH_MAX + 128];

    snprintf(command, sizeof(command), "rm -rf '%s' '%s'", policy_folder,
             getenv("KEEP") == NULL ? folder : "");
    if (folder[0] != '\0' && system(command) != 0) {
        fprintf(stderr, "bench-large: %s is left over\n", folder);
    }
}

static void name_files(void)
{
    snprintf(log_file, sizeof(log_file), "%s/audit.jsonl", folder);
    snprintf(key_file, sizeof(key_file), "%s/key", folder);
}

static void make_folder(void)
{
    const char *below = getenv("TMPDIR");
    struct statvfs space;
    char relative[200];

    snprintf(relative, sizeof(relative), "%s/miguard-large-XXXXXX",
             below != NULL ? below : "build");
    need(mkdtemp(relative) != NULL && realpath(relative, folder) != NULL, relative);
    name_files();
    if (statvfs(folder, &space) != 0 ||
        (double)space.f_bavail * (double)space.f_frsize < (double)wanted * BYTES_OF_RECORD) {
        rmdir(folder);
        need(false, "too little space: TMPDIR names another place");
    }
    write_policy();
    char *init[] = {command_miguard(), (char *)"audit", (char *)"init", log_file, NULL};
    if (command_run(init, key_file).status != 0) {
        remove_all();
        need(false, "miguard audit init failed");
    }
}

static volatile sig_atomic_t interrupted;

static void interrupt(int signal)
{
    (void)signal;
    interrupted = 1;
}

/* ---- what is being done ------------------------------------------------------------------------
 */

/* On a terminal one line, which is written anew. */
static void show_line(const char *line)
{
    const bool terminal = isatty(STDERR_FILENO) != 0;

    fprintf(stderr, "%s%s%s", terminal ? "\r\x1b[K" : "", line, terminal ? "" : "\n");
}

static void show_written(double start)
{
    const unsigned long written = atomic_load(&counts->written);
    const double seconds = (nanoseconds() - start) / 1e9;
    char line[128];

    snprintf(line, sizeof(line), "%lu of %lu records, %.0f s, %.0f a second", written, wanted,
             seconds, seconds > 0 ? (double)written / seconds : 0);
    show_line(line);
}

/* A reader of gigabytes says nothing until it has an answer. So a thread says for how long it has
 * been at work. */
static struct {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t ended;
    bool over;      /* under the lock */
    char what[128]; /* set before the thread is started */
} watch = {.lock = PTHREAD_MUTEX_INITIALIZER, .ended = PTHREAD_COND_INITIALIZER};

static void *show_reading(void *unused)
{
    const int every = isatty(STDERR_FILENO) ? 1 : 10;
    const double start = nanoseconds();
    struct timespec next;
    char line[192];

    pthread_mutex_lock(&watch.lock);
    clock_gettime(CLOCK_REALTIME, &next);
    while (!watch.over) {
        snprintf(line, sizeof(line), "%s: %.0f s", watch.what, (nanoseconds() - start) / 1e9);
        show_line(line);
        next.tv_sec += every;
        while (!watch.over && pthread_cond_timedwait(&watch.ended, &watch.lock, &next) == 0) {
        }
    }
    pthread_mutex_unlock(&watch.lock);
    return unused;
}

static void begin_watch(const char *what)
{
    snprintf(watch.what, sizeof(watch.what), "%s", what);
    watch.over = false;
    need(pthread_create(&watch.thread, NULL, show_reading, NULL) == 0, "no thread");
}

static void end_watch(void)
{
    pthread_mutex_lock(&watch.lock);
    watch.over = true;
    pthread_cond_signal(&watch.ended);
    pthread_mutex_unlock(&watch.lock);
    pthread_join(watch.thread, NULL);
    fprintf(stderr, "%s", isatty(STDERR_FILENO) ? "\r\x1b[K" : "");
}

/* ---- writing it --------------------------------------------------------------------------------
 */

/* False when one of the writers failed. */
static bool write_log(void)
{
    const double start = nanoseconds();
    int left = 0, status = 0;
    bool good = true;

    for (int i = 0; i < WRITERS; i++) {
        fflush(NULL);
        pid_t child = fork();
        if (child == 0) {
            run_writer(i);
        }
        left += child > 0;
        good = good && child > 0;
    }
    for (int tenths = 0; left > 0; tenths++) {
        while (left > 0 && waitpid(-1, &status, WNOHANG) > 0) {
            left--;
            good = good && status == 0;
        }
        if (!good || interrupted) {
            atomic_store(&counts->stop, true);
        }
        if (tenths % 50 == 0) {
            show_written(start);
        }
        nanosleep(&(struct timespec){0, 100000000}, NULL);
    }
    show_written(start);
    fprintf(stderr, "\n");
    return good && !interrupted;
}

/* ---- reading it --------------------------------------------------------------------------------
 */

enum { MAX_WORDS = 12 };

/* Of the record in the middle of the log. */
static char number[24], numbers[48], hash_number[24], id[64], second[24], instants[2][32];

struct reading {
    const char *what;
    const char *words[MAX_WORDS]; /* after `miguard audit`; the log's path follows */
    int status;                   /* that is right */
    long until_lines;             /* of a program that does not end; 0: it ends */
    bool part;                    /* it need not read all: within BISECT */
};

static const struct reading readings[] = {
    {"search, a rare class", {"search", "--format", "json", "--class", "MG_Needle"}, 0, 0, false},
    {"search, a user", {"search", "--format", "json", "--user", "40007"}, 0, 0, false},
    {"search, all refusals, counted", {"search", "--count", "--decision", "deny"}, 0, 0, false},
    {"search, any text", {"search", "--count", "--text", "mg_needle"}, 0, 0, false},
    {"search, the last 10", {"search", "--last", "10"}, 0, 0, true},
    {"search, 11 by number", {"search", "--sequence", numbers}, 0, 0, true},
    {"search, a second of time",
     {"search", "--count", "--start", second, "--end", second},
     0,
     0,
     false},
    {"search, nine milliseconds of time",
     {"search", "--count", "--start", instants[0], "--end", instants[1]},
     0,
     0,
     true},
    {"explain, by number", {"explain", hash_number}, 0, 0, true},
    {"explain, by id", {"explain", id}, 0, 0, true},
    {"report", {"report"}, 0, 0, false},
    {"report, one user", {"report", "--user", "40007"}, 0, 0, false},
    {"verify, with the key", {"verify", "--key", key_file}, 0, 0, false},
    {"verify, without it", {"verify"}, 3, 0, false}, /* 3: the rest is unproven */
    {"follow, to its first 10 records", {"follow", "--format", "json", "-n", "10"}, 0, 10, false},
};
#define READINGS (sizeof(readings) / sizeof(readings[0]))

static struct command_outcome read_once(const struct reading *reading)
{
    char *words[MAX_WORDS + 4] = {command_miguard(), (char *)"audit"};
    int count = 2;

    for (int i = 0; i < MAX_WORDS && reading->words[i] != NULL; i++) {
        words[count++] = (char *)reading->words[i];
    }
    words[count] = log_file;
    return reading->until_lines > 0 ? command_run_until(words, reading->until_lines)
                                    : command_run(words, NULL);
}

/* The median time and the highest peak of some runs; of one that takes long, of fewer. */
static bool time_reading(size_t index, bool large)
{
    const struct reading *reading = &readings[index];
    double times[RUNS], cpu[RUNS], spent = 0;
    size_t runs = 0;
    long peak = 0;
    bool good = true;
    char what[128];

    while (runs < RUNS && spent < SECONDS * 1e9 && good && !interrupted) {
        snprintf(what, sizeof(what), "%zu of %zu, run %zu: %s", index + 1, READINGS, runs + 1,
                 reading->what);
        begin_watch(what);
        const struct command_outcome outcome = read_once(reading);
        end_watch();
        spent += times[runs] = outcome.time;
        cpu[runs++] = outcome.cpu;
        peak = outcome.peak > peak ? outcome.peak : peak;
        good = outcome.status == reading->status;
    }
    if (interrupted) {
        return false;
    }
    const double processor = median_of(cpu, runs) / 1e9;
    printf("%-34s %10.3f s %10.3f s %10ld KiB %5zu%s%s\n", reading->what,
           median_of(times, runs) / 1e9, processor, peak, runs, good ? "" : "  FAILED",
           reading->part && large ? processor <= BISECT ? "  goal met" : "  goal MISSED" : "");
    fflush(stdout);
    return good;
}

/* What a search with --count or with another option prints, into a file of the folder. */
static FILE *ask(const char *how, const char *option, const char *value)
{
    char *words[] = {command_miguard(), (char *)"audit", (char *)"search", (char *)how,
                     (char *)option,    (char *)value,   log_file,         NULL};
    char out[PATH_MAX + 16];

    snprintf(out, sizeof(out), "%s/answer", folder);
    (void)command_run(words, out);
    FILE *file = fopen(out, "re");
    need(file != NULL, out);
    return file;
}

static long ask_count(const char *option, const char *value)
{
    FILE *file = ask("--count", option, value);
    long count = -1;

    if (fscanf(file, "%ld", &count) != 1) {
        count = -1;
    }
    fclose(file);
    return count;
}

/* Its number, its id, and the second and the hundredth in which it was written. */
static bool find_middle(long records)
{
    snprintf(number, sizeof(number), "%ld", records / 2);
    snprintf(numbers, sizeof(numbers), "%ld-%ld", records / 2, records / 2 + 10);
    snprintf(hash_number, sizeof(hash_number), "#%ld", records / 2);
    FILE *file = ask("--format=json", "--sequence", number);
    json_t *record = json_loadf(file, JSON_DISABLE_EOF_CHECK, NULL);
    const char *found = json_string_value(json_object_get(json_object_get(record, "event"), "id"));
    const char *time = json_string_value(json_object_get(record, "@timestamp"));
    snprintf(id, sizeof(id), "%s", found != NULL ? found : "");
    snprintf(second, sizeof(second), "%.19sZ", time != NULL ? time : "");
    snprintf(instants[0], sizeof(instants[0]), "%.22s0Z", time != NULL ? time : "");
    snprintf(instants[1], sizeof(instants[1]), "%.22s9Z", time != NULL ? time : "");
    json_decref(record);
    fclose(file);
    return found != NULL;
}

/* What was written is found. Records of sessions at the start and of the log itself are more. */
static bool check_log(long all, long needles)
{
    const long written = (long)atomic_load(&counts->written);
    struct stat status;

    if (stat(log_file, &status) != 0) {
        return false;
    }
    printf("%ld records, %.2f GB, %.0f bytes each; %ld with the rare class are found\n", all,
           (double)status.st_size / 1e9, (double)status.st_size / (double)all, needles);
    if (written > 0 && (needles != (long)atomic_load(&counts->needles) || all < written)) {
        printf("NOT what was written: %ld records, %ld with the rare class\n", written,
               (long)atomic_load(&counts->needles));
        return false;
    }
    return find_middle(all);
}

static bool read_log(void)
{
    begin_watch("what was written is counted");
    const long needles = ask_count("--class", "MG_Needle");
    const long all = ask_count("--sequence", "1-1000000000");
    end_watch();
    bool good = check_log(all, needles);
    struct stat status;
    const bool large = stat(log_file, &status) == 0 && status.st_size >= 1000000000;

    printf("\n%-34s %12s %12s %14s %5s\n", "what, median", "time", "processor", "peak memory",
           "runs");
    for (size_t i = 0; i < READINGS && !interrupted; i++) {
        good = time_reading(i, large) && good;
    }
    return good;
}

static void print_machine(const char *when)
{
    struct machine machine;
    struct machine_load load;

    machine_read(&machine);
    machine_load_read(&load);
    printf("%s, %d processors, %s, %s; load average at the %s %.2f\n", machine.cpu,
           machine.processors, machine.kernel, machine.libc, when, load.load);
}

/* The exit status. */
static int write_and_read(void)
{
    make_folder();
    const bool written = write_log();
    const bool good = written && read_log();
    remove_all();
    if (written && getenv("KEEP") != NULL) {
        printf("LOG=%s\n", folder);
    }
    return !written ? 3 : good ? 0 : 1;
}

int main(void)
{
    const char *records = getenv("RECORDS"), *kept = getenv("LOG");

    if (records != NULL && records[0] != '\0') {
        wanted = strtoul(records, NULL, 10);
    }
    need(wanted >= WRITERS && wanted <= 1000000000, "RECORDS is not a number that makes sense");
    counts = mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    need(counts != MAP_FAILED, "no memory");
    sigaction(SIGINT, &(struct sigaction){.sa_handler = interrupt}, NULL);
    sigaction(SIGTERM, &(struct sigaction){.sa_handler = interrupt}, NULL);
    print_machine("start");
    int status;
    if (kept != NULL) {
        need(realpath(kept, folder) != NULL, kept);
        name_files();
        status = read_log() ? 0 : 1;
    } else {
        status = write_and_read();
    }
    print_machine("end");
    return status;
}
