//! A scraper, the exporter, and a real Prometheus.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use integration::host::process::{Exit, Log, Process};
use integration::host::sandbox::Sandbox;
use integration::host::wait::{self, PATIENCE};
use integration::programs::tools;
use serde_json::Value;

/// What Prometheus 2.42 sends.
pub const OPEN_METRICS: &str = "application/openmetrics-text;version=1.0.0,\
    application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";

/// The directory of the alert rules and the dashboard.
pub fn monitoring() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/monitoring")
}

/// A response.
#[derive(Clone, Debug)]
pub struct Response {
    pub status: u16,
    /// Status line and headers, in lower case.
    pub head: String,
    pub body: String,
}

/// Sends a request, its head without the last empty line, and reads to the end of the connection.
pub fn exchange(mut stream: impl Read + Write, request: &str) -> io::Result<Response> {
    stream.write_all(format!("{request}\r\n\r\n").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
    Ok(Response {
        status: status.ok_or_else(|| io::Error::other(answer.clone()))?,
        head: head.to_ascii_lowercase(),
        body: body.to_owned(),
    })
}

pub fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Requests a path with GET. HTTP/1.0, so that the response is not sent in chunks.
pub fn get(address: SocketAddr, path: &str, headers: &[&str]) -> io::Result<Response> {
    let mut request = format!("GET {path} HTTP/1.0");
    for header in headers {
        request.push_str("\r\n");
        request.push_str(header);
    }
    exchange(connect(address)?, &request)
}

/// An address that nobody listens on.
pub fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("its address")
}

/// A running exporter.
#[derive(Debug)]
pub struct Exporter {
    pub address: SocketAddr,
    process: Process,
}

impl Exporter {
    /// Starts one for the daemon that publishes in `directory`, and waits until it serves.
    pub fn start(directory: &Path) -> Exporter {
        let address = free_address();
        let mut command = Command::new(tools::clockbound_exporter());
        command.arg("--directory").arg(directory);
        command.args(["--listen", &address.to_string()]);
        let process = Process::start("clockbound-exporter", command, Log::Kept);
        wait::until(PATIENCE, "the exporter serves", || connect(address).is_ok());
        Exporter { address, process }
    }

    pub fn metrics(&self) -> String {
        let response = get(self.address, "/metrics", &[]).expect("a response");
        assert_eq!(response.status, 200, "{response:?}");
        response.body
    }

    /// Waits until the metrics have this line.
    #[track_caller]
    pub fn wait_for(&self, line: &str) -> String {
        let mut last = String::new();
        let found = wait::within(PATIENCE, || {
            last = self.metrics();
            last.lines().any(|other| other == line).then_some(())
        });
        assert!(found.is_some(), "no {line} in:\n{last}");
        last
    }

    pub fn pid(&self) -> i32 {
        self.process.pid()
    }

    pub fn log(&self) -> Vec<String> {
        self.process.log()
    }

    pub fn terminate(&mut self) -> Exit {
        self.process.terminate()
    }
}

/// A running Prometheus with the configuration, the rules and the dashboard of docs/monitoring.
#[derive(Debug)]
pub struct Prometheus {
    address: SocketAddr,
    _process: Process,
}

impl Prometheus {
    /// Starts one that scrapes `target` and evaluates the rules once a second.
    pub fn start(sandbox: &Sandbox, target: SocketAddr) -> Prometheus {
        let configuration = fs::read_to_string(monitoring().join("prometheus.yml"))
            .expect("the example")
            .replace("127.0.0.1:19123", &target.to_string())
            .replace("15s", "1s");
        assert!(configuration.contains(&target.to_string()) && configuration.contains("1s"));
        let rules = fs::read(monitoring().join("clockbound.rules.yml")).expect("the rules");
        sandbox.write("prometheus/clockbound.rules.yml", rules);
        let configuration = sandbox.write(
            "prometheus/prometheus.yml",
            format!("global:\n  evaluation_interval: 1s\n{configuration}"),
        );
        let address = free_address();
        let mut command = Command::new("prometheus");
        command
            .arg(format!("--config.file={}", configuration.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                sandbox.path("prometheus/data").display()
            ))
            .arg(format!("--web.listen-address={address}"));
        let process = Process::start("prometheus", command, Log::Kept);
        let ready = wait::within(PATIENCE, || {
            get(address, "/-/ready", &[])
                .is_ok_and(|response| response.status == 200)
                .then_some(())
        });
        assert!(
            ready.is_some(),
            "prometheus does not start:\n{}",
            process.log().join("\n")
        );
        Prometheus {
            address,
            _process: process,
        }
    }

    /// The field `data` of the response of its API, or the error that it reports.
    pub fn api(&self, path: &str) -> Result<Value, String> {
        let response = get(self.address, path, &[]).map_err(|err| err.to_string())?;
        let mut json: Value =
            serde_json::from_str(&response.body).map_err(|err| err.to_string())?;
        if json["status"] == "success" {
            Ok(json["data"].take())
        } else {
            Err(json["error"].to_string())
        }
    }

    /// The samples of an expression at the present.
    pub fn query(&self, expression: &str) -> Result<Vec<Value>, String> {
        let data = self.api(&format!(
            "/api/v1/query?query={}",
            percent_encoded(expression)
        ))?;
        data["result"]
            .as_array()
            .cloned()
            .ok_or_else(|| format!("no vector: {data}"))
    }
}

fn percent_encoded(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}
