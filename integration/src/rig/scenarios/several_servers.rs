//! Several servers: falsetickers, and servers that are added, deleted or stop answering.

use super::table::{MS, answer, course, kept, scenarios, silence};
use crate::fakes::ntp_server::ServerBehaviour;
use crate::rig::scenario::Action::{
    AddServer, Chronyc, DeleteServer, ListServers, NamePool, Server,
};
use crate::rig::scenario::Expect::Trusted;
use crate::rig::scenario::Listed::{InDirectory, InPool, Later};
use crate::rig::scenario::Scenario;
use crate::time::profile::{Profile, Ramp};

const SECONDLY: &str = "iburst minpoll 0 maxpoll 0";

/// Keeps the samples of 64 polls.
const KEEPING: &str = "iburst minpoll 0 maxpoll 0 minsamples 64";

/// The assumption that a falseticker breaks by default.
const NONE_ASSUMED: &str = "the selected server is a falseticker, and --falsetickers assumes none";

/// The assumption that two falsetickers break.
const ONE_ASSUMED: &str = "two servers are falsetickers, and --falsetickers assumes at most one";

const ONE: &[&str] = &["--falsetickers", "1"];
const TWO: &[&str] = &["--falsetickers", "2"];
const HOLDOVER: &[&str] = &["--holdover", "8s"];

/// The scenarios of the table.
pub fn all() -> Vec<Scenario> {
    [
        falsetickers(),
        excluded(),
        changes(),
        pools(),
        dead_selected(),
    ]
    .concat()
}

/// Variants with long poll intervals.
pub fn slow() -> Vec<Scenario> {
    let mut slow = scenarios! { falseticker;
        "falseticker-of-4-each-16-s", 90 s,
            "the selected one of 4 servers is off by 30 ms and declares nothing"
            [poll(16), distant(3), daemon_args(ONE)];
    };
    slow.extend(scenarios! { kept;
        "dead-preferred-server-until-stale", 180 s,
            "a preferred server is dead and stays selected until chronyd finds its samples stale"
            [options("iburst minpoll 0 maxpoll 0 prefer"), second(SECONDLY), daemon_args(HOLDOVER)]
            60: silence(0);
        "dead-preferred-server-each-4-s", 240 s, "a preferred server is dead and stays selected"
            [options("iburst minpoll 2 maxpoll 2 prefer"), second("iburst minpoll 2 maxpoll 2"),
             daemon_args(&["--holdover", "40s"])] 60: silence(0);
        "dead-preferred-server-each-16-s", 600 s, "a preferred server is dead and stays selected"
            [options("iburst minpoll 4 maxpoll 4 prefer"), second("iburst minpoll 4 maxpoll 4"),
             daemon_args(&["--holdover", "150s"])] 150: silence(0);
    });
    slow
}

/// chronyd selects the server that declares the least, and the others' intervals contain its time.
fn falsetickers() -> Vec<Scenario> {
    let mut scenarios = scenarios! { falseticker;
        "falseticker-of-3", 20 s,
            "the selected one of 3 servers is off by 30 ms and declares nothing"
            [distant(2), daemon_args(ONE)];
        "falseticker-of-4", 20 s,
            "the selected one of 4 servers is off by 30 ms and declares nothing"
            [distant(3), daemon_args(ONE)];
        "falseticker-of-5", 20 s,
            "the selected one of 5 servers is off by -30 ms and declares nothing"
            [distant(4), server(|s| s.time_error_ns = -30 * MS), daemon_args(ONE)];
        "falseticker-of-5-begins-late", 50 s,
            "the selected one of 5 servers slews away from the others at 1 ms/s"
            [distant(4), daemon_args(ONE), server(|s| {
                s.time_error_ns = 0;
                s.time_error_profile = Profile::ramp(Ramp::reaching(10.0, 0.030, 1000.0));
            })];
        "trusted-falseticker-of-3", 20 s,
            "the selected one of 3 servers is off by 30 ms and declares nothing"
            [distant(2), expecting(Trusted), not_held(NONE_ASSUMED)];
        "trusted-falseticker-of-4", 20 s,
            "the selected one of 4 servers is off by -30 ms and declares nothing"
            [distant(3), server(|s| s.time_error_ns = -30 * MS), expecting(Trusted),
             not_held(NONE_ASSUMED)];
        "trusted-falseticker-of-5", 20 s,
            "the selected one of 5 servers is off by 30 ms and declares nothing"
            [distant(4), expecting(Trusted), not_held(NONE_ASSUMED)];
    };
    let two = |name, about, seconds| {
        falseticker(name, about, seconds)
            .another_server(|server| server.time_error_ns = 30 * MS)
            .falsetickers(2)
    };
    scenarios.extend(scenarios! { two;
        "two-falsetickers-of-4", 20 s, "two of 4 servers agree on a time that is off by 30 ms"
            [distant(2), daemon_args(ONE), expecting(Trusted), not_held(ONE_ASSUMED)];
        "two-falsetickers-of-5", 20 s, "two of 5 servers agree on a time that is off by 30 ms"
            [distant(3), daemon_args(ONE), expecting(Trusted), not_held(ONE_ASSUMED)];
        "two-falsetickers-of-5-expected", 20 s,
            "two of 5 servers agree on a time that is off by 30 ms"
            [distant(3), daemon_args(TWO)];
        "two-opposite-falsetickers-of-5-expected", 20 s,
            "two of 5 servers are off by 30 ms to either side"
            [distant(3), change_server(1, |s| s.time_error_ns = -30 * MS), daemon_args(TWO)];
    });
    scenarios
}

/// chronyd's own selection excludes the falseticker.
fn excluded() -> Vec<Scenario> {
    let three = |name, about, seconds| {
        Scenario::new(name, about, seconds)
            .poll(1)
            .chrony_lines(&["minsources 2"])
            .falsetickers(1)
            .another_server(|_| {})
    };
    scenarios! { three;
        "falseticker-from-the-start", 25 s,
            "one of 3 servers is off by -20 ms, and chronyd excludes it"
            [another_server(|s| s.time_error_ns = -20 * MS)];
        "falseticker-becomes-one", 40 s,
            "one of 3 servers, not the selected one, steps by 20 ms, and chronyd excludes it"
            [another_server(|s| s.root_dispersion = 0.001)] 15: Server(2,
             |s| s.time_error_ns = 20 * MS);
        "falseticker-unselected-far", 25 s, "one of 3 servers is off by 2 s and marked noselect"
            [another_server(|s| s.time_error_ns = 2_000 * MS),
             options("iburst minpoll 0 maxpoll 0 noselect")];
        "falseticker-polled-slowly", 40 s,
            "one of 3 servers is off by 20 ms and polled every 16 s, the others every second"
            [another_server(|s| s.time_error_ns = 20 * MS), options("iburst minpoll 4 maxpoll 4")];
    }
}

/// Sources that are added, deleted, offline or silent.
fn changes() -> Vec<Scenario> {
    let secondly = |name, about, seconds| kept(name, about, seconds).poll(1);
    scenarios! { secondly;
        "server-added-and-deleted", 30 s,
            "a second server is added while the daemon runs, and deleted"
            [another_server(|s| off(s, 0.005, -4)), listed(Later)] 10: AddServer(1),
            20: DeleteServer(1);
        "selected-server-deleted", 30 s, "the selected one of two servers is deleted"
            [another_server(|s| off(s, 0.005, 4))] 15: DeleteServer(0);
        "only-server-replaced", 30 s, "the only server is deleted and another one added"
            [another_server(|s| off(s, 0.005, 4)), listed(Later)] 15: DeleteServer(0),
            15.5: AddServer(1);
        "servers-come-and-go", 52 s,
            "servers are added and deleted every few seconds, so that their numbers change"
            [another_server(|s| off(s, 0.005, 4)), another_server(|s| off(s, 0.003, -2)),
             listed(Later),
             another_server(|s| off(s, 0.002, 0)), listed(Later)]
            10: AddServer(2), 16: DeleteServer(0), 22: AddServer(3), 28: DeleteServer(1),
            34: AddServer(0), 40: DeleteServer(2), 46: AddServer(1);
        "server-offline-and-online", 45 s,
            "the selected server is taken offline by chronyc, stays selected, and is back online"
            [daemon_args(HOLDOVER), another_server(|s| off(s, 0.005, 4))]
            8: Chronyc("offline 127.0.0.1"), 35: Chronyc("online 127.0.0.1");
        "all-servers-offline-and-online", 40 s,
            "every server is taken offline by chronyc, and back online"
            [another_server(|s| off(s, 0.005, 4))] 12: Chronyc("offline"), 26: Chronyc("online");
        "source-directory-reloaded", 35 s, "the source directory lists other servers, twice"
            [listed(InDirectory), another_server(|s| off(s, 0.005, 4)), listed(InDirectory),
             another_server(|s| off(s, 0.002, 0)), listed(Later)]
            10: ListServers(&[1, 2]), 22: ListServers(&[2, 0]);
        "server-silent-and-back", 45 s,
            "the only server is silent for 15 s, and 4 ms ahead afterwards, as declared"
            [] 12: silence(0), 27: Server(0, |s| {
                s.silent = false;
                off(s, 0.005, 4);
            });
        "one-of-three-silent-and-back", 50 s, "the selected one of 3 servers is silent for 25 s"
            [another_server(|s| off(s, 0.005, 4)), another_server(|s| off(s, 0.006, -5))]
            10: silence(0), 35: answer(0);
    }
}

/// A pool whose members are replaced: its name resolves to two servers at first, and two others
/// exist.
fn pools() -> Vec<Scenario> {
    let pool = |name, about, seconds| {
        kept(name, about, seconds)
            .pool("maxsources 2 iburst minpoll 0 maxpoll 0")
            .server(|server| off(server, 0.003, 0))
            .listed(InPool)
            .another_server(|server| off(server, 0.003, 0))
            .listed(InPool)
            .another_server(|server| off(server, 0.003, 2))
            .listed(Later)
            .another_server(|server| off(server, 0.003, -2))
            .listed(Later)
    };
    scenarios! { pool;
        "pool-refreshed", 35 s,
            "a pool is refreshed twice, and 2 others of 4 servers are used, off as declared"
            [] 8: NamePool(&[0, 1, 2, 3]), 12: Chronyc("refresh"), 22: Chronyc("refresh");
        "pool-renamed", 35 s,
            "a refreshed pool's name resolves to other servers, whose time is off as declared"
            [] 8: NamePool(&[2, 3]), 12: Chronyc("refresh");
        "pool-servers-die", 50 s, "the servers of a pool stop answering, and chronyd replaces them"
            [] 8: NamePool(&[2, 3]), 12: silence(0), 12: silence(1);
    }
}

/// A selected source is dead while others answer. chronyd keeps it selected until its last sample
/// is older than all samples that it keeps of the others: 64 polls with `minsamples 64`.
fn dead_selected() -> Vec<Scenario> {
    scenarios! { kept;
        "dead-preferred-server", 45 s,
            "a preferred server is dead and stays selected, another one answers"
            [options("iburst minpoll -2 maxpoll -2 prefer"), second(KEEPING), daemon_args(HOLDOVER)]
            15: silence(0);
        "dead-preferred-server-each-second", 45 s,
            "a preferred server is dead and stays selected, both are polled every second"
            [options("iburst minpoll 0 maxpoll 0 prefer"), second(KEEPING), daemon_args(HOLDOVER)]
            12: silence(0);
        "dead-preferred-server-among-four", 45 s,
            "a preferred server is dead and stays selected, three others answer"
            [options("iburst minpoll -1 maxpoll -1 prefer"), second(KEEPING), daemon_args(HOLDOVER),
             another_server(|s| s.root_dispersion = 0.002), options(KEEPING),
             another_server(|s| s.root_dispersion = 0.003), options(KEEPING)] 15: silence(0);
        "dead-preferred-server-on-a-drifting-clock", 45 s,
            "a preferred server is dead and stays selected, and the clock loses 40 us a second"
            [options("iburst minpoll -2 maxpoll -2 prefer"), second(KEEPING), daemon_args(HOLDOVER),
             course(course(3 * MS, 40))] 15: silence(0);
    }
}

/// The first server is off by 30 ms and declares nothing.
fn falseticker(name: &'static str, about: &'static str, seconds: u64) -> Scenario {
    Scenario::new(name, about, seconds)
        .poll(1)
        .server(|server| server.time_error_ns = 30 * MS)
        .falsetickers(1)
}

/// A server that is off by `error_ms` and declares this root dispersion.
fn off(server: &mut ServerBehaviour, root_dispersion: f64, error_ms: i64) {
    server.root_dispersion = root_dispersion;
    server.time_error_ns = error_ms * MS;
}

impl Scenario {
    /// Adds a server that declares 1 ms, with its own options.
    fn second(self, options: &'static str) -> Scenario {
        self.another_server(|server| server.root_dispersion = 0.001)
            .options(options)
    }

    /// Adds exact servers that declare so much that the error of another is within it.
    fn distant(self, servers: usize) -> Scenario {
        (0..servers).fold(self, |scenario, _| {
            scenario.another_server(|server| server.root_dispersion = 0.05)
        })
    }
}
