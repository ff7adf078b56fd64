// clockbound.hpp - read an interval that contains true time: C++11 over clockbound.h
//
// By default a client is neither async-signal-safe nor usable under a seccomp filter that forbids
// opening files: see clockbound::follow::no.
//
//   clockbound::client client;                      // throws clockbound::error
//   clockbound::interval now = client.now();
//   if (now.is_trusted())
//       use(now.earliest(), now.latest());
//   client.commit_wait(now.latest());               // the timestamp is in the past on every host
//
// In C++20 intervals have the partial order <=>: two that overlap, or of which one is not trusted,
// are not ordered. In C++23 the functions that begin with try_ return std::expected and do not
// throw. Link with -lclockbound.
//
// A client may be used by several threads at the same time. It may not be used in a signal handler
// or under a strict seccomp filter unless it was opened with clockbound::follow::no; in those, use
// the functions that do not throw: try_now(), or those of clockbound.h with get().
//
// SPDX-License-Identifier: MIT OR Apache-2.0
#ifndef CLOCKBOUND_HPP
#define CLOCKBOUND_HPP

#if __cplusplus < 201103L
#error "clockbound.hpp requires C++11; use clockbound.h"
#endif

#include <clockbound.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#if __cplusplus >= 202002L
#include <compare>
#endif
#if __cplusplus > 202002L && defined(__has_include)
#if __has_include(<expected>)
#include <expected>
#endif
#endif

namespace clockbound {

// UTC since 1970, with the resolution of the library.
using time_point = std::chrono::time_point<std::chrono::system_clock, std::chrono::nanoseconds>;

// Returns a time in ns of UTC since 1970. Saturates at the limits of 64 bits, in 1677 and 2262.
template <typename Duration>
std::int64_t to_ns(std::chrono::time_point<std::chrono::system_clock, Duration> time)
{
    using std::chrono::duration_cast;
    static_assert(std::ratio_greater_equal<typename Duration::period, std::nano>::value,
                  "a resolution of 1 ns or more");
    // The limits do not fit the 32 bits that a time may have.
    using wide = std::chrono::duration<
        typename std::common_type<typename Duration::rep, std::int64_t>::type,
        typename Duration::period>;
    const wide since = time.time_since_epoch();
    // The limits, rounded towards 0, so that the conversion to ns of what is within them fits.
    if (since > duration_cast<wide>(std::chrono::nanoseconds::max()))
        return INT64_MAX;
    if (since < duration_cast<wide>(std::chrono::nanoseconds::min()))
        return INT64_MIN;
    return duration_cast<std::chrono::nanoseconds>(since).count();
}

// An error of the library.
class error : public std::runtime_error {
public:
    explicit error(const clockbound_err &err) : std::runtime_error(message(err)), err_(err) {}

    clockbound_err_kind kind() const noexcept { return err_.kind; }
    int sys_errno() const noexcept { return err_.sys_errno; }
    // A constant string, or a null pointer.
    const char *detail() const noexcept { return err_.detail; }

private:
    static std::string message(const clockbound_err &err)
    {
        std::string text = clockbound_strerror(&err);
        if (err.detail)
            text += std::string(" (") + err.detail + ')';
        if (err.sys_errno)
            text += ", errno " + std::to_string(err.sys_errno);
        return text;
    }

    clockbound_err err_;
};

// The interval that contains true time while it is trusted. Otherwise it contains all times.
class interval {
public:
    explicit interval(const clockbound_interval &raw) noexcept : raw_(raw) {}

    time_point earliest() const noexcept { return at(raw_.earliest_ns); }
    time_point latest() const noexcept { return at(raw_.latest_ns); }
    // An estimate only while the interval is trusted.
    time_point midpoint() const noexcept { return at(clockbound_midpoint_ns(&raw_)); }
    // The clock error bound of the midpoint: half the width, rounded up.
    std::chrono::nanoseconds bound() const noexcept
    {
        return std::chrono::nanoseconds(clockbound_bound_ns(&raw_));
    }
    clockbound_clock_status status() const noexcept { return raw_.status; }
    clockbound_reason reason() const noexcept { return raw_.reason; }
    bool is_trusted() const noexcept
    {
        return raw_.status == CLOCKBOUND_STA_SYNCHRONIZED ||
               raw_.status == CLOCKBOUND_STA_FREE_RUNNING;
    }

    // Whether t has certainly passed. False unless the interval is trusted.
    template <typename Duration>
    bool is_after(std::chrono::time_point<std::chrono::system_clock, Duration> t) const
    {
        return clockbound_is_after(&raw_, to_ns(t));
    }
    // Whether t is certainly in the future. False unless the interval is trusted.
    template <typename Duration>
    bool is_before(std::chrono::time_point<std::chrono::system_clock, Duration> t) const
    {
        return clockbound_is_before(&raw_, to_ns(t));
    }
    // Whether an event in this interval is certainly after, or before, one in the other.
    bool is_after(const interval &other) const noexcept
    {
        return clockbound_interval_is_after(&raw_, &other.raw_);
    }
    bool is_before(const interval &other) const noexcept
    {
        return clockbound_interval_is_before(&raw_, &other.raw_);
    }

    // The struct of clockbound.h.
    const clockbound_interval &raw() const noexcept { return raw_; }

    // Whether both are trusted and have the same ends.
    friend bool operator==(const interval &a, const interval &b) noexcept
    {
        return clockbound_compare(&a.raw_, &b.raw_) == CLOCKBOUND_ORDER_EQUAL;
    }
#if __cplusplus >= 202002L
    friend std::partial_ordering operator<=>(const interval &a, const interval &b) noexcept
    {
        switch (clockbound_compare(&a.raw_, &b.raw_)) {
        case CLOCKBOUND_ORDER_BEFORE:
            return std::partial_ordering::less;
        case CLOCKBOUND_ORDER_EQUAL:
            return std::partial_ordering::equivalent;
        case CLOCKBOUND_ORDER_AFTER:
            return std::partial_ordering::greater;
        default:
            return std::partial_ordering::unordered;
        }
    }
#else
    friend bool operator!=(const interval &a, const interval &b) noexcept { return !(a == b); }
    friend bool operator<(const interval &a, const interval &b) noexcept { return a.is_before(b); }
    friend bool operator>(const interval &a, const interval &b) noexcept { return a.is_after(b); }
#endif

private:
    static time_point at(std::int64_t ns) noexcept
    {
        return time_point(std::chrono::nanoseconds(ns));
    }

    clockbound_interval raw_;
};

// What clockbound_explain() writes. Throws clockbound::error.
inline std::string explain(const char *path = nullptr)
{
    std::string text(4096, '\0');
    for (;;) {
        clockbound_err err;
        const std::size_t length = clockbound_explain(path, &text[0], text.size(), &err);
        if (err.kind != CLOCKBOUND_ERR_NONE)
            throw error(err);
        const bool is_whole = length < text.size();
        text.resize(is_whole ? length : length + 1);
        if (is_whole)
            return text;
    }
}

// Whether a client reads a file that replaces the segment.
enum class follow { yes, no };

// Whether a record that a program wrote for a test is an error of kind CLOCKBOUND_ERR_SIMULATED.
enum class simulated { accept, refuse };

// The intervals immediately before and after a call, which took place between began.earliest() and
// ended.latest().
struct timed {
    interval began;
    interval ended;
};

// A handle to the daemon's segment.
class client {
public:
    // Opens the segment at a path, or in CLOCKBOUND_DEFAULT_DIRECTORY.
    explicit client(const char *path = nullptr, follow how = follow::yes,
                    simulated which = simulated::accept)
    {
        clockbound_err err;
        ctx_.reset(clockbound_open_with(path, flags(how, which), &err));
        if (!ctx_)
            throw error(err);
    }
    explicit client(const std::string &path, follow how = follow::yes,
                    simulated which = simulated::accept)
        : client(path.c_str(), how, which)
    {
    }

    // Waits until the segment contains a trusted interval. With a max_bound that is not 0, the clock
    // error bound of that interval is at most max_bound.
    static client when_ready(const char *path, std::chrono::nanoseconds timeout,
                             std::chrono::nanoseconds max_bound = std::chrono::nanoseconds(0),
                             follow how = follow::yes, simulated which = simulated::accept)
    {
        clockbound_err err;
        client opened{handle(clockbound_open_when_ready_with(
            path, nullptr, flags(how, which), positive(timeout), positive(max_bound), &err))};
        if (!opened.ctx_)
            throw error(err);
        return opened;
    }

    interval now() const { return value(clockbound_interval_now, ctx_.get()); }

    // The interval at a reading of CLOCK_MONOTONIC_RAW.
    interval at(std::chrono::nanoseconds raw) const
    {
        return value(clockbound_interval_at, ctx_.get(), raw.count());
    }

    // The interval at a reading of CLOCK_REALTIME.
    template <typename Duration>
    interval at_realtime(std::chrono::time_point<std::chrono::system_clock, Duration> stamp) const
    {
        return value(clockbound_interval_at_realtime, ctx_.get(), to_ns(stamp));
    }

    // Waits until t has certainly passed. Returns the interval that proves it.
    template <typename Duration>
    interval commit_wait(std::chrono::time_point<std::chrono::system_clock, Duration> t) const
    {
        return value(clockbound_commit_wait, ctx_.get(), to_ns(t));
    }

    // Like commit_wait(), for a limited time.
    template <typename Duration>
    interval commit_wait(std::chrono::time_point<std::chrono::system_clock, Duration> t,
                         std::chrono::nanoseconds timeout) const
    {
        return value(clockbound_commit_wait_timeout, ctx_.get(), to_ns(t), positive(timeout));
    }

    // Calls f, and reads the interval immediately before and immediately after it. An exception of f
    // is passed on.
    template <typename Function>
    timed timing(Function &&f) const
    {
        const interval began = now();
        std::forward<Function>(f)();
        return timed{began, now()};
    }

    // The details of the record that was published last.
    clockbound_record record() const
    {
        clockbound_record record;
        record.size = sizeof record;
        if (const clockbound_err *err = clockbound_record_now(ctx_.get(), &record))
            throw error(*err);
        return record;
    }

#ifdef __cpp_lib_expected
    // Like the functions above without try_, with an error as a value.
    std::expected<interval, clockbound_err> try_now() const noexcept
    {
        return expect(clockbound_interval_now, ctx_.get());
    }

    template <typename Duration>
    std::expected<interval, clockbound_err>
    try_commit_wait(std::chrono::time_point<std::chrono::system_clock, Duration> t,
                    std::chrono::nanoseconds timeout) const noexcept
    {
        return expect(clockbound_commit_wait_timeout, ctx_.get(), to_ns(t), positive(timeout));
    }
#endif

    // The handle of clockbound.h. It remains the property of this object.
    clockbound_ctx *get() const noexcept { return ctx_.get(); }

private:
    struct close {
        void operator()(clockbound_ctx *ctx) const noexcept { clockbound_close(ctx); }
    };
    using handle = std::unique_ptr<clockbound_ctx, close>;

    explicit client(handle ctx) noexcept : ctx_(std::move(ctx)) {}

    static unsigned flags(follow how, simulated which) noexcept
    {
        return (how == follow::no ? CLOCKBOUND_OPEN_NO_FOLLOW : 0) |
               (which == simulated::refuse ? CLOCKBOUND_REFUSE_SIMULATED : 0);
    }

    static std::uint64_t positive(std::chrono::nanoseconds time) noexcept
    {
        return time.count() < 0 ? 0 : static_cast<std::uint64_t>(time.count());
    }

    // Calls a function of clockbound.h whose last argument is the interval that it stores.
    template <typename Read, typename... Arguments>
    static interval value(Read read, Arguments... arguments)
    {
        clockbound_interval raw;
        if (const clockbound_err *err = read(arguments..., &raw))
            throw error(*err);
        return interval(raw);
    }

#ifdef __cpp_lib_expected
    template <typename Read, typename... Arguments>
    static std::expected<interval, clockbound_err> expect(Read read,
                                                          Arguments... arguments) noexcept
    {
        clockbound_interval raw;
        if (const clockbound_err *err = read(arguments..., &raw))
            return std::unexpected(*err);
        return interval(raw);
    }
#endif

    handle ctx_;
};

} // namespace clockbound

#endif
