// Takes a timestamp that nobody can dispute: commit_wait [PATH]
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
    std::unique_ptr<clockbound_ctx, Close> ctx(clockbound_open_when_ready(path, 10'000'000'000, 0, &open_err));
    if (!ctx) {
        std::cerr << "commit_wait: " << clockbound_strerror(&open_err) << '\n';
        return 1;
    }
    clockbound_interval now;
    if (const clockbound_err *err = clockbound_interval_now(ctx.get(), &now)) {
        std::cerr << "commit_wait: " << clockbound_strerror(err) << '\n';
        return 1;
    }
    // Whatever is stamped so, and shown to others after the wait, lies in the past for all of them.
    const int64_t timestamp = now.latest_ns;
    if (const clockbound_err *err = clockbound_commit_wait(ctx.get(), timestamp, &now)) {
        std::cerr << "commit_wait: " << clockbound_strerror(err) << '\n';
        return 1;
    }
    std::cout << timestamp << " has passed: " << std::boolalpha << clockbound_is_after(&now, timestamp) << '\n';
    return 0;
}
