//! Prints the interval once a second: `intervals [PATH [COUNT]]`. Without COUNT it does not end.

use std::error::Error;
use std::thread;
use std::time::Duration;

use clockbound_client::{Client, DEFAULT_DIRECTORY};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments
        .next()
        .unwrap_or_else(|| DEFAULT_DIRECTORY.to_owned());
    let count = arguments
        .next()
        .map_or(Ok(u64::MAX), |count| count.parse())?;
    let client = Client::open_at(path)?;
    for n in 0..count {
        if n > 0 {
            thread::sleep(Duration::from_secs(1));
        }
        let interval = client.now()?;
        let bound_us = interval.bound_ns().div_euclid(1_000);
        println!("{interval}  -+ {bound_us} us");
    }
    Ok(())
}
