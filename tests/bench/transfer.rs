//! The SFTP destination as a program that puts and gets one object, for the benchmark.
//!
//! `transfer FOLDER_OF_SSHD PORT FOLDER put|get BYTES`: writes or reads an object of so many bytes and prints the
//! seconds that it took, with the connection.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use yore_engine::backend::{
    AgentKeys, Backend, Identity, Sftp, SftpOptions, SshHost, UnknownHosts,
};
use yore_engine::format::{Area, ObjectName};
use yore_platform::ReadBuffer;

/// The bytes that are appended at once, as a backup appends frames.
const PIECE: usize = 512 << 10;

/// The bytes that are read at once.
const RANGE: u64 = 8 << 20;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [keys, port, folder, direction, size] = words.as_slice() else { return ExitCode::from(2) };
    let (Ok(port), Ok(size)) = (port.parse(), size.parse()) else { return ExitCode::from(2) };
    let backend = Sftp::new(options(Path::new(keys), port, folder));
    let id = "ab".repeat(32);
    let name = ObjectName::parse(Area::Packs, &format!("packs/ab/{id}")).expect("a name");
    let began = Instant::now();
    let done = match direction.as_str() {
        "put" => put(&backend, &name, size),
        _ => get(&backend, &name, size),
    };
    let told = match done {
        Ok(()) => writeln!(io::stdout(), "{:.4}", began.elapsed().as_secs_f64()),
        Err(error) => writeln!(io::stderr(), "{}", error.with_cause()),
    };
    let is_done = told.is_ok() && backend.size(&name).is_ok_and(|found| found == Some(size));
    // The next one finds a free name.
    let _ = direction.as_str() == "get" && backend.delete(&name).is_ok();
    if is_done { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn options(keys: &Path, port: u16, folder: &str) -> SftpOptions {
    let at = |name: &str| -> PathBuf { keys.join(name) };
    let host = SshHost {
        address: "127.0.0.1".into(),
        port,
        key_alias: None,
        user: yore_platform::user_name(),
        identities: vec![Identity::File(at("user"))],
        agent_keys: AgentKeys::Given,
        agent: None,
        known_hosts: vec![at("known_hosts")],
    };
    SftpOptions {
        location: "the server".into(),
        host,
        jumps: Vec::new(),
        proxy: None,
        path: folder.to_owned(),
        connections: SftpOptions::CONNECTIONS,
        connect_timeout: SftpOptions::CONNECT_TIMEOUT,
        unknown_hosts: UnknownHosts::Accept,
    }
}

fn put(backend: &Sftp, name: &ObjectName, size: u64) -> yore_engine::Result<()> {
    let bytes = yore_tests::noise(PIECE, 1);
    let mut object = backend.create(name)?;
    let mut left = size;
    while left > 0 {
        let now = left.min(PIECE as u64);
        object.append(&bytes[..now as usize])?;
        left -= now;
    }
    object.publish().map(drop)
}

fn get(backend: &Sftp, name: &ObjectName, size: u64) -> yore_engine::Result<()> {
    let mut buffer = ReadBuffer::default();
    let mut at = 0;
    while at < size {
        let end = size.min(at + RANGE);
        backend.read_into(name, at..end, &mut buffer)?;
        at = end;
    }
    Ok(())
}
