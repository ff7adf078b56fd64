/* Tests the extensions to the 2.x interface: extensions PATH. Prints nothing on success. The exit
 * code after a failure depends on the line of the check. */
#include <clockbound.h>
#include <string.h>

#define CHECK(what) do { if (!(what)) return __LINE__ % 255 + 1; } while (0)

int main(int argc, char **argv)
{
    clockbound_interval now, past;
    clockbound_err err;
    clockbound_err const *why;
    clockbound_ctx *ctx;
    struct timespec raw;
    int64_t raw_ns;

    CHECK(argc == 2);
    ctx = clockbound_open_when_ready(argv[1], 1000000, 1, &err);
    CHECK(!ctx && err.kind == CLOCKBOUND_ERR_NOT_READY && clockbound_strerror(&err));
    ctx = clockbound_open_when_ready(argv[1], 5000000000, 0, &err);
    CHECK(ctx && err.kind == CLOCKBOUND_ERR_NONE);
    CHECK(!clockbound_interval_now(ctx, &now));
    CHECK(now.reason == CLOCKBOUND_REASON_TRACKING);
    CHECK(!strcmp(clockbound_reason_name(now.reason), "tracking"));
    CHECK(!strcmp(clockbound_status_name(now.status), "synchronized"));
    CHECK(clockbound_is_after(&now, now.earliest_ns - 1));
    CHECK(!clockbound_is_after(&now, now.earliest_ns));
    CHECK(clockbound_is_before(&now, now.latest_ns + 1));
    CHECK(!clockbound_is_before(&now, now.latest_ns));
    CHECK(clockbound_bound_ns(&now) == (now.latest_ns - now.earliest_ns + 1) / 2);
    CHECK(!clockbound_commit_wait(ctx, now.latest_ns, &past) && past.earliest_ns > now.latest_ns);
    CHECK(!clockbound_commit_wait(ctx, 0, NULL));
    CHECK(!clock_gettime(CLOCK_MONOTONIC_RAW, &raw));
    raw_ns = raw.tv_sec * INT64_C(1000000000) + raw.tv_nsec;
    CHECK(!clockbound_interval_at(ctx, raw_ns - 1000000000, &past));
    CHECK(past.latest_ns < now.earliest_ns);
    why = clockbound_interval_at(ctx, raw_ns - INT64_C(2000000000000), &past);
    CHECK(why && why->kind == CLOCKBOUND_ERR_NOT_KNOWN);
    why = clockbound_interval_now(ctx, NULL);
    CHECK(why && why->kind == CLOCKBOUND_ERR_SYSCALL && why->sys_errno);
    now.status = CLOCKBOUND_STA_UNKNOWN;
    CHECK(!clockbound_is_after(&now, 0) && !clockbound_is_before(&now, INT64_MAX));
    CHECK(!clockbound_close(ctx) && !clockbound_close(NULL));
    return 0;
}
