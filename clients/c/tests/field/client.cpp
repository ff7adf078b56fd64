// Tests clockbound.hpp: client TRUSTED UNKNOWN. The exit code after a failure depends on the line.
#include <clockbound.hpp>

#include <thread>

#define CHECK(what) do { if (!(what)) return __LINE__ % 255 + 1; } while (0)

int main(int argc, char **argv)
{
    using namespace std::chrono;
    CHECK(argc == 3);
    try {
        clockbound::client none(std::string(argv[1]) + "/none");
        return 1;
    } catch (const clockbound::error &err) {
        CHECK(err.kind() == CLOCKBOUND_ERR_SYSCALL && err.sys_errno() == 2);
        CHECK(std::string(err.what()).find("errno 2") != std::string::npos);
    }
    try {
        clockbound::client::when_ready(argv[2], milliseconds(1));
        return 1;
    } catch (const clockbound::error &err) {
        CHECK(err.kind() == CLOCKBOUND_ERR_NOT_READY);
    }
    try {
        clockbound::client::when_ready(argv[1], milliseconds(1), nanoseconds(1));
        return 1;
    } catch (const clockbound::error &err) {
        CHECK(err.kind() == CLOCKBOUND_ERR_NOT_READY);
    }
    CHECK(clockbound::explain(argv[1]).size() > 20 && clockbound::explain(argv[1]).back() == '\n');
    try {
        clockbound::explain(argv[2]);
        return 1;
    } catch (const clockbound::error &err) {
        CHECK(err.kind() == CLOCKBOUND_ERR_SYSCALL && err.sys_errno() == 2);
    }
    const clockbound::client client = clockbound::client::when_ready(
        argv[1], seconds(10), hours(1), clockbound::follow::no, clockbound::simulated::refuse);
    const clockbound::interval first = client.now();
    CHECK(first.is_trusted() && first.status() == CLOCKBOUND_STA_SYNCHRONIZED);
    CHECK(first.reason() == CLOCKBOUND_REASON_TRACKING);
    CHECK(first.earliest() < first.midpoint() && first.midpoint() < first.latest());
    CHECK(first.bound() >= milliseconds(1));
    CHECK(first.is_after(first.earliest() - nanoseconds(1)) && !first.is_after(first.earliest()));
    CHECK(first.is_before(first.latest() + nanoseconds(1)) && !first.is_before(first.latest()));
    // Times beyond 64 bits.
    CHECK(first.is_before(time_point<system_clock, hours>(hours(24 * 365 * 9999L))));
    CHECK(first.is_after(time_point<system_clock, hours>(-hours(24 * 365 * 9999L))));
    // A time of 32 bits.
    const std::chrono::duration<int> short_time(1800000000);
    CHECK(clockbound::to_ns(time_point<system_clock, std::chrono::duration<int>>(short_time)) ==
          1800000000000000000);
    const clockbound::interval second = client.commit_wait(first.latest(), seconds(10));
    CHECK(first.is_before(second) && second.is_after(first));
    CHECK(first < second && second > first && !(second < first));
    CHECK(first == first && first != second);
    try {
        client.commit_wait(second.latest() + hours(1), milliseconds(1));
        return 1;
    } catch (const clockbound::error &err) {
        CHECK(err.kind() == CLOCKBOUND_ERR_TIMED_OUT);
    }
    CHECK(client.record().source == 1 && !client.record().is_simulated);
    bool is_called = false;
    const clockbound::timed timed = client.timing([&is_called] { is_called = true; });
    CHECK(is_called && timed.began.is_trusted() && timed.ended.is_trusted());
    CHECK(timed.began.earliest() <= timed.ended.latest());

    clockbound::client moved =
        clockbound::client(argv[2], clockbound::follow::yes, clockbound::simulated::refuse);
    const clockbound::interval unknown = moved.now();
    CHECK(!unknown.is_trusted() && !(unknown < second) && !(first < unknown));
    CHECK(!(unknown == unknown) && !first.is_before(unknown.earliest()));
#if __cplusplus >= 202002L
    CHECK((first <=> second) == std::partial_ordering::less);
    CHECK((second <=> first) == std::partial_ordering::greater);
    CHECK((first <=> unknown) == std::partial_ordering::unordered);
#endif
#ifdef __cpp_lib_expected
    CHECK(client.try_now().value().is_trusted());
    CHECK(moved.try_commit_wait(first.latest(), seconds(0)).error().kind ==
          CLOCKBOUND_ERR_UNTRUSTED);
#endif
    return 0;
}
