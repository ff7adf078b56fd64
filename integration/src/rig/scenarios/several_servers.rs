//! Several servers: one or two that lie, and servers that come and go.

use super::super::scenario::{Action, Expect, Listed, Scenario};
use super::MS;
use crate::fakes::ntp_server::ServerBehaviour;
use crate::time::profile::{Profile, Ramp};
use crate::time::truth::Course;

const EACH_SECOND: &str = "iburst minpoll 0 maxpoll 0";

/// What a lie breaks when nobody is said to lie.
const TRUSTED: &str = "the selected server lies, and --falsetickers says that none does";

/// What two falsetickers break.
const MORE_THAN_ONE: &str = "two servers lie, and --falsetickers says that one does at most";

/// The scenarios of the table.
pub fn all() -> Vec<Scenario> {
    [falsetickers(), found_out(), changes(), pools(), silences()].concat()
}

/// Relatives of them, whose polls are long.
pub fn slow() -> Vec<Scenario> {
    vec![
        selected_liar(
            "liar-of-4-each-16-s",
            "the selected one of 4 servers is off by 30 ms and declares nothing, one may lie, polled every 16 s",
            4,
        )
        .lasting(90)
        .polling("iburst minpoll 4 maxpoll 4")
        .daemon_args(&["--falsetickers", "1"]),
        dead_preferred(
            "dead-preferred-server-until-stale",
            "a preferred server is dead and stays selected until chronyd finds its samples stale",
            "iburst minpoll 0 maxpoll 0 prefer",
            "iburst minpoll 0 maxpoll 0",
        )
        .lasting(180)
        .at(60.0, Action::Server(0, |server| server.silent = true)),
        dead_preferred(
            "dead-preferred-server-each-4-s",
            "a preferred server is dead and stays selected, polled every 4 s",
            "iburst minpoll 2 maxpoll 2 prefer",
            "iburst minpoll 2 maxpoll 2",
        )
        .daemon_args(&["--holdover", "40s"])
        .lasting(240)
        .at(60.0, Action::Server(0, |server| server.silent = true)),
        dead_preferred(
            "dead-preferred-server-each-16-s",
            "a preferred server is dead and stays selected, polled every 16 s",
            "iburst minpoll 4 maxpoll 4 prefer",
            "iburst minpoll 4 maxpoll 4",
        )
        .daemon_args(&["--holdover", "150s"])
        .lasting(600)
        .at(150.0, Action::Server(0, |server| server.silent = true)),
    ]
}

/// chronyd selects the server that declares least, and the others' intervals hold its lie.
fn falsetickers() -> Vec<Scenario> {
    let one = &["--falsetickers", "1"];
    let two = &["--falsetickers", "2"];
    vec![
        selected_liar(
            "liar-of-3",
            "the selected one of 3 servers is off by 30 ms and declares nothing, one may lie",
            3,
        )
        .daemon_args(one),
        selected_liar(
            "liar-of-4",
            "the selected one of 4 servers is off by 30 ms and declares nothing, one may lie",
            4,
        )
        .daemon_args(one),
        selected_liar(
            "liar-of-5",
            "the selected one of 5 servers is off by -30 ms and declares nothing, one may lie",
            5,
        )
        .server(|server| server.time_error_ns = -30 * MS)
        .daemon_args(one),
        selected_liar(
            "liar-of-5-begins-late",
            "the selected one of 5 servers slews away from the others' middle at 1 ms/s, one may lie",
            5,
        )
        .lasting(50)
        .server(|server| {
            server.time_error_ns = 0;
            server.time_error_profile = Profile::ramp(
                Ramp::reaching(10.0, 0.030, 1000.0),
            );
        })
        .daemon_args(one),
        selected_liar(
            "trusted-liar-of-3",
            "the selected one of 3 servers is off by 30 ms and declares nothing",
            3,
        )
        .expecting(Expect::Trusted)
        .not_held(TRUSTED),
        selected_liar(
            "trusted-liar-of-4",
            "the selected one of 4 servers is off by -30 ms and declares nothing",
            4,
        )
        .server(|server| server.time_error_ns = -30 * MS)
        .expecting(Expect::Trusted)
        .not_held(TRUSTED),
        selected_liar(
            "trusted-liar-of-5",
            "the selected one of 5 servers is off by 30 ms and declares nothing",
            5,
        )
        .expecting(Expect::Trusted)
        .not_held(TRUSTED),
        two_liars(
            "two-falsetickers-of-4",
            "two of 4 servers agree on a time that is off by 30 ms, one may lie",
            4,
        )
        .daemon_args(one)
        .expecting(Expect::Trusted)
        .not_held(MORE_THAN_ONE),
        two_liars(
            "two-falsetickers-of-5",
            "two of 5 servers agree on a time that is off by 30 ms, one may lie",
            5,
        )
        .daemon_args(one)
        .expecting(Expect::Trusted)
        .not_held(MORE_THAN_ONE),
        two_liars(
            "two-falsetickers-of-5-expected",
            "two of 5 servers agree on a time that is off by 30 ms, two may lie",
            5,
        )
        .daemon_args(two),
        two_liars(
            "two-opposite-falsetickers-of-5-expected",
            "two of 5 servers are off by 30 ms to either side, two may lie",
            5,
        )
        .change_server(1, |server| server.time_error_ns = -30 * MS)
        .daemon_args(two),
    ]
}

fn selected_liar(name: &'static str, about: &'static str, servers: usize) -> Scenario {
    among_distant(name, about, servers - 1).falsetickers(1)
}

fn two_liars(name: &'static str, about: &'static str, servers: usize) -> Scenario {
    let scenario = Scenario::new(name, about, 20)
        .polling(EACH_SECOND)
        .server(|server| server.time_error_ns = 30 * MS)
        .another_server(|server| server.time_error_ns = 30 * MS)
        .falsetickers(2);
    (2..servers).fold(scenario, |scenario, _| scenario.another_server(distant))
}

/// A first server that lies, among honest ones.
fn among_distant(name: &'static str, about: &'static str, honest: usize) -> Scenario {
    let scenario = Scenario::new(name, about, 20)
        .polling(EACH_SECOND)
        .server(|server| server.time_error_ns = 30 * MS);
    (0..honest).fold(scenario, |scenario, _| scenario.another_server(distant))
}

/// Honest, and declares so much that the lie of another is inside.
fn distant(server: &mut ServerBehaviour) {
    server.root_dispersion = 0.05;
}

/// chronyd's own selection finds the liar.
fn found_out() -> Vec<Scenario> {
    let three = |name, about| {
        Scenario::new(name, about, 25)
            .polling(EACH_SECOND)
            .chrony_lines(&["minsources 2"])
            .falsetickers(1)
            .another_server(|_| {})
    };
    vec![
        three(
            "falseticker-from-the-start",
            "one of 3 servers is off by -20 ms, and chronyd excludes it",
        )
        .another_server(|server| server.time_error_ns = -20 * MS),
        three(
            "falseticker-becomes-one",
            "one of 3 servers, not the selected one, steps by 20 ms, and chronyd excludes it",
        )
        .lasting(40)
        .another_server(|server| server.root_dispersion = 0.001)
        .at(
            15.0,
            Action::Server(2, |server| server.time_error_ns = 20 * MS),
        ),
        three(
            "falseticker-unselected-far",
            "one of 3 servers is off by 2 s, and marked noselect",
        )
        .another_server(|server| server.time_error_ns = 2_000 * MS)
        .options("iburst minpoll 0 maxpoll 0 noselect"),
        three(
            "falseticker-polled-slowly",
            "one of 3 servers is off by 20 ms and polled every 16 s, the others each second",
        )
        .lasting(40)
        .another_server(|server| server.time_error_ns = 20 * MS)
        .options("iburst minpoll 4 maxpoll 4"),
    ]
}

/// Sources that come and go.
fn changes() -> Vec<Scenario> {
    let scenario = |name, about, seconds| {
        Scenario::new(name, about, seconds)
            .polling(EACH_SECOND)
            .expecting(Expect::Kept)
    };
    let middling = |server: &mut ServerBehaviour| {
        server.root_dispersion = 0.005;
        server.time_error_ns = 4 * MS;
    };
    vec![
        scenario(
            "server-added-and-deleted",
            "a second server is added while the daemon runs, and deleted",
            30,
        )
        .another_server(|server| {
            server.root_dispersion = 0.005;
            server.time_error_ns = -4 * MS;
        })
        .listed(Listed::Later)
        .at(10.0, Action::AddServer(1))
        .at(20.0, Action::DeleteServer(1)),
        scenario(
            "selected-server-deleted",
            "the selected server is deleted, and another one is there",
            30,
        )
        .another_server(middling)
        .at(15.0, Action::DeleteServer(0)),
        scenario(
            "only-server-replaced",
            "the only server is deleted and another one added",
            30,
        )
        .another_server(middling)
        .listed(Listed::Later)
        .at(15.0, Action::DeleteServer(0))
        .at(15.5, Action::AddServer(1)),
        scenario(
            "servers-come-and-go",
            "servers are added and deleted every few seconds, so that their numbers change",
            52,
        )
        .another_server(middling)
        .another_server(|server| {
            server.root_dispersion = 0.003;
            server.time_error_ns = -2 * MS;
        })
        .listed(Listed::Later)
        .another_server(|server| server.root_dispersion = 0.002)
        .listed(Listed::Later)
        .at(10.0, Action::AddServer(2))
        .at(16.0, Action::DeleteServer(0))
        .at(22.0, Action::AddServer(3))
        .at(28.0, Action::DeleteServer(1))
        .at(34.0, Action::AddServer(0))
        .at(40.0, Action::DeleteServer(2))
        .at(46.0, Action::AddServer(1)),
        scenario(
            "server-offline-and-online",
            "the selected server is taken offline by chronyc, stays selected, and is back online",
            45,
        )
        .daemon_args(&["--holdover", "8s"])
        .another_server(middling)
        .at(8.0, Action::Chronyc("offline 127.0.0.1"))
        .at(35.0, Action::Chronyc("online 127.0.0.1")),
        scenario(
            "all-servers-offline-and-online",
            "every server is taken offline by chronyc, and back online",
            40,
        )
        .another_server(middling)
        .at(12.0, Action::Chronyc("offline"))
        .at(26.0, Action::Chronyc("online")),
        scenario(
            "source-directory-reloaded",
            "the directory of sources names other servers, twice",
            35,
        )
        .server(|_| {})
        .listed(Listed::InDirectory)
        .another_server(middling)
        .listed(Listed::InDirectory)
        .another_server(|server| server.root_dispersion = 0.002)
        .listed(Listed::Later)
        .at(10.0, Action::ListServers(&[1, 2]))
        .at(22.0, Action::ListServers(&[2, 0])),
        scenario(
            "server-silent-and-back",
            "the only server falls silent for 15 s and comes back with 4 ms more, as declared",
            45,
        )
        .at(12.0, Action::Server(0, |server| server.silent = true))
        .at(
            27.0,
            Action::Server(0, |server| {
                server.silent = false;
                server.time_error_ns = 4 * MS;
                server.root_dispersion = 0.005;
            }),
        ),
        scenario(
            "one-of-three-silent-and-back",
            "the selected one of 3 servers falls silent for 25 s and comes back",
            50,
        )
        .another_server(middling)
        .another_server(|server| {
            server.root_dispersion = 0.006;
            server.time_error_ns = -5 * MS;
        })
        .at(10.0, Action::Server(0, |server| server.silent = true))
        .at(35.0, Action::Server(0, |server| server.silent = false)),
    ]
}

/// A pool whose members are replaced: two are used, which its name stands for at first, and two others are there.
fn pools() -> Vec<Scenario> {
    let pool = |name, about| {
        let member = |server: &mut ServerBehaviour| server.root_dispersion = 0.003;
        Scenario::new(name, about, 35)
            .expecting(Expect::Kept)
            .pool("maxsources 2 iburst minpoll 0 maxpoll 0")
            .server(member)
            .listed(Listed::InPool)
            .another_server(member)
            .listed(Listed::InPool)
            .another_server(|server| {
                server.root_dispersion = 0.003;
                server.time_error_ns = 2 * MS;
            })
            .listed(Listed::Later)
            .another_server(|server| {
                server.root_dispersion = 0.003;
                server.time_error_ns = -2 * MS;
            })
            .listed(Listed::Later)
    };
    vec![
        pool(
            "pool-refreshed",
            "a pool is refreshed twice, and 2 others of 4 servers are used, whose time is off as declared",
        )
        .at(8.0, Action::NamePool(&[0, 1, 2, 3]))
        .at(12.0, Action::Chronyc("refresh"))
        .at(22.0, Action::Chronyc("refresh")),
        pool(
            "pool-renamed",
            "a pool's name stands for other servers, whose time is off as declared, and it is refreshed",
        )
        .at(8.0, Action::NamePool(&[2, 3]))
        .at(12.0, Action::Chronyc("refresh")),
        pool(
            "pool-servers-die",
            "the servers of a pool die, and chronyd replaces them by others",
        )
        .lasting(50)
        .at(8.0, Action::NamePool(&[2, 3]))
        .at(12.0, Action::Server(0, |server| server.silent = true))
        .at(12.0, Action::Server(1, |server| server.silent = true)),
    ]
}

/// A selected source that is dead while others answer. chronyd keeps it selected until its last sample is older than all
/// samples that are kept of the others: `minsamples 64` keeps them for 64 polls.
fn silences() -> Vec<Scenario> {
    let dies = Action::Server(0, |server| server.silent = true);
    vec![
        dead_preferred(
            "dead-preferred-server",
            "a preferred server is dead and stays selected, another one answers",
            "iburst minpoll -2 maxpoll -2 prefer",
            "iburst minpoll 0 maxpoll 0 minsamples 64",
        )
        .at(15.0, dies),
        dead_preferred(
            "dead-preferred-server-each-second",
            "a preferred server is dead and stays selected, both are polled each second",
            "iburst minpoll 0 maxpoll 0 prefer",
            "iburst minpoll 0 maxpoll 0 minsamples 64",
        )
        .at(12.0, dies),
        dead_preferred(
            "dead-preferred-server-among-four",
            "a preferred server is dead and stays selected, three others answer",
            "iburst minpoll -1 maxpoll -1 prefer",
            "iburst minpoll 0 maxpoll 0 minsamples 64",
        )
        .another_server(|server| server.root_dispersion = 0.002)
        .options("iburst minpoll 0 maxpoll 0 minsamples 64")
        .another_server(|server| server.root_dispersion = 0.003)
        .options("iburst minpoll 0 maxpoll 0 minsamples 64")
        .at(15.0, dies),
        dead_preferred(
            "dead-preferred-server-on-a-drifting-clock",
            "a preferred server is dead and stays selected, and the clock loses 40 us a second",
            "iburst minpoll -2 maxpoll -2 prefer",
            "iburst minpoll 0 maxpoll 0 minsamples 64",
        )
        .course(Course {
            offset_ns: 3 * MS,
            drift_ppb: 40_000,
            ..Course::default()
        })
        .at(15.0, dies),
    ]
}

fn dead_preferred(
    name: &'static str,
    about: &'static str,
    preferred: &'static str,
    other: &'static str,
) -> Scenario {
    Scenario::new(name, about, 45)
        .expecting(Expect::Kept)
        .daemon_args(&["--holdover", "8s"])
        .options(preferred)
        .another_server(|server| server.root_dispersion = 0.001)
        .options(other)
}
