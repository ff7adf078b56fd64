// Takes a timestamp and waits until it is in the past on every host: commit_wait [PATH]
#include <clockbound.h>

#include <iostream>
#include <memory>

int main(int argc, char **argv)
{
    struct Close {
        void operator()(clockbound_ctx *ctx) const { clockbound_close(ctx); }
    };
    clockbound_err open_err;
    const char *path = argc > 1 ? argv[1] : CLOCKBOUND_DEFAULT_DIRECTORY;
    const uint64_t timeout_ns = 10'000'000'000;
    std::unique_ptr<clockbound_ctx, Close> ctx(
        clockbound_open_when_ready(path, timeout_ns, 0, &open_err));
    if (!ctx) {
        std::cerr << "commit_wait: " << clockbound_strerror(&open_err) << '\n';
        return 1;
    }
    clockbound_interval now;
    if (const clockbound_err *err = clockbound_interval_now(ctx.get(), &now)) {
        std::cerr << "commit_wait: " << clockbound_strerror(err) << '\n';
        return 1;
    }
    // An event with this timestamp that is exposed after the wait is in the past on every host.
    const int64_t timestamp = now.latest_ns;
    if (const clockbound_err *err = clockbound_commit_wait(ctx.get(), timestamp, &now)) {
        std::cerr << "commit_wait: " << clockbound_strerror(err) << '\n';
        return 1;
    }
    const bool has_passed = clockbound_is_after(&now, timestamp);
    std::cout << timestamp << " has passed: " << std::boolalpha << has_passed << '\n';
    return 0;
}
