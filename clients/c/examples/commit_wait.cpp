// Takes a timestamp and waits until it is in the past on every host: commit_wait [PATH]
#include <clockbound.hpp>

#include <exception>
#include <iostream>

int main(int argc, char **argv)
{
    const char *path = argc > 1 ? argv[1] : nullptr;
    try {
        const clockbound::client client =
            clockbound::client::when_ready(path, std::chrono::seconds(10));
        // An event with this timestamp that is exposed after the wait is in the past on every host.
        const clockbound::time_point timestamp = client.now().latest();
        const clockbound::interval after = client.commit_wait(timestamp, std::chrono::seconds(10));
        std::cout << clockbound::to_ns(timestamp) << " has passed: " << std::boolalpha
                  << after.is_after(timestamp) << '\n';
    } catch (const std::exception &err) {
        std::cerr << "commit_wait: " << err.what() << '\n';
        return 1;
    }
    return 0;
}
