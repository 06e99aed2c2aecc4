//! The ways to a server: an SSH connection, or the standard streams of a program.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};

use super::program::{Messages, Program, RunningProgram};
use super::ssh::connection::SshConnection;
use super::ssh::options::SftpOptions;

/// A pair of streams on which an SFTP server listens, with what keeps them open.
pub(super) struct Stream {
    /// The server's answers.
    pub reader: Box<dyn AsyncRead + Send + Unpin>,
    /// The requests.
    pub writer: Box<dyn AsyncWrite + Send + Unpin>,
    /// The connection or program that carries them.
    pub transport: Transport,
}

/// Makes new streams to the same server.
pub(super) enum Connector {
    /// Over an SSH connection.
    Ssh(Box<SftpOptions>),
    /// On the standard streams of a program.
    Program(Program),
}

impl Connector {
    /// Makes a stream.
    pub async fn connect(&self) -> io::Result<Stream> {
        match self {
            Connector::Ssh(options) => SshConnection::open(options).await,
            Connector::Program(program) => {
                let (reader, writer, running) = program.start()?;
                let transport = Transport::Program(running);
                Ok(Stream { reader: Box::new(reader), writer: Box::new(writer), transport })
            }
        }
    }
}

/// The connection or program that carries a stream.
pub(super) enum Transport {
    /// An SSH connection.
    Ssh(SshConnection),
    /// A program, which ends with the stream.
    Program(RunningProgram),
    /// Streams that need nothing to stay open.
    #[cfg(test)]
    Bare,
}

impl Transport {
    /// Returns what the program prints beside its answers, if it is one.
    pub fn messages(&self) -> Option<Arc<Messages>> {
        match self {
            Transport::Program(program) => Some(program.messages()),
            _ => None,
        }
    }

    /// Says why a server did not begin to speak, as far as that is known.
    pub async fn explain_start(&mut self, error: io::Error) -> io::Error {
        match (self, error.kind()) {
            (Transport::Program(program), io::ErrorKind::UnexpectedEof) => {
                program.explain_start().await
            }
            (_, io::ErrorKind::UnexpectedEof) => closed(),
            _ => error,
        }
    }

    /// Says why a stream ended while a session was open, as far as that is known.
    pub async fn explain_end(&mut self, error: io::Error) -> io::Error {
        match (self, error.kind()) {
            (Transport::Program(program), io::ErrorKind::UnexpectedEof) => {
                program.explain_end().await
            }
            (_, io::ErrorKind::UnexpectedEof) => closed(),
            _ => error,
        }
    }

    /// Ends what carries the stream; gives it some time to end by itself.
    pub async fn farewell(&mut self, patience: Duration) {
        match self {
            Transport::Ssh(connection) => {
                // A broken connection may not even take the word of its end.
                let _ = tokio::time::timeout(patience, connection.disconnect()).await;
            }
            Transport::Program(program) => program.end(patience).await,
            #[cfg(test)]
            Transport::Bare => {}
        }
    }
}

fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, "the server closed the connection")
}
