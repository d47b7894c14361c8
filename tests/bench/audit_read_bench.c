/* SPDX-License-Identifier: MIT */
/*
 * miguard audit search against jq(1) and grep(1): the same question about the same generated log,
 * one after the other, and against ripgrep where it is installed; what is asked by number against
 * all of the log; one processor against all; and the memory that search takes for few and for many
 * records. The log lies in the page cache: how fast the disk is does not show.
 *
 * Part of the bench program; alone: -DALONE. OUT names the folder of the command.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "support/audit_generate.h"

void bench_audit_read(void (*tell)(const char *name, double value, const char *unit, double goal));

enum { RECORDS = 1000000, QUICK_RECORDS = 20000, FEW = 10000 };

static char folder[] = "/tmp/miguard-bench-read-XXXXXX", log_file[64], few_file[64], out_file[64];

struct outcome {
    bool there; /* the program exists */
    double seconds;
    long lines;
};

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static long count_lines(const char *path)
{
    FILE *file = fopen(path, "re");
    long lines = 0;

    for (int c; file != NULL && (c = getc(file)) != EOF;) {
        lines += c == '\n';
    }
    if (file != NULL) {
        fclose(file);
    }
    return lines;
}

static struct outcome run(char *const words[])
{
    struct outcome outcome = {false, 0, 0};
    int status = 0;

    double start = now();
    pid_t child = fork();
    if (child == 0) {
        int out = open(out_file, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        if (out >= 0 && dup2(out, STDOUT_FILENO) >= 0) {
            execvp(words[0], words);
        }
        _exit(127);
    }
    if (child < 0 || waitpid(child, &status, 0) != child) {
        abort();
    }
    outcome.seconds = now() - start;
    outcome.there = !WIFEXITED(status) || WEXITSTATUS(status) != 127;
    outcome.lines = count_lines(out_file);
    return outcome;
}

static struct outcome search(const char *path, char *option, char *value)
{
    const char *out = getenv("OUT");
    char program[512];

    snprintf(program, sizeof(program), "%s/miguard", out != NULL ? out : "build");
    char *words[] = {program, "audit", "search",     "--format", "json",
                     option,  value,   (char *)path, NULL};
    return run(words);
}

static long read_peak(pid_t process)
{
    char path[64], line[256];
    long kib = 0;

    snprintf(path, sizeof(path), "/proc/%d/status", (int)process);
    FILE *file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        sscanf(line, "VmHWM: %ld", &kib);
    }
    if (file != NULL) {
        fclose(file);
    }
    return kib;
}

/*
 * KiB that search took at the most, 0 when it cannot be told. Asked of /proc while the process is
 * stopped in its exit: ru_maxrss counts what this program had when it forked, too (getrusage(2) is
 * of the process, and exec leaves it the same one).
 */
static long peak_of(const char *path)
{
    char *words[] = {"miguard", "audit", "search", "--count", (char *)path, NULL};
    const char *out = getenv("OUT");
    char program[512];
    int status = 0;
    long peak = 0;

    snprintf(program, sizeof(program), "%s/miguard", out != NULL ? out : "build");
    pid_t child = fork();
    if (child == 0) {
        int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
        if (dup2(null, STDOUT_FILENO) >= 0 && ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0) {
            execv(program, words);
        }
        _exit(127);
    }
    if (waitpid(child, &status, 0) == child && WIFSTOPPED(status)) {
        ptrace(PTRACE_SETOPTIONS, child, NULL, PTRACE_O_TRACEEXIT | PTRACE_O_EXITKILL);
        ptrace(PTRACE_CONT, child, NULL, NULL);
        if (waitpid(child, &status, 0) == child && WIFSTOPPED(status)) {
            peak = read_peak(child);
            ptrace(PTRACE_CONT, child, NULL, NULL);
            waitpid(child, &status, 0);
        }
    }
    return peak;
}

/* `miguard audit` with these words; on one processor alone, or on all. */
static double ours(char *const words[], bool alone)
{
    const char *out = getenv("OUT");
    char program[512],
        *all[16] = {(char *)"taskset", (char *)"-c", (char *)"0", program, (char *)"audit"};
    size_t count = 5;
    double best = 0;

    snprintf(program, sizeof(program), "%s/miguard", out != NULL ? out : "build");
    for (size_t i = 0; words[i] != NULL && count < 15; i++) {
        all[count++] = words[i];
    }
    for (int i = 0; i < 3; i++) {
        struct outcome outcome = run(alone ? all : all + 3);
        best = i == 0 || outcome.seconds < best ? outcome.seconds : best;
    }
    return best;
}

/* What a thread for each processor is worth. taskset(1) is of util-linux. */
static void threads(void (*tell)(const char *name, double value, const char *unit, double goal),
                    const char *name, char *const words[])
{
    char title[128];
    double all = ours(words, false), one = ours(words, true);

    snprintf(title, sizeof(title), "audit %s, all processors / one", name);
    tell(title, all / one, "ratio", -1);
}

/* A part of the log against the whole. */
static void parts(void (*tell)(const char *name, double value, const char *unit, double goal),
                  const char *name, char *const words[], char *const whole[])
{
    char title[128];
    double part = ours(words, false);

    snprintf(title, sizeof(title), "audit %s", name);
    tell(title, 1000 * part, "ms", -1);
    snprintf(title, sizeof(title), "audit %s / with --whole", name);
    tell(title, part / ours(whole, false), "ratio", 0.2);
}

/* The rows of what is read in part and by several threads. */
static void read_less(void (*tell)(const char *name, double value, const char *unit, double goal),
                      bool large)
{
#define WORDS(...)                                                                                 \
    (char *[])                                                                                     \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }
    static char search[] = "search", export[] = "export", report[] = "report", last[] = "--last",
                ten[] = "10", sequence[] = "--sequence", numbers[] = "15000-15010",
                whole[] = "--whole", explain[] = "explain", id[] = "0000000000001234-15000",
                class[] = "--class", needle[] = "MG_Needle", format[] = "--format", cef[] = "cef",
                ocsf[] = "ocsf", ecs[] = "ecs";

    if (large) { /* of a small log all is read */
        parts(tell, "search --last 10", WORDS(search, last, ten, log_file),
              WORDS(search, last, ten, whole, log_file));
        parts(tell, "search --sequence", WORDS(search, sequence, numbers, log_file),
              WORDS(search, sequence, numbers, whole, log_file));
        parts(tell, "explain", WORDS(explain, id, log_file), WORDS(explain, id, whole, log_file));
    }
    threads(tell, "search", WORDS(search, class, needle, log_file));
    threads(tell, "report", WORDS(report, log_file));
    threads(tell, "export cef", WORDS(export, format, cef, log_file));
    double plain = ours(WORDS(export, format, ecs, log_file), true);
    tell("audit export cef / ecs", ours(WORDS(export, format, cef, log_file), true) / plain,
         "ratio", -1);
    tell("audit export ocsf / ecs", ours(WORDS(export, format, ocsf, log_file), true) / plain,
         "ratio", -1);
#undef WORDS
}

/* The faster of two, since the first may still read from the disk. */
static struct outcome search_twice(const char *path, char *option, char *value)
{
    struct outcome first = search(path, option, value);
    struct outcome second = search(path, option, value);

    return first.seconds < second.seconds ? first : second;
}

static void compare(void (*tell)(const char *name, double value, const char *unit, double goal),
                    const char *question, char *path, char *option, char *value, char *filter,
                    char *pattern)
{
    char name[128];
    struct outcome found = search_twice(path, option, value);
    char *jq[] = {"jq", "-c", filter, path, NULL};
    char *grep[] = {"grep", "-E", pattern, path, NULL};
    char *rg[] = {"rg", "--no-config", "-N", pattern, path, NULL};
    struct outcome theirs = run(jq), lines = run(grep), ripgrep = run(rg);

    snprintf(name, sizeof(name), "audit search, %s", question);
    tell(name, found.seconds, "s", -1);
    if (!theirs.there) {
        printf("skip: %s: jq is not installed\n", name);
    } else if (theirs.lines != found.lines) {
        printf("audit search: %ld found, jq %ld\n", found.lines, theirs.lines);
        abort();
    } else {
        snprintf(name, sizeof(name), "audit search / jq, %s", question);
        tell(name, found.seconds / theirs.seconds, "ratio", 0.2);
    }
    if (!lines.there) {
        printf("skip: %s: grep is not installed\n", name);
    } else {
        snprintf(name, sizeof(name), "audit search / grep, %s", question);
        tell(name, found.seconds / lines.seconds, "ratio", -1);
    }
    if (ripgrep.there) {
        snprintf(name, sizeof(name), "audit search / ripgrep, %s", question);
        tell(name, found.seconds / ripgrep.seconds, "ratio", -1);
    }
}

void bench_audit_read(void (*tell)(const char *name, double value, const char *unit, double goal))
{
    struct generate generate = {.seed = 1,
                                .count = getenv("QUICK") != NULL ? QUICK_RECORDS : RECORDS};
    const struct generate few = {.seed = 1, .count = FEW};
    struct stat status;

    if (mkdtemp(folder) == NULL) {
        abort();
    }
    snprintf(log_file, sizeof(log_file), "%s/log", folder);
    snprintf(few_file, sizeof(few_file), "%s/few", folder);
    snprintf(out_file, sizeof(out_file), "%s/out", folder);
    if (!audit_generate(few_file, &few) || !audit_generate(log_file, &generate) ||
        stat(log_file, &status) < 0) {
        abort();
    }
    tell("audit search, records", (double)generate.count, "", -1);
    tell("audit search, bytes a record", (double)status.st_size / (double)generate.count, "B", -1);
    compare(tell, "a class", log_file, "--class", "MG_Needle",
            "select(.miguard.class==\"MG_Needle\")", "\"class\":\"MG_Needle\"");
    compare(tell, "a user", log_file, "--user", "54321",
            "select(.user.id==\"54321\" or .process.user.id==\"54321\")",
            "\"user\":[{]\"id\":\"54321\"");
    compare(tell, "refusals", log_file, "--decision", "deny", "select(.miguard.decision==\"deny\")",
            "\"decision\":\"deny\"");
    /* jq takes a quarter of an hour for all of them. */
    compare(tell, "any text in 10,000", few_file, "--text", "mg_needle",
            "select(any(..|strings; test(\"mg_needle\"; \"i\")))", "[Mm][Gg]_[Nn][Ee]");
    read_less(tell, generate.count == RECORDS);
    long small = peak_of(few_file), large = peak_of(log_file);
    if (small == 0 || large == 0) {
        printf("skip: audit search, peak memory: this process may not trace another\n");
    } else {
        tell("audit search, peak memory", (double)large, "KiB", -1);
        tell("audit search, peak memory / the same for 10,000 records",
             (double)large / (double)small, "ratio", 1.1);
    }
    unlink(out_file);
    unlink(few_file);
    unlink(log_file);
    rmdir(folder);
}

#ifdef ALONE
static void print(const char *name, double value, const char *unit, double goal)
{
    printf("%-60s %12.3f %-6s %s\n", name, value, unit,
           goal < 0        ? ""
           : value <= goal ? "met"
                           : "NOT MET");
}

int main(void)
{
    bench_audit_read(print);
    return 0;
}
#endif
