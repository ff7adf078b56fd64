/* Reads and prints the interval every millisecond until an error, for the survival test in
 * integration: watch DIRECTORY [busy]. With "busy" it reads for 3 s without a pause, and prints
 * only "begin", and "end" with the number of readings. */
#include <clockbound.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

static int64_t realtime_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static clockbound_err const *read_busily(clockbound_ctx *ctx)
{
    clockbound_interval now;
    clockbound_err const *err = clockbound_interval_now(ctx, &now);
    int64_t until = now.latest_ns + 3000000000;
    long readings = 0;
    printf("begin\n");
    fflush(stdout);
    while (!err && !clockbound_is_after(&now, until)) {
        err = clockbound_interval_now(ctx, &now);
        readings++;
    }
    printf("end %ld\n", readings);
    fflush(stdout);
    return err;
}

int main(int argc, char **argv)
{
    clockbound_err open_err;
    char const *path = argc > 1 ? argv[1] : NULL;
    clockbound_ctx *ctx = clockbound_open_when_ready(path, 30000000000, 0, &open_err);
    if (!ctx) {
        printf("%s\n", clockbound_strerror(&open_err));
        return 1;
    }
    if (argc > 2) {
        return read_busily(ctx) != NULL;
    }
    for (;;) {
        clockbound_interval now;
        int64_t before = realtime_ns();
        clockbound_err const *err = clockbound_interval_now(ctx, &now);
        int64_t after = realtime_ns();
        if (err) {
            printf("%s\n", clockbound_strerror(err));
            return 1;
        }
        printf("%" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %s %s\n", before, after,
               now.earliest_ns, now.latest_ns, clockbound_status_name(now.status),
               clockbound_reason_name(now.reason));
        fflush(stdout);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}
