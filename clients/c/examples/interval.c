/* Prints the interval once a second: interval [PATH [COUNT]]. Without COUNT it does not end. */
#include <clockbound.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int print_error(clockbound_err const *err)
{
    fprintf(stderr, "interval: %s (%s, errno %d)\n", clockbound_strerror(err),
            err->detail ? err->detail : "-", err->sys_errno);
    return 1;
}

int main(int argc, char **argv)
{
    clockbound_err open_err;
    char const *path = argc > 1 ? argv[1] : CLOCKBOUND_DEFAULT_DIRECTORY;
    clockbound_ctx *ctx = clockbound_open(path, &open_err);
    if (!ctx)
        return print_error(&open_err);
    for (long n = argc > 2 ? atol(argv[2]) : -1; n != 0; n--) {
        clockbound_interval interval;
        clockbound_err const *err = clockbound_interval_now(ctx, &interval);
        if (err)
            return print_error(err);
        if (interval.status == CLOCKBOUND_STA_SYNCHRONIZED ||
            interval.status == CLOCKBOUND_STA_FREE_RUNNING)
            printf("%" PRId64 " .. %" PRId64 "  -+ %" PRId64 " us  ", interval.earliest_ns,
                   interval.latest_ns, clockbound_bound_ns(&interval) / 1000);
        printf("%s, %s\n", clockbound_status_name(interval.status),
               clockbound_reason_name(interval.reason));
        fflush(stdout);
        if (n != 1)
            sleep(1);
    }
    clockbound_close(ctx);
    return 0;
}
