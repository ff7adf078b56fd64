/* Prints the interval once a second: interval [PATH [COUNT]] */
#include <clockbound.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int complain(clockbound_err const *err)
{
    fprintf(stderr, "interval: %s (%s, errno %d)\n", clockbound_strerror(err), err->detail ? err->detail : "-",
            err->sys_errno);
    return 1;
}

int main(int argc, char **argv)
{
    clockbound_err open_err;
    clockbound_ctx *ctx = clockbound_open(argc > 1 ? argv[1] : CLOCKBOUND_DEFAULT_DIRECTORY, &open_err);
    if (!ctx)
        return complain(&open_err);
    for (long n = argc > 2 ? atol(argv[2]) : -1; n != 0; n--) {
        clockbound_interval interval;
        clockbound_err const *err = clockbound_interval_now(ctx, &interval);
        if (err)
            return complain(err);
        printf("%" PRId64 " .. %" PRId64 "  -+ %" PRId64 " us  %s, %s\n", interval.earliest_ns, interval.latest_ns,
               clockbound_bound_ns(&interval) / 1000, clockbound_status_name(interval.status),
               clockbound_reason_name(interval.reason));
        fflush(stdout);
        if (n != 1)
            sleep(1);
    }
    clockbound_close(ctx);
    return 0;
}
