/* The cost of a reading: now DIRECTORY. Prints, for each layout in DIRECTORY, the median time of a
 * call and the median of its ratio to clock_gettime(CLOCK_REALTIME) of libc.
 *
 * Every candidate is called in every round, so that noise affects all of them. A ratio is computed
 * in each round from the times of that round. */
#include <clockbound.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ROUNDS = 1000, CALLS = 5000, CONTEXTS = 3, CANDIDATES = 1 + 2 * CONTEXTS };

/* Makes the compiler assume that the value at p is used. */
#define USE(p) __asm__ volatile("" : : "r"(p) : "memory")

static char const *const files[CONTEXTS] = {"native", "shm0", "shm"};
static double times[CANDIDATES][ROUNDS];

static double monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static double read_clock(void)
{
    double begin = monotonic_ns();
    int n;
    for (n = 0; n < CALLS; n++) {
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        USE(&now);
    }
    return (monotonic_ns() - begin) / CALLS;
}

static double read_now(clockbound_ctx *ctx)
{
    double begin = monotonic_ns();
    int n;
    for (n = 0; n < CALLS; n++) {
        clockbound_now_result now;
        if (clockbound_now(ctx, &now))
            exit(1);
        USE(&now);
    }
    return (monotonic_ns() - begin) / CALLS;
}

static double read_interval(clockbound_ctx *ctx)
{
    double begin = monotonic_ns();
    int n;
    for (n = 0; n < CALLS; n++) {
        clockbound_interval now;
        if (clockbound_interval_now(ctx, &now))
            exit(1);
        USE(&now);
    }
    return (monotonic_ns() - begin) / CALLS;
}

static int ascending(void const *one, void const *other)
{
    double a = *(double const *)one, b = *(double const *)other;
    return (a > b) - (a < b);
}

static double median(double const *values)
{
    static double sorted[ROUNDS];
    int n;
    for (n = 0; n < ROUNDS; n++)
        sorted[n] = values[n];
    qsort(sorted, ROUNDS, sizeof sorted[0], ascending);
    return sorted[ROUNDS / 2];
}

static void print(char const *call, char const *file, double const *own)
{
    static double ratios[ROUNDS];
    char name[64];
    int n;
    for (n = 0; n < ROUNDS; n++)
        ratios[n] = own[n] / times[0][n];
    snprintf(name, sizeof name, "%s%s%s", call, *file ? ", " : "", file);
    printf("%-36s %10.1f %7.2f\n", name, median(own), median(ratios));
}

int main(int argc, char **argv)
{
    clockbound_ctx *contexts[CONTEXTS];
    int round, n;
    if (argc != 2) {
        fprintf(stderr, "usage: now DIRECTORY\n");
        return 64;
    }
    for (n = 0; n < CONTEXTS; n++) {
        clockbound_err err;
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", argv[1], files[n]);
        contexts[n] = clockbound_open(path, &err);
        if (!contexts[n]) {
            fprintf(stderr, "now: %s: %s\n", path, clockbound_strerror(&err));
            return 1;
        }
    }
    for (round = 0; round < ROUNDS; round++) {
        times[0][round] = read_clock();
        for (n = 0; n < CONTEXTS; n++) {
            times[1 + n][round] = read_now(contexts[n]);
            times[1 + CONTEXTS + n][round] = read_interval(contexts[n]);
        }
    }
    printf("%-36s %10s %7s\n", "libclockbound.so, one thread", "ns a call", "ratio");
    print("clock_gettime(CLOCK_REALTIME)", "", times[0]);
    for (n = 0; n < CONTEXTS; n++)
        print("clockbound_now", files[n], times[1 + n]);
    for (n = 0; n < CONTEXTS; n++)
        print("clockbound_interval_now", files[n], times[1 + CONTEXTS + n]);
    for (n = 0; n < CONTEXTS; n++)
        clockbound_close(contexts[n]);
    return 0;
}
