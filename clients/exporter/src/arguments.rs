//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;
use clap::builder::{PathBufValueParser, TypedValueParser};
use clockbound_client::DEFAULT_DIRECTORY;

use crate::textfile;

/// The default of `--listen`. No exporter that Prometheus lists has this port.
const DEFAULT_ADDRESS: &str = "127.0.0.1:19123";
/// What a path after `--listen` begins with.
const UNIX: &str = "unix:";

/// Serves the diagnostics of clockbound as metrics for Prometheus
#[derive(Debug, Parser)]
#[command(name = "clockbound-exporter", version)]
pub struct Arguments {
    /// Directory in which the daemon publishes
    #[arg(long, value_name = "PATH", default_value = DEFAULT_DIRECTORY)]
    pub directory: PathBuf,

    /// Address and port to serve metrics on, or unix:PATH for a unix socket. A socket that systemd
    /// passes takes precedence
    #[arg(long, value_name = "ADDRESS", value_parser = address, default_value = DEFAULT_ADDRESS)]
    pub listen: Address,

    /// Permits an address that is not a loopback address. The metrics are neither encrypted nor
    /// protected by a password, and contain the addresses of the time sources
    #[arg(long)]
    pub allow_remote: bool,

    /// Mode of the unix socket, in octal
    #[arg(long, value_name = "MODE", value_parser = mode, default_value = "660")]
    pub socket_mode: u32,

    /// Writes the metrics once to this file, for the textfile collector of node_exporter, and
    /// exits. The name must end in .prom
    #[arg(
        long,
        value_name = "PATH",
        value_parser = PathBufValueParser::new().try_map(textfile::check),
        conflicts_with_all = ["listen", "allow_remote", "socket_mode"],
    )]
    pub textfile: Option<PathBuf>,
}

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// An address of this host.
    Tcp(SocketAddr),
    /// The path of a unix socket.
    Unix(PathBuf),
}

fn address(text: &str) -> Result<Address, String> {
    if let Some(path) = text.strip_prefix(UNIX) {
        return if path.starts_with('/') {
            Ok(Address::Unix(path.into()))
        } else {
            Err("give an absolute path after unix:".to_owned())
        };
    }
    match text.parse() {
        Ok(address) => Ok(Address::Tcp(address)),
        Err(_) => Err(format!(
            "give an address with a port, such as {DEFAULT_ADDRESS} or [::1]:19123, or unix:PATH"
        )),
    }
}

fn mode(text: &str) -> Result<u32, String> {
    match u32::from_str_radix(text, 8) {
        Ok(mode) if mode <= 0o777 => Ok(mode),
        _ => Err("give an octal mode from 0 to 777".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Arguments, String> {
        let line = ["clockbound-exporter"].iter().chain(arguments);
        Arguments::try_parse_from(line).map_err(|err| err.to_string())
    }

    #[test]
    fn the_default_is_a_loopback_address() {
        let arguments = parse(&[]).unwrap();
        let Address::Tcp(address) = arguments.listen else {
            panic!("{arguments:?}")
        };
        assert!(address.ip().is_loopback());
        assert!(!arguments.allow_remote);
    }

    #[test]
    fn addresses_and_paths_of_sockets_are_accepted() {
        for (text, expected) in [
            ("[::1]:1", Address::Tcp("[::1]:1".parse().unwrap())),
            ("0.0.0.0:9", Address::Tcp("0.0.0.0:9".parse().unwrap())),
            ("unix:/run/a", Address::Unix("/run/a".into())),
        ] {
            assert_eq!(parse(&["--listen", text]).unwrap().listen, expected);
        }
        for text in [
            "",
            "19123",
            ":19123",
            "localhost:1",
            "unix:",
            "unix:a",
            "/run/a",
        ] {
            let message = parse(&["--listen", text]).unwrap_err();
            assert!(message.contains("--listen <ADDRESS>"), "{message}");
        }
    }

    #[test]
    fn modes_are_octal() {
        assert_eq!(
            parse(&["--socket-mode", "0600"]).unwrap().socket_mode,
            0o600
        );
        for text in ["", "rw", "8", "1000", "-1"] {
            assert!(parse(&["--socket-mode", text]).is_err(), "{text}");
        }
    }

    #[test]
    fn a_text_file_is_not_combined_with_options_of_the_server() {
        assert!(parse(&["--textfile", "/run/a.prom", "--directory", "/run/b"]).is_ok());
        assert!(parse(&["--textfile", "/run/a.txt"]).is_err());
        for option in [&["--listen", "127.0.0.1:1"][..], &["--allow-remote"]] {
            let line = [&["--textfile", "/run/a.prom"][..], option].concat();
            assert!(parse(&line).is_err(), "{option:?}");
        }
    }
}

#[cfg(test)]
mod documents;
