//! The exporter beside the daemon, a real chronyd and a real Prometheus.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use clockbound_client::diagnostics::{self, BUDGET_TERMS};
use integration::fakes::ntp_server::NtpServer;
use integration::host::container::Root;
use integration::host::namespace;
use integration::host::process::{Log, Process};
use integration::host::sandbox::{Sandbox, mode_of, names_in};
use integration::host::wait::{self, PATIENCE};
use integration::observe::publications::Publications;
use integration::programs::chronyd::server_line;
use integration::programs::tools::{self, Ended};
use integration::setup::testbed::Testbed;
use integration::time::truth::Truth;
use serde_json::Value;

mod scraping;

use scraping::{
    Exporter, OPEN_METRICS, Prometheus, connect, exchange, free_address, get, monitoring,
};

const BIN: &str = env!("CARGO_BIN_EXE_clockbound");
const UNIT: &str = "clockbound-exporter.service";
/// The largest permitted exposure level of `systemd-analyze security`.
const EXPOSURE: f64 = 0.2;
/// An address that is not a loopback address.
const REMOTE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

/// The directory in which the daemon of a test publishes.
fn directory(bed: &Testbed) -> PathBuf {
    bed.shm().parent().expect("a directory").to_owned()
}

/// Whether the program is installed; says so if it is not.
fn is_installed(test: &str, program: &str) -> bool {
    let found = Command::new(program)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok();
    if !found {
        let _ = writeln!(io::stdout(), "skipped: {test}: {program} is not installed");
    }
    found
}

/// Runs promtool on a text.
fn promtool(words: &[&str], input: &str) -> Ended {
    let mut child = Command::new("promtool")
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is installed");
    let mut stdin = child.stdin.take().expect("standard input is piped");
    stdin.write_all(input.as_bytes()).expect("promtool reads");
    drop(stdin);
    let output = child.wait_with_output().expect("promtool ends");
    Ended {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// The samples of a family as units of the ninth digit.
fn nanos_of(metrics: &str, name: &str) -> Vec<i64> {
    let samples = metrics.lines().filter(|line| {
        line.strip_prefix(name)
            .is_some_and(|rest| rest.starts_with(['{', ' ']))
    });
    samples
        .map(|line| {
            let value = line.rsplit(' ').next().expect("a value");
            let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
            let digits = format!("{}{fraction:0<9}", whole.trim_start_matches('-'));
            let magnitude: i64 = digits.parse().expect("a number");
            if whole.starts_with('-') {
                -magnitude
            } else {
                magnitude
            }
        })
        .collect()
}

#[test]
fn the_metrics_are_those_of_the_daemon_and_promtool_accepts_them() {
    let bed = Testbed::new();
    let _daemon = bed.start(BIN);
    let exporter = Exporter::start(&directory(&bed));
    exporter.wait_for(r#"clockbound_status{clockbound_status="synchronized"} 1"#);
    // Once a source has been listed.
    let source = bed.server.address().ip();
    let followed = format!(r#"clockbound_source_followed{{source="{source}"}} 1"#);
    let metrics = exporter.wait_for(&followed);
    let bound = nanos_of(&metrics, "clockbound_bound_seconds");
    let components = nanos_of(&metrics, "clockbound_bound_component_seconds");
    assert!(bound[0] > 0, "{metrics}");
    assert_eq!(bound, [components.iter().sum::<i64>()], "{metrics}");
    for line in [
        "clockbound_up 1",
        "clockbound_max_drift_ratio 0.00005",
        "clockbound_sources 1",
        "clockbound_simulated 0",
        r#"clockbound_reason{clockbound_reason="tracking"} 1"#,
    ] {
        assert!(
            metrics.lines().any(|other| other == line),
            "{line}: {metrics}"
        );
    }
    if is_installed("the_metrics_are_those_of_the_daemon", "promtool") {
        let checked = promtool(&["check", "metrics"], &metrics);
        assert_eq!(
            (
                checked.code,
                checked.stdout.as_str(),
                checked.stderr.as_str()
            ),
            (Some(0), "", "")
        );
    }
}

#[test]
fn the_alert_rules_are_valid_and_pass_their_tests() {
    if !is_installed("the_alert_rules_are_valid_and_pass_their_tests", "promtool") {
        return;
    }
    for words in [
        ["check", "rules", "clockbound.rules.yml"],
        ["test", "rules", "clockbound.rules.test.yml"],
        ["check", "config", "prometheus.yml"],
    ] {
        let mut command = Command::new("promtool");
        command.args(words).current_dir(monitoring());
        let ended = tools::run(command);
        assert_eq!(ended.code, Some(0), "{words:?}: {ended:?}");
    }
    // Each rule has a test.
    let rules = fs::read_to_string(monitoring().join("clockbound.rules.yml")).expect("the rules");
    let tests = fs::read_to_string(monitoring().join("clockbound.rules.test.yml"))
        .expect("the tests of the rules");
    for line in rules.lines() {
        if let Some((_, name)) = line.split_once("- alert: ") {
            assert!(tests.contains(name), "{name} has no test");
        }
    }
}

#[test]
fn prometheus_evaluates_every_rule_and_finds_data_for_every_query_of_the_dashboard() {
    const NAME: &str =
        "prometheus_evaluates_every_rule_and_finds_data_for_every_query_of_the_dashboard";
    if !is_installed(NAME, "prometheus") {
        return;
    }
    let bed = Testbed::new();
    let mut daemon = bed.start(BIN);
    let exporter = Exporter::start(&directory(&bed));
    let prometheus = Prometheus::start(&bed.sandbox, exporter.address);
    wait::until(PATIENCE, "prometheus scrapes the exporter", || {
        prometheus
            .query(r#"up{job="clockbound"} == 1"#)
            .is_ok_and(|samples| samples.len() == 1)
    });
    // Only OpenMetrics has this type.
    let metadata = wait::until_some(PATIENCE, "prometheus has metadata", || {
        let metadata = prometheus
            .api("/api/v1/metadata?metric=clockbound_status")
            .ok()?;
        metadata["clockbound_status"][0]["type"]
            .as_str()
            .map(str::to_owned)
    });
    assert_eq!(metadata, "stateset");

    let queries = queries_of_the_dashboard(exporter.address);
    assert!(queries.len() > 40, "{queries:?}");
    for query in &queries {
        let mut last = Ok(Vec::new());
        let found = wait::within(PATIENCE, || {
            last = prometheus.query(query);
            last.as_ref()
                .is_ok_and(|samples| !samples.is_empty())
                .then_some(())
        });
        assert!(found.is_some(), "no data for {query}: {last:?}");
    }

    let rules = wait::until_some(PATIENCE, "prometheus evaluates every rule", || {
        let data = prometheus.api("/api/v1/rules").ok()?;
        let rules = data["groups"][0]["rules"].as_array()?.clone();
        let is_evaluated = |rule: &Value| rule["health"] != "unknown";
        rules.iter().all(is_evaluated).then_some(rules)
    });
    assert!(rules.len() > 10, "{rules:?}");
    for rule in &rules {
        assert_eq!(rule["health"], "ok", "{rule}");
    }
    let alert = r#"ALERTS{alertname="ClockBoundDown"}"#;
    assert_eq!(prometheus.query(alert), Ok(Vec::new()));
    daemon.kill();
    wait::until(PATIENCE, "the alert about the daemon is pending", || {
        prometheus
            .query(alert)
            .is_ok_and(|samples| samples.len() == 1)
    });
    println!(
        "{} queries have data, {} rules are evaluated",
        queries.len(),
        rules.len()
    );
}

/// The queries of the panels and of the variables.
fn queries_of_the_dashboard(instance: SocketAddr) -> BTreeSet<String> {
    let text =
        fs::read_to_string(monitoring().join("clockbound.dashboard.json")).expect("the dashboard");
    let dashboard: Value = serde_json::from_str(&text).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let targets = panels
        .iter()
        .flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    let expressions = targets.map(|target| target["expr"].as_str().expect("an expression"));
    // label_values(SELECTOR, LABEL)
    let variables = dashboard["templating"]["list"]
        .as_array()
        .expect("variables");
    let selectors = variables.iter().filter_map(|variable| {
        let query = variable["query"]["query"].as_str()?;
        let (selector, _) = query.strip_prefix("label_values(")?.rsplit_once(", ")?;
        Some(selector)
    });
    expressions
        .chain(selectors)
        .map(|query| {
            let query = query
                .replace("$instance", &instance.to_string())
                .replace("$job", "clockbound")
                .replace("$__rate_interval", "10s");
            assert!(!query.contains('$'), "{query}");
            query
        })
        .collect()
}

#[test]
fn scrapes_change_neither_the_publication_interval_nor_the_bound() {
    const PUBLICATIONS: u64 = 20;
    const ROUNDS: usize = 4;
    let bed = Testbed::new();
    let _daemon = bed.start(BIN);
    let directory = directory(&bed);
    let exporter = Exporter::start(&directory);
    exporter.wait_for("clockbound_up 1");
    let publications = Publications::watch(&bed.shm());
    // Alternately with and without scrapes, so that other load of the machine is in both.
    let mut spans = [Duration::ZERO; 2];
    // The least of each: other load makes the bound wider now and then.
    let mut bounds = [i64::MAX; 2];
    let mut scrapes = 0_u64;
    for round in 0..2 * ROUNDS {
        let is_scraped = round % 2 == 1;
        publications.next();
        let (start, first) = (Instant::now(), publications.count());
        let mut due = start;
        wait::until(PATIENCE, "the daemon publishes", || {
            if is_scraped && Instant::now() >= due {
                due += Duration::from_millis(10);
                exporter.metrics();
                scrapes += 1;
            }
            let record = diagnostics::read(&directory).expect("diagnostics").record;
            let bound = &mut bounds[usize::from(is_scraped)];
            *bound = (*bound).min((record.latest_ns - record.earliest_ns) / 2);
            publications.count() >= first + PUBLICATIONS
        });
        spans[usize::from(is_scraped)] += start.elapsed();
    }
    let [idle, scraped] = spans.map(|span| span.as_secs_f64());
    let rate = f64::from(u32::try_from(scrapes).expect("few")) / scraped;
    let ratio = scraped / idle;
    let [without, with] = bounds;
    println!(
        "{rate:.0} scrapes a second: the publication interval is {ratio:.3} of the one without, \
         the bound at least {with} ns, {without} ns without"
    );
    assert!(rate > 30.0, "{rate}");
    assert!((0.8..1.25).contains(&ratio), "{ratio}");
    assert!(with < 2 * without && without < 2 * with, "{with} {without}");
}

#[test]
fn a_stalled_scraper_is_cut_off_while_others_are_served() {
    let sandbox = Sandbox::new();
    let exporter = Exporter::start(&sandbox.dir("empty", 0o755));
    // One that sends nothing, and one that stops in the middle of the head.
    let silent = connect(exporter.address).expect("a connection");
    let mut half = connect(exporter.address).expect("a connection");
    half.write_all(b"GET /metrics HTTP/1.1\r\nHost: a\r\n")
        .expect("sent");
    exporter.metrics();
    for mut stalled in [silent, half] {
        let mut answer = Vec::new();
        // Closed or reset; a time-out would be of another kind.
        if let Err(err) = stalled.read_to_end(&mut answer) {
            assert_eq!(err.kind(), io::ErrorKind::ConnectionReset);
        }
        assert_eq!(String::from_utf8_lossy(&answer), "");
    }
    // As many as are served at once: the next one is served when they are cut off.
    let stalled: Vec<_> = (0..8)
        .map(|_| connect(exporter.address).expect("a connection"))
        .collect();
    exporter.metrics();
    drop(stalled);
}

#[test]
fn a_daemon_that_stops_is_down_until_it_is_started_again() {
    let bed = Testbed::new();
    let mut daemon = bed.start(BIN);
    let mut exporter = Exporter::start(&directory(&bed));
    exporter.wait_for("clockbound_up 1");
    daemon.terminate();
    let metrics = exporter.wait_for("clockbound_up 0");
    for name in [
        "clockbound_bound_seconds",
        "clockbound_sources",
        "clockbound_reports_total",
    ] {
        assert!(!metrics.contains(name), "{metrics}");
    }
    assert!(
        metrics.contains(r#"clockbound_status{clockbound_status="synchronized"} 0"#),
        "{metrics}"
    );
    let _again = bed.start(BIN);
    exporter.wait_for("clockbound_up 1");
    fs::remove_dir_all(directory(&bed)).expect("remove the run directory");
    exporter.wait_for("clockbound_up 0");
    // The daemon creates it again.
    exporter.wait_for("clockbound_up 1");
    assert!(
        exporter
            .log()
            .iter()
            .any(|line| line.contains("is clockbound running")),
        "{:?}",
        exporter.log()
    );
    assert_eq!(exporter.terminate().code, Some(0));
}

#[test]
fn other_requests_are_refused() {
    let sandbox = Sandbox::new();
    let exporter = Exporter::start(&sandbox.dir("empty", 0o755));
    let request = |head: &str| {
        exchange(connect(exporter.address).expect("a connection"), head).expect("a response")
    };
    let get_metrics = request("GET /metrics HTTP/1.1\r\nHost: a");
    assert_eq!(get_metrics.status, 200);
    assert!(
        get_metrics
            .head
            .contains("content-type: text/plain; version=0.0.4")
    );
    assert!(get_metrics.body.contains("clockbound_up 0\n"));
    let head = request("HEAD /metrics HTTP/1.1\r\nHost: a");
    let length = format!("content-length: {}", get_metrics.body.len());
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert!(head.head.contains(&length), "{head:?}");
    let open = get(
        exporter.address,
        "/metrics",
        &[&format!("Accept: {OPEN_METRICS}")],
    );
    let open = open.expect("a response");
    assert!(
        open.head
            .contains("application/openmetrics-text; version=1.0.0"),
        "{open:?}"
    );
    assert!(open.body.ends_with("# EOF\n"), "{open:?}");
    for path in ["/", "/metric", "/metrics/", "/../metrics"] {
        assert_eq!(
            request(&format!("GET {path} HTTP/1.1\r\nHost: a")).status,
            404,
            "{path}"
        );
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"] {
        let response = request(&format!("{method} /metrics HTTP/1.1\r\nHost: a"));
        assert_eq!(response.status, 405, "{method}");
        assert!(response.head.contains("allow: get, head"), "{response:?}");
    }
    let long = "a".repeat(10_000);
    assert_eq!(
        request(&format!("GET /metrics HTTP/1.1\r\nLong: {long}")).status,
        431
    );
    let many = "\r\nA: b".repeat(100);
    assert_eq!(request(&format!("GET /metrics HTTP/1.1{many}")).status, 431);
    assert_eq!(request("nonsense").status, 400);
}

/// Runs the exporter to its end.
fn run(words: &[&str]) -> Ended {
    let mut command = Command::new(tools::clockbound_exporter());
    command.args(words);
    tools::run(command)
}

#[test]
fn an_address_of_other_hosts_needs_an_option() {
    let any = format!("0.0.0.0:{}", free_address().port());
    let refused = run(&["--listen", &any]);
    assert_eq!(refused.code, Some(64), "{refused:?}");
    assert!(refused.stderr.contains("--allow-remote"), "{refused:?}");
    let mut command = Command::new(tools::clockbound_exporter());
    command.args(["--listen", &any, "--allow-remote"]);
    let _process = Process::start("clockbound-exporter", command, Log::Kept);
    let address: SocketAddr = any
        .replace("0.0.0.0", "127.0.0.1")
        .parse()
        .expect("an address");
    wait::until(PATIENCE, "the exporter serves", || {
        get(address, "/metrics", &[]).is_ok_and(|response| response.status == 200)
    });
    let taken = run(&["--listen", &any, "--allow-remote"]);
    assert_eq!(taken.code, Some(69), "{taken:?}");
}

#[test]
fn a_unix_socket_has_its_mode_and_is_removed_at_the_end() {
    let sandbox = Sandbox::new();
    let empty = sandbox.dir("empty", 0o755).to_string_lossy().into_owned();
    let path = sandbox.path("exporter.sock");
    let listen = format!("unix:{}", path.display());
    // What an exporter that was killed leaves.
    drop(UnixListener::bind(&path).expect("a socket"));
    let words = [
        "--directory",
        &empty,
        "--listen",
        &listen,
        "--socket-mode",
        "620",
    ];
    let mut command = Command::new(tools::clockbound_exporter());
    command.args(words);
    let mut process = Process::start("clockbound-exporter", command, Log::Kept);
    let stream = wait::until_some(PATIENCE, "the exporter serves", || {
        UnixStream::connect(&path).ok()
    });
    let response = exchange(stream, "GET /metrics HTTP/1.0").expect("a response");
    assert!(response.body.contains("clockbound_up 0\n"), "{response:?}");
    assert_eq!(mode_of(&path), 0o620);
    // A second one does not take it away.
    assert_eq!(run(&words).code, Some(69));
    assert!(UnixStream::connect(&path).is_ok());
    assert_eq!(process.terminate().code, Some(0));
    assert!(!path.exists());
    // A file that is no socket is left as it is.
    fs::write(&path, "a").expect("write");
    assert_eq!(run(&words).code, Some(69));
    assert_eq!(fs::read(&path).expect("read"), b"a");
}

#[test]
fn a_socket_of_systemd_takes_precedence() {
    const ACTIVATE: &str = "systemd-socket-activate";
    if !is_installed("a_socket_of_systemd_takes_precedence", ACTIVATE) {
        return;
    }
    let sandbox = Sandbox::new();
    let empty = sandbox.dir("empty", 0o755);
    let unused = sandbox.path("unused.sock");
    for (passed, allowed) in [("127.0.0.1", true), ("0.0.0.0", false)] {
        let port = free_address().port();
        let mut command = Command::new(ACTIVATE);
        command.args(["--listen", &format!("{passed}:{port}")]);
        command.arg(tools::clockbound_exporter());
        command.arg("--directory").arg(&empty);
        command.args(["--listen", &format!("unix:{}", unused.display())]);
        let mut process = Process::start(ACTIVATE, command, Log::Kept);
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        wait::until(PATIENCE, "the socket is there", || connect(address).is_ok());
        if allowed {
            let response = get(address, "/metrics", &[]).expect("a response");
            assert_eq!(response.status, 200);
            assert!(!unused.exists());
            assert_eq!(process.terminate().code, Some(0));
        } else {
            assert_eq!(process.wait().code, Some(64));
        }
    }
}

#[test]
fn a_text_file_is_replaced_by_one_of_the_present() {
    let bed = Testbed::new();
    let from = directory(&bed).to_string_lossy().into_owned();
    let collected = bed.sandbox.dir("collected", 0o755);
    let path = collected
        .join("clockbound.prom")
        .to_string_lossy()
        .into_owned();
    let words = ["--directory", &from, "--textfile", &path];
    let before = run(&words);
    assert_eq!(before.code, Some(0), "{before:?}");
    assert!(
        before.stderr.contains("is clockbound running"),
        "{before:?}"
    );
    assert!(
        fs::read_to_string(&path)
            .expect("the file")
            .contains("\nclockbound_up 0\n")
    );
    let _daemon = bed.start(BIN);
    let text = wait::until_some(PATIENCE, "the text file states a bound", || {
        assert_eq!(run(&words).code, Some(0));
        let text = fs::read_to_string(&path).expect("the file");
        text.contains("\nclockbound_bound_seconds ").then_some(text)
    });
    assert!(text.contains("\nclockbound_up 1\n"), "{text}");
    assert!(
        text.contains("# TYPE clockbound_reports_total counter\n"),
        "{text}"
    );
    assert_eq!(
        names_in(&collected),
        BTreeSet::from(["clockbound.prom".to_owned()])
    );
    assert_eq!(mode_of(Path::new(&path)), 0o644);
    let misnamed = collected
        .join("clockbound.txt")
        .to_string_lossy()
        .into_owned();
    assert_eq!(run(&["--textfile", &misnamed]).code, Some(64));
    let missing = collected
        .join("missing/a.prom")
        .to_string_lossy()
        .into_owned();
    assert_eq!(run(&["--textfile", &missing]).code, Some(73));
}

#[test]
fn node_exporter_serves_the_text_file() {
    const COLLECTOR: &str = "prometheus-node-exporter";
    if !is_installed("node_exporter_serves_the_text_file", COLLECTOR) {
        return;
    }
    let bed = Testbed::new();
    let _daemon = bed.start(BIN);
    let from = directory(&bed).to_string_lossy().into_owned();
    let collected = bed.sandbox.dir("collected", 0o755);
    let path = collected.join("clockbound.prom");
    let address = free_address();
    let mut command = Command::new(COLLECTOR);
    command.args(["--collector.disable-defaults", "--collector.textfile"]);
    command.arg(format!(
        "--collector.textfile.directory={}",
        collected.display()
    ));
    command.arg(format!("--web.listen-address={address}"));
    let _process = Process::start(COLLECTOR, command, Log::Kept);
    let words = ["--directory", &from, "--textfile", &path.to_string_lossy()];
    let metrics = wait::until_some(PATIENCE, "node_exporter serves a bound", || {
        assert_eq!(run(&words).code, Some(0));
        let metrics = get(address, "/metrics", &[]).ok()?.body;
        let is_served = metrics.contains("\nclockbound_bound_seconds ");
        is_served.then_some(metrics)
    });
    assert!(
        metrics.contains("\nnode_textfile_scrape_error 0\n"),
        "{metrics}"
    );
    let component = "clockbound_bound_component_seconds{";
    let components = metrics.lines().filter(|line| line.starts_with(component));
    assert_eq!(components.count(), BUDGET_TERMS.len(), "{metrics}");
}

#[test]
fn the_unit_is_hardened_and_serves_the_metrics_of_the_daemon() {
    const NAME: &str = "the_unit_is_hardened_and_serves_the_metrics_of_the_daemon";
    if !is_installed(NAME, "systemd-nspawn") {
        return;
    }
    // Outlives the namespaces and their mounts.
    let sandbox = Sandbox::new();
    namespace::private(|host| {
        host.loopback(&[REMOTE]);
        let server = NtpServer::start(&Truth::default());
        let root = Root::overlay(host, &sandbox);
        root.enable_chrony(&server_line(server.address()));
        for (program, name) in [
            (Path::new(BIN), "clockbound"),
            (tools::clockbound_exporter(), "clockbound-exporter"),
        ] {
            fs::copy(program, root.path(&format!("usr/bin/{name}"))).expect("copy a program");
        }
        for (source, destination) in [
            ("clockbound.service", "clockbound.service"),
            (
                "debian/10-debian.conf",
                "clockbound.service.d/10-debian.conf",
            ),
            ("clockbound-exporter.service", "clockbound-exporter.service"),
            ("clockbound-exporter.socket", "clockbound-exporter.socket"),
        ] {
            let source = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("systemd")
                .join(source);
            let text = fs::read(source).expect("read a unit");
            root.write(&format!("etc/systemd/system/{destination}"), text);
        }
        let container = root.boot();
        container.run(&["systemctl", "start", "clockbound.service"]);
        container.run(&["systemctl", "start", "clockbound-exporter.socket"]);
        assert_eq!(container.property(UNIT, "ActiveState"), "inactive");

        let address = SocketAddr::from(([127, 0, 0, 1], 19_123));
        let bound = wait::within(PATIENCE, || {
            let metrics = get(address, "/metrics", &[]).ok()?.body;
            metrics
                .contains("\nclockbound_bound_seconds ")
                .then_some(())
        });
        if bound.is_none() {
            let (_, journal) = container.try_run(&["journalctl", "--lines", "50"]);
            panic!("no bound:\n{journal}");
        }
        assert_eq!(container.property(UNIT, "ActiveState"), "active");
        assert_eq!(container.property(UNIT, "NRestarts"), "0");

        let text = container.run(&["systemd-analyze", "--no-pager", "security", UNIT]);
        let level = text
            .split_once(&format!("Overall exposure level for {UNIT}: "))
            .and_then(|(_, rest)| rest.split_whitespace().next()?.parse::<f64>().ok());
        println!("exposure: {level:?}");
        assert!(level.is_some_and(|level| level <= EXPOSURE), "{text}");
        container.run(&["systemctl", "stop", UNIT]);
        assert_eq!(container.property(UNIT, "Result"), "success");

        // For a scraper on another host, as the man page describes it.
        let allow = format!("IPAddressAllow={REMOTE}\n");
        let listen = format!("ListenStream=\nListenStream={REMOTE}:19123\n");
        let options = "CLOCKBOUND_EXPORTER_OPTIONS=--allow-remote\n";
        for (name, text) in [
            (
                "etc/systemd/system/clockbound-exporter.service.d/remote.conf",
                format!("[Service]\n{allow}"),
            ),
            (
                "etc/systemd/system/clockbound-exporter.socket.d/remote.conf",
                format!("[Socket]\n{listen}{allow}"),
            ),
            ("etc/default/clockbound-exporter", options.to_owned()),
        ] {
            let path = container.path(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("make directories");
            fs::write(path, text).expect("write a drop-in");
        }
        container.run(&["systemctl", "daemon-reload"]);
        container.run(&["systemctl", "restart", "clockbound-exporter.socket"]);
        let metrics = get(SocketAddr::from((REMOTE, 19_123)), "/metrics", &[]).expect("a response");
        assert!(metrics.body.contains("\nclockbound_up 1\n"), "{metrics:?}");
    });
}

#[test]
fn it_takes_little_memory() {
    const LIMIT_KIB: u64 = 6 * 1_024;
    let bed = Testbed::new();
    let _daemon = bed.start(BIN);
    let exporter = Exporter::start(&directory(&bed));
    exporter.wait_for("clockbound_up 1");
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..100).for_each(|_| drop(exporter.metrics())));
        }
    });
    let status = fs::read_to_string(format!("/proc/{}/status", exporter.pid())).expect("procfs");
    let peak_kib: u64 = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .expect("the peak");
    println!("peak of the resident memory: {peak_kib} KiB");
    assert!(peak_kib <= LIMIT_KIB, "{peak_kib} KiB");
}
