//! The link of the harness as a program, for the benchmark.
//!
//! `link PORT DELAY_MS MBIT`: carries connections to a port of this machine, with a delay in each direction and a rate
//! (0 without a limit). Prints its own port; for each line that it reads, prints connections, bytes up, bytes down and
//! round trips so far; ends with its input.

use std::io::{self, BufRead, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use yore_tests::{Link, Proxy};

fn main() -> ExitCode {
    let numbers = std::env::args().skip(1).map(|word| word.parse());
    match numbers.collect::<Result<Vec<u64>, _>>().as_deref() {
        Ok([port, delay, rate]) => match carry(*port as u16, *delay, *rate) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        },
        _ => ExitCode::from(2),
    }
}

fn carry(port: u16, delay: u64, rate: u64) -> io::Result<()> {
    let link = Link {
        delay: Duration::from_millis(delay),
        rate: (rate > 0).then_some(rate * 1_000_000),
        ..Link::DISTANT
    };
    let proxy = Proxy::start(SocketAddr::from((Ipv4Addr::LOCALHOST, port)), link);
    let mut out = io::stdout();
    writeln!(out, "{}", proxy.port())?;
    out.flush()?;
    for line in io::stdin().lock().lines() {
        line?;
        let counts = proxy.counts();
        let (up, down) = (counts.bytes_up, counts.bytes_down);
        writeln!(out, "{} {up} {down} {}", counts.connections, counts.round_trips)?;
        out.flush()?;
    }
    Ok(())
}
