use tokio::io::{DuplexStream, duplex};

use super::*;
use crate::backend::runtime::block_on;
use crate::backend::sftp::protocol::requests::Mode;
use crate::backend::sftp::protocol::wait::{PATIENCE, SETTLE_PATIENCE};

/// A server that is played by a test.
struct Server(DuplexStream);

impl Server {
    /// Returns a server and the stream to it.
    fn new() -> (Self, Stream) {
        let (near, far) = duplex(1 << 16);
        let (reader, writer) = tokio::io::split(near);
        let (reader, writer) = (Box::new(reader), Box::new(writer));
        (Self(far), Stream { reader, writer, transport: Transport::Bare })
    }

    async fn greet(&mut self) {
        let mut hello = [0; 9];
        self.0.read_exact(&mut hello).await.expect("a greeting");
        assert_eq!(hello, [0, 0, 0, 5, code::INIT, 0, 0, 0, 3]);
        self.0.write_all(&[0, 0, 0, 5, code::VERSION, 0, 0, 0, 3]).await.expect("it is sent");
    }

    /// Reads a request; returns its type, number and fields.
    async fn request(&mut self) -> (u8, u32, Vec<u8>) {
        let (id, reply) = read_packet(&mut self.0).await.expect("a request");
        (reply.kind, id, reply.body)
    }

    async fn answer(&mut self, id: u32, answer: Request) {
        self.0.write_all(&answer.into_packet(id)).await.expect("it is sent");
    }
}

#[test]
fn what_is_no_server_of_this_protocol_is_recognised() {
    for bytes in
        [&b"Welcome to this machine!\n"[..], b"\0\0\0\x05\x02\0\0\0\x02", b"\0\0\0\x01\x02"]
    {
        let kind = block_on(async {
            let (mut server, stream) = Server::new();
            server.0.write_all(bytes).await.expect("it is sent");
            Session::open(stream).await.map(drop).map_err(|error| error.kind())
        });
        assert_eq!(kind, Err(io::ErrorKind::InvalidData));
    }
}

#[test]
fn answers_in_any_order_find_their_requests() {
    block_on(async {
        let (mut server, stream) = Server::new();
        let (session, ()) = tokio::join!(Session::open(stream), server.greet());
        let session = session.expect("a session");
        let played = async {
            let (first, second) = (server.request().await, server.request().await);
            for (kind, id, path) in [second, first] {
                assert_eq!(kind, code::STAT);
                let size = u64::from(path[path.len() - 1]);
                server.answer(id, Request::new(code::ATTRS, 16).u32(1).u64(size)).await;
            }
        };
        let (a, b, ()) = tokio::join!(session.stat("a"), session.stat("b"), played);
        let size = |found: io::Result<Option<super::super::packet::Attributes>>| {
            found.expect("an answer").expect("it is there").size
        };
        assert_eq!((size(a), size(b)), (Some(97), Some(98)));
    });
}

#[test]
fn handles_are_any_bytes() {
    block_on(async {
        let (mut server, stream) = Server::new();
        let (session, ()) = tokio::join!(Session::open(stream), server.greet());
        let session = session.expect("a session");
        let given = [0, 0, 0, 0x80, 0xff];
        let played = async {
            let (_, id, _) = server.request().await;
            server.answer(id, Request::new(code::HANDLE, 16).string(&given)).await;
        };
        let (handle, ()) = tokio::join!(session.open_file("a", Mode::Read), played);
        assert_eq!(handle.expect("a handle").bytes(), given);
    });
}

#[test]
fn a_connection_that_ends_fails_all_its_requests_and_later_ones() {
    block_on(async {
        let (mut server, stream) = Server::new();
        let (session, ()) = tokio::join!(Session::open(stream), server.greet());
        let session = session.expect("a session");
        let played = async {
            server.request().await;
            drop(server);
        };
        let (found, ()) = tokio::join!(session.stat("a"), played);
        let error = found.expect_err("nobody answers");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset, "{error}");
        assert!(!session.is_alive());
        assert!(session.stat("b").await.is_err());
    });
}

#[test]
fn to_close_what_was_read_does_not_make_others_wait_longer_for_a_server_that_is_stuck() {
    block_on(async {
        let (mut server, stream) = Server::new();
        let (session, ()) = tokio::join!(Session::open(stream), server.greet());
        let session = session.expect("a session");
        let played = async {
            let (_, id, _) = server.request().await;
            server.answer(id, Request::new(code::HANDLE, 16).string(b"handle")).await;
        };
        let (handle, ()) = tokio::join!(session.open_file("a", Mode::Read), played);
        let handle = handle.expect("a handle");
        let longest = || session.shared.lock().waiters.values().map(|one| one.patience).max();
        let _read = session.close_unwritten(&handle).await.expect("it is sent");
        assert_eq!(longest(), Some(PATIENCE));
        let _written = session.close(&handle).await.expect("it is sent");
        assert_eq!(longest(), Some(SETTLE_PATIENCE));
    });
}

#[test]
fn an_answer_of_absurd_length_ends_the_session() {
    block_on(async {
        let (mut server, stream) = Server::new();
        let (session, ()) = tokio::join!(Session::open(stream), server.greet());
        let session = session.expect("a session");
        let played = async {
            server.request().await;
            let absurd = [0x7f, 0xff, 0xff, 0xff, code::DATA, 0, 0, 0, 1];
            server.0.write_all(&absurd).await.expect("it is sent");
        };
        let (found, ()) = tokio::join!(session.stat("a"), played);
        assert_eq!(found.expect_err("it is no answer").kind(), io::ErrorKind::InvalidData);
    });
}

#[test]
fn a_list_that_repeats_itself_without_end_is_an_error() {
    block_on(async {
        let (mut server, stream) = Server::new();
        let (session, ()) = tokio::join!(Session::open(stream), server.greet());
        let session = session.expect("a session");
        let played = async {
            loop {
                let (kind, id, _) = server.request().await;
                let answer = match kind {
                    code::OPENDIR => Request::new(code::HANDLE, 16).string(b"handle"),
                    code::READDIR => {
                        let names = Request::new(code::NAME, 64).u32(1);
                        names.string(b"name").string(b"-rw-r--r-- name").u32(0)
                    }
                    _ => Request::new(code::STATUS, 32).u32(0).string(b"").string(b""),
                };
                server.answer(id, answer).await;
            }
        };
        let listed = tokio::select! {
            listed = crate::backend::sftp::protocol::listing::list_raw(&session, "folder") => listed,
            () = played => unreachable!("it plays on"),
        };
        let error = listed.expect_err("it does not end");
        assert!(error.to_string().contains("repeats itself"), "{error}");
    });
}
