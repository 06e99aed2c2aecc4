//! The link of the harness: it carries what is sent, at its rate, and fails as it is told to.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use yore_tests::{Direction, Link, Proxy, noise, print_measured};

/// A server that sends back what it receives, for as long as the test runs.
fn echo_server() -> SocketAddr {
    serve(|mut client| {
        let mut buffer = vec![0; 64 << 10];
        while let Ok(length @ 1..) = client.read(&mut buffer) {
            if client.write_all(&buffer[..length]).is_err() {
                return;
            }
        }
    })
}

fn serve(answer: impl Fn(TcpStream) + Send + Clone + 'static) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address = listener.local_addr().expect("its address");
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let answer = answer.clone();
            thread::spawn(move || answer(client));
        }
    });
    address
}

fn connect(proxy: &Proxy) -> TcpStream {
    let stream = TcpStream::connect(proxy.address()).expect("it accepts");
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a limit");
    stream.set_nodelay(true).expect("no delay");
    stream
}

/// Sends a message and waits for its echo.
fn exchange(stream: &mut TcpStream, message: &[u8]) -> std::io::Result<()> {
    stream.write_all(message)?;
    let mut answer = vec![0; message.len()];
    stream.read_exact(&mut answer)?;
    assert_eq!(answer, message);
    Ok(())
}

#[test]
fn a_link_carries_bytes_unchanged_in_both_directions_and_counts_them() {
    let proxy =
        Proxy::start(echo_server(), Link { delay: Duration::from_millis(1), ..Link::DISTANT });
    let bytes = noise(3_000_000, 1);
    let mut stream = connect(&proxy);
    let mut writer = stream.try_clone().expect("a second handle");
    let sent = bytes.clone();
    let sender = thread::spawn(move || {
        writer.write_all(&sent).expect("sent");
        writer.shutdown(std::net::Shutdown::Write).expect("the end is sent, too");
    });
    let mut received = Vec::new();
    stream.read_to_end(&mut received).expect("received");
    sender.join().expect("sent");
    assert!(received == bytes);
    let mut other = connect(&proxy);
    for n in 0..5 {
        exchange(&mut other, &[n; 100]).expect("answered");
    }
    let counts = proxy.counts();
    assert_eq!((counts.connections, counts.bytes_up, counts.bytes_down), (2, 3_000_500, 3_000_500));
    assert!(counts.round_trips >= 6, "{counts:?}");
}

#[test]
fn a_connection_is_reset_after_the_bytes_that_were_chosen() {
    let proxy = Proxy::start(echo_server(), Link::UNSHAPED);
    let mut stream = connect(&proxy);
    exchange(&mut stream, b"before").expect("answered");
    proxy.reset_after(Direction::Up, 70_000);
    let before = proxy.counts().bytes_up;
    let failed = exchange(&mut stream, &noise(200_000, 1)).expect_err("reset");
    let kinds = [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe];
    assert!(kinds.contains(&failed.kind()), "{failed}");
    assert_eq!(proxy.counts().bytes_up - before, 70_000);
    exchange(&mut connect(&proxy), b"a new connection").expect("answered");
}

#[test]
fn an_answer_is_lost_although_the_request_arrived() {
    let proxy = Proxy::start(echo_server(), Link::UNSHAPED);
    let mut stream = connect(&proxy);
    proxy.lose_next_answer();
    let failed = exchange(&mut stream, b"a request").expect_err("no answer");
    assert_eq!(failed.kind(), ErrorKind::ConnectionReset, "{failed}");
    let counts = proxy.counts();
    assert_eq!((counts.bytes_up, counts.bytes_down), (9, 0));
    let mut stream = connect(&proxy);
    proxy.drop_answers();
    stream.write_all(b"another").expect("sent");
    while proxy.counts().bytes_lost < 7 {
        thread::yield_now();
    }
    proxy.deliver_answers();
    let failed = exchange(&mut stream, b"and another").expect_err("an answer is missing");
    assert_eq!(failed.kind(), ErrorKind::ConnectionReset, "{failed}");
    exchange(&mut connect(&proxy), b"a new connection").expect("answered");
}

#[test]
fn connections_are_refused_cut_and_stalled_on_command() {
    let proxy = Proxy::start(echo_server(), Link::UNSHAPED);
    let mut stream = connect(&proxy);
    exchange(&mut stream, b"before").expect("answered");
    proxy.refuse();
    let refused = TcpStream::connect(proxy.address()).expect_err("refused");
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    exchange(&mut stream, b"an old connection goes on").expect("answered");
    proxy.accept_again();
    exchange(&mut connect(&proxy), b"accepted again").expect("answered");
    proxy.stall();
    stream.write_all(b"waits").expect("sent");
    proxy.resume();
    let mut answer = [0; 5];
    stream.read_exact(&mut answer).expect("answered after the stall");
    proxy.stall();
    stream.write_all(b"is lost").expect("sent");
    proxy.cut();
    let failed = stream.read_exact(&mut answer).expect_err("cut");
    assert_eq!(failed.kind(), ErrorKind::ConnectionReset, "{failed}");
    proxy.resume();
    exchange(&mut connect(&proxy), b"a new connection").expect("answered");
}

/// Prints what the link of the benchmarks measures: a speed is not asserted.
#[test]
fn a_transfer_and_a_question_pass_the_distant_link() {
    let total = 12_500_000;
    let source = serve(move |mut client| {
        let _ = client.write_all(&vec![7; total]);
    });
    let proxy = Proxy::start(source, Link::DISTANT);
    let mut received = Vec::new();
    let mut stream = connect(&proxy);
    let mut first = [0; 1000];
    stream.read_exact(&mut first).expect("its beginning");
    let begin = Instant::now();
    stream.read_to_end(&mut received).expect("its end");
    let took = begin.elapsed();
    assert_eq!(received.len(), total - first.len());
    let rate = received.len() as f64 * 8.0 / took.as_secs_f64() / 1e6;
    let proxy = Proxy::start(echo_server(), Link::DISTANT);
    let mut stream = connect(&proxy);
    exchange(&mut stream, b"the handshake").expect("answered");
    let trip = |_| {
        let begin = Instant::now();
        exchange(&mut stream, b"?").expect("answered");
        begin.elapsed()
    };
    let mut trips: Vec<_> = (0..20).map(trip).collect();
    trips.sort();
    print_measured(format!(
        "{rate:.1} Mbit/s of 100; a round trip takes {:?} to {:?}, the median {:?}",
        trips[0], trips[19], trips[10]
    ));
}
