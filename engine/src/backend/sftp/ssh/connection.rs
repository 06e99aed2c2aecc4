//! SSH connections: through a proxy or other hosts to the server, with its key checked and the user logged in.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use russh::client::{self, Handle};
use russh::{ChannelMsg, Disconnect};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::authenticate::log_in;
use super::host_keys::HostKeys;
use super::options::{SftpOptions, SshHost};
use crate::backend::sftp::program::RunningProgram;
use crate::backend::sftp::transport::{Stream, Transport};

/// The period of silence after which the server is asked whether it is there.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// The unanswered questions after which it is not.
const UNANSWERED: usize = 3;

/// The bytes that the server may send before any of them was read.
const WINDOW: u32 = 4 << 20;

/// The largest piece of a stream in one packet, that of OpenSSH.
const PACKET: u32 = 32 << 10;

/// An error of an SSH connection, for the callbacks of its library.
#[derive(Debug)]
pub(super) struct SshError(pub io::Error);

impl From<russh::Error> for SshError {
    fn from(error: russh::Error) -> Self {
        Self(of_russh(error))
    }
}

impl From<io::Error> for SshError {
    fn from(error: io::Error) -> Self {
        Self(error)
    }
}

/// Connections through which an SFTP session runs, each through the one before.
pub(in super::super) struct SshConnection {
    connections: Vec<Handle<HostKeys>>,
    proxy: Option<RunningProgram>,
}

trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

impl SshConnection {
    /// Connects to the server and starts its SFTP subsystem.
    pub async fn open(options: &SftpOptions) -> io::Result<Stream> {
        let mut made = Self { connections: Vec::new(), proxy: None };
        match made.reach(options).await {
            Ok(stream) => {
                let (reader, writer) = tokio::io::split(stream);
                let (reader, writer) = (Box::new(reader), Box::new(writer));
                Ok(Stream { reader, writer, transport: Transport::Ssh(made) })
            }
            Err(error) => match made.proxy {
                // A proxy that ends says why.
                Some(mut proxy) if has_ended(&error) => Err(proxy.explain_start().await),
                _ => Err(error),
            },
        }
    }

    async fn reach(&mut self, options: &SftpOptions) -> io::Result<Box<dyn Duplex>> {
        let hosts: Vec<&SshHost> = options.jumps.iter().chain([&options.host]).collect();
        for host in hosts {
            let stream: Box<dyn Duplex> = match (self.connections.last(), &options.proxy) {
                (Some(jump), _) => {
                    let port = u32::from(host.port);
                    let address = host.address.clone();
                    let opened = jump.channel_open_direct_tcpip(address, port, "127.0.0.1", 0);
                    let channel = opened.await.map_err(|error| not_through(host, error))?;
                    Box::new(channel.into_stream())
                }
                (None, Some(proxy)) => {
                    let (output, input, running) = proxy.start()?;
                    self.proxy = Some(running);
                    Box::new(tokio::io::join(output, input))
                }
                (None, None) => Box::new(connect_tcp(host).await?),
            };
            let keys = HostKeys::of(host, options.unknown_hosts);
            let config = client::Config {
                preferred: keys.preferred()?,
                keepalive_interval: Some(KEEP_ALIVE),
                keepalive_max: UNANSWERED,
                window_size: WINDOW,
                maximum_packet_size: PACKET,
                nodelay: true,
                ..client::Config::default()
            };
            let connected = client::connect_stream(Arc::new(config), stream, keys).await;
            let mut connection = connected.map_err(io::Error::from)?;
            log_in(&mut connection, host).await?;
            self.connections.push(connection);
        }
        let server = self.connections.last().ok_or(io::ErrorKind::NotConnected)?;
        start_subsystem(server).await
    }

    /// Tells the hosts that the connections end.
    pub async fn disconnect(&mut self) {
        while let Some(connection) = self.connections.pop() {
            // A connection that is broken ends anyway.
            let _ = connection.disconnect(Disconnect::ByApplication, "", "").await;
        }
    }
}

/// Tells whether an error of a stream is that its other end has gone.
fn has_ended(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
}

async fn start_subsystem(server: &Handle<HostKeys>) -> io::Result<Box<dyn Duplex>> {
    let mut channel = server.channel_open_session().await.map_err(of_russh)?;
    channel.request_subsystem(true, "sftp").await.map_err(of_russh)?;
    loop {
        match channel.wait().await {
            Some(ChannelMsg::Success) => return Ok(Box::new(channel.into_stream())),
            Some(ChannelMsg::Failure) => {
                let text = "the server offers no SFTP to this user";
                return Err(io::Error::new(io::ErrorKind::Unsupported, text));
            }
            Some(ChannelMsg::Close | ChannelMsg::Eof) | None => {
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            Some(_) => {}
        }
    }
}

async fn connect_tcp(host: &SshHost) -> io::Result<TcpStream> {
    let addresses = tokio::net::lookup_host((host.address.as_str(), host.port)).await;
    let addresses = addresses.map_err(|error| not_found(&error))?;
    let mut failed = io::Error::new(io::ErrorKind::AddrNotAvailable, "the host has no address");
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

/// Returns the error of a host name without an address: temporary when the name service did not answer.
fn not_found(error: &io::Error) -> io::Error {
    let text = error.to_string();
    let (kind, text) = match text.to_ascii_lowercase().contains("temporary failure") {
        true => (io::ErrorKind::HostUnreachable, "the name service does not answer"),
        false => (io::ErrorKind::AddrNotAvailable, "no host of that name is known"),
    };
    io::Error::new(kind, text)
}

fn not_through(host: &SshHost, error: russh::Error) -> io::Error {
    match error {
        russh::Error::ChannelOpenFailure(_) => io::Error::new(
            io::ErrorKind::HostUnreachable,
            format!("the jump host does not reach {}:{}", host.address, host.port),
        ),
        other => of_russh(other),
    }
}

/// Returns an error of the SSH library as one whose kind tells whether it is temporary.
pub(super) fn of_russh(error: russh::Error) -> io::Error {
    use io::ErrorKind as Kind;
    use russh::Error as Ssh;
    let kind = match error {
        Ssh::IO(error) if error.kind() == Kind::UnexpectedEof => Kind::ConnectionReset,
        Ssh::IO(error) => return error,
        Ssh::Disconnect | Ssh::HUP | Ssh::SendError | Ssh::RecvError => Kind::ConnectionReset,
        Ssh::ConnectionTimeout | Ssh::KeepaliveTimeout | Ssh::InactivityTimeout => Kind::TimedOut,
        Ssh::Elapsed(_) => Kind::TimedOut,
        // Bytes that arrive otherwise than they were sent, or an attacker.
        Ssh::PacketAuth | Ssh::DecryptionError | Ssh::PacketSize(_) => Kind::ConnectionAborted,
        Ssh::Version => {
            return io::Error::new(Kind::InvalidData, "it is not an SSH server that answers there");
        }
        Ssh::NoCommonAlgo { kind, theirs, .. } => {
            let text = format!("no common {kind:?} algorithm: the server has {theirs:?}");
            return io::Error::new(Kind::Unsupported, text);
        }
        other => return io::Error::other(other.to_string()),
    };
    io::Error::new(kind, "the connection was lost")
}
