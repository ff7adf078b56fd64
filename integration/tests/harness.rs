//! Tests of the harness: fakes, chronyd and namespaces behave as the other tests assume.

use std::time::Duration;

use integration::fakes::candm::Report;
use integration::fakes::chronyd::{Answer, FakeChronyd};
use integration::fakes::ntp_server::NtpServer;
use integration::host::sandbox::Sandbox;
use integration::host::{namespace, wait};
use integration::programs::chronyd::{Chronyd, Tracking};
use integration::time::truth::Truth;

#[test]
fn chronyd_measures_the_offset_of_true_time() {
    for offset_ns in [5_000_000_i32, -5_000_000] {
        let sandbox = Sandbox::new();
        let truth = Truth::offset_by_ns(offset_ns.into());
        let server = NtpServer::start(&truth);
        server.set(|behaviour| behaviour.root_delay = 0.002);
        let mut chronyd = Chronyd::following(&sandbox, "chrony", server.address());
        let tracking = chronyd.start_synchronised().tracking().expect("a report");
        let error = tracking.correction - f64::from(offset_ns) / 1e9;
        assert!(error.abs() * 1e9 < tracking.bound_ns(), "{tracking:?}");
        assert!(tracking.root_delay >= 0.002, "{tracking:?}");
        assert_eq!(tracking.stratum, 2);
    }
}

#[test]
fn chronyd_synchronises_once_a_silent_server_replies() {
    let sandbox = Sandbox::new();
    let server = NtpServer::start(&Truth::default());
    let mut chronyd = Chronyd::following(&sandbox, "chrony", server.address());
    server.set(|behaviour| behaviour.silent = true);
    chronyd.start();
    assert!(!chronyd.is_synchronised());
    server.set(|behaviour| behaviour.silent = false);
    wait::until(wait::PATIENCE, "chronyd synchronises", || {
        chronyd.is_synchronised()
    });
}

#[test]
fn chronyd_restarts_after_stop_kill_and_suspension() {
    let sandbox = Sandbox::new();
    let server = NtpServer::start(&Truth::default());
    let mut chronyd = Chronyd::following(&sandbox, "chrony", server.address());
    chronyd.start_synchronised().stop();
    assert_eq!(chronyd.tracking(), None);
    chronyd.start_synchronised().kill();
    chronyd.start_synchronised().freeze();
    chronyd.thaw();
    assert!(chronyd.is_synchronised());
}

#[test]
fn chronyc_parses_replies_of_the_fake_chronyd() {
    let sandbox = Sandbox::new();
    let report = Report {
        correction: -0.079_8,
        root_delay: 0.000_25,
        root_dispersion: 1.5e-6,
        skew_ppm: 0.125,
        frequency_ppm: -13.5,
        ..Report::healthy()
    };
    let fake = FakeChronyd::reporting(&sandbox.chrony_dir("chrony"), move || report);
    let seen = tracking_of(&fake);
    assert_eq!(seen.refid, report.refid);
    assert_eq!(seen.stratum, report.stratum);
    assert_eq!(seen.leap, "Normal");
    let (seconds, nanoseconds) = report.ref_time;
    let ref_time = Duration::new(seconds, nanoseconds);
    assert!((seen.ref_time - ref_time.as_secs_f64()).abs() < 1e-6);
    let floats = [
        (seen.correction, report.correction),
        (seen.root_delay, report.root_delay),
        (seen.root_dispersion, report.root_dispersion),
        (seen.skew_ppm, report.skew_ppm),
        (seen.frequency_ppm, report.frequency_ppm),
    ];
    for (seen, sent) in floats {
        let rounding = sent.abs() * 2_f64.powi(-24) + 1e-9;
        assert!((seen - sent).abs() < rounding, "{seen} for {sent}");
    }
    fake.report(Report::unsynchronised);
    assert!(!tracking_of(&fake).is_synchronised());
}

#[test]
fn the_fake_chronyd_replies_to_new_requests_while_a_reply_is_delayed() {
    let sandbox = Sandbox::new();
    let dir = sandbox.chrony_dir("chrony");
    let fake = FakeChronyd::start(&dir, |request| {
        let after = Duration::from_millis(if request.attempt == 0 { 1500 } else { 0 });
        Answer::after(after, Report::healthy().reply_to(request))
    });
    assert!(tracking_of(&fake).is_synchronised());
    assert!(fake.requests() >= 2);
}

#[test]
fn a_private_namespace_has_its_own_addresses_and_paths() {
    let address = [80, 72, 67, 48].into();
    let refid = namespace::private(|host| {
        let sandbox = Sandbox::new();
        host.empty_run();
        host.loopback(&[address]);
        host.boot_id(&sandbox, "another");
        assert_eq!(std::fs::read_dir("/run").expect("list /run").count(), 0);
        let id =
            std::fs::read_to_string("/proc/sys/kernel/random/boot_id").expect("read the boot id");
        assert_eq!(id, "another\n");
        let server = NtpServer::start_at(&Truth::default(), address);
        let mut chronyd = Chronyd::following(&sandbox, "chrony", server.address());
        chronyd
            .start_synchronised()
            .tracking()
            .expect("a report")
            .refid
    });
    assert_eq!(refid.to_be_bytes(), *b"PHC0");
    assert!(std::fs::read_dir("/run").expect("list /run").count() > 0);
}

fn tracking_of(fake: &FakeChronyd) -> Tracking {
    integration::programs::chronyd::tracking_at(fake.socket()).expect("chronyc parses the reply")
}
