/* Orders intervals of a trusted segment and of one with status unknown: order TRUSTED UNKNOWN. The
 * exit code after a failure depends on the line of the check. */
#include <clockbound.h>
#include <string.h>
#include <time.h>

#define CHECK(what) do { if (!(what)) return __LINE__ % 255 + 1; } while (0)

int main(int argc, char **argv)
{
    clockbound_interval first, second, unknown;
    clockbound_timing timing;
    clockbound_ctx *ctx, *other;
    struct timespec pause = {0, 10000000};
    CHECK(argc == 3);
    ctx = clockbound_open(argv[1], NULL);
    other = clockbound_open(argv[2], NULL);
    CHECK(ctx && other);
    CHECK(!clockbound_timing_begin(ctx, &timing));
    CHECK(timing.ended.status == CLOCKBOUND_STA_UNKNOWN);
    CHECK(clockbound_compare(&timing.began, &timing.ended) == CLOCKBOUND_ORDER_UNORDERED);
    /* Longer than the intervals are wide. */
    nanosleep(&pause, NULL);
    CHECK(!clockbound_timing_end(ctx, &timing));
    first = timing.began;
    second = timing.ended;
    CHECK(clockbound_compare(&first, &second) == CLOCKBOUND_ORDER_BEFORE);
    CHECK(clockbound_compare(&second, &first) == CLOCKBOUND_ORDER_AFTER);
    CHECK(clockbound_compare(&first, &first) == CLOCKBOUND_ORDER_EQUAL);
    CHECK(clockbound_interval_is_before(&first, &second));
    CHECK(!clockbound_interval_is_before(&second, &first));
    CHECK(!clockbound_interval_is_before(&first, &first));
    CHECK(clockbound_interval_is_after(&second, &first));
    CHECK(!clockbound_interval_is_after(&first, &second));
    second.earliest_ns = first.latest_ns;
    CHECK(clockbound_compare(&first, &second) == CLOCKBOUND_ORDER_UNORDERED);

    CHECK(!clockbound_interval_now(other, &unknown));
    CHECK(unknown.status == CLOCKBOUND_STA_UNKNOWN);
    /* An end of an interval that is not trusted proves nothing. */
    CHECK(!clockbound_is_before(&first, unknown.earliest_ns));
    CHECK(!clockbound_is_after(&first, unknown.latest_ns));
    CHECK(unknown.earliest_ns == INT64_MIN && unknown.latest_ns == INT64_MAX);
    CHECK(clockbound_bound_ns(&unknown) == INT64_MAX);
    CHECK(clockbound_compare(&first, &unknown) == CLOCKBOUND_ORDER_UNORDERED);
    CHECK(clockbound_compare(&unknown, &unknown) == CLOCKBOUND_ORDER_UNORDERED);
    CHECK(clockbound_compare(&first, NULL) == CLOCKBOUND_ORDER_UNORDERED);
    CHECK(!clockbound_interval_is_before(&first, &unknown));
    CHECK(!clockbound_interval_is_after(&first, &unknown));
    CHECK(!clockbound_interval_is_before(NULL, &first));
    /* An error leaves an interval that claims nothing. */
    CHECK(clockbound_interval_now(NULL, &first));
    CHECK(first.status == CLOCKBOUND_STA_UNKNOWN && first.earliest_ns == INT64_MIN);
    clockbound_close(ctx);
    clockbound_close(other);
    return 0;
}
