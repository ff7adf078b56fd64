use super::*;

#[test]
fn without_diagnostics_only_the_exporter_and_that_the_daemon_is_down_are_stated() {
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        text(None, Format::OpenMetrics),
        format!(
            "# TYPE clockbound_exporter_build info\n\
             # HELP clockbound_exporter_build The version of the exporter.\n\
             clockbound_exporter_build_info{{version=\"{version}\"}} 1\n\
             # TYPE clockbound_up gauge\n\
             # HELP clockbound_up Whether the diagnostics of the daemon can be read and the daemon \
             renews them.\n\
             clockbound_up 0\n\
             # EOF\n"
        )
    );
}

#[test]
fn polling_intervals_are_powers_of_two() {
    for (exponent, seconds) in [
        (-7, "0.0078125"),
        (-4, "0.0625"),
        (0, "1"),
        (6, "64"),
        (24, "16777216"),
        (i8::MIN, "0.0078125"),
        (i8::MAX, "16777216"),
    ] {
        assert_eq!(poll_interval(exponent), seconds);
    }
}

#[test]
fn sources_have_names_that_no_other_source_has() {
    let clock = |name: &[u8; 4]| SourceAddress::ReferenceClock(u32::from_be_bytes(*name));
    let addresses = [
        SourceAddress::V4([192, 0, 2, 1]),
        SourceAddress::V4([192, 0, 2, 1]),
        SourceAddress::V6(Ipv6Addr::LOCALHOST.octets()),
        SourceAddress::Unresolved,
        SourceAddress::Unresolved,
        clock(b"G\0\0\0"),
        clock(b"G#2\0"),
        clock(b"G\0\0\0"),
        clock(b"a\"\n\0"),
        clock(&[0; 4]),
    ];
    let sources = addresses.map(|address| Source {
        address,
        ..Source::default()
    });
    let names: Vec<_> = named(&sources).into_iter().map(|(name, _)| name).collect();
    assert_eq!(
        names,
        [
            "192.0.2.1",
            "192.0.2.1#2",
            "::1",
            "unresolved",
            "unresolved#2",
            "G",
            "G#2",
            "G#3",
            "61220A00",
            "00000000",
        ]
    );
}
