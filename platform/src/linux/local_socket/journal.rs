//! The system's journal, by its own protocol: one datagram an entry
//! (<https://systemd.io/JOURNAL_NATIVE_PROTOCOL/>).

use std::io;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

/// The socket of the journal.
const SOCKET: &str = "/run/systemd/journal/socket";
/// The bytes of a value from which on it is cut, so that an entry is a datagram of the usual size.
const LONGEST: usize = 16 << 10;
/// The time that a journal may take that is busy.
const PATIENCE: Duration = Duration::from_secs(1);

/// Adds an entry to the system's journal: names in capitals, each with its value.
///
/// # Errors
/// There is no journal, or it takes nothing for a second.
pub fn send_to_journal(fields: &[(String, String)]) -> io::Result<()> {
    let socket = UnixDatagram::unbound()?;
    socket.set_write_timeout(Some(PATIENCE))?;
    socket.send_to(&encode(fields), SOCKET).map(drop)
}

/// Tells whether standard error goes to the journal, given what the service manager says of that (`JOURNAL_STREAM`: the
/// numbers of device and inode).
pub fn stderr_is_journal(stream: &str) -> bool {
    let found = rustix::fs::fstat(rustix::stdio::stderr());
    found.is_ok_and(|found| stream == format!("{}:{}", found.st_dev, found.st_ino))
}

fn encode(fields: &[(String, String)]) -> Vec<u8> {
    let mut datagram = Vec::new();
    for (name, value) in fields {
        let value = &value[..value.floor_char_boundary(LONGEST)];
        datagram.extend_from_slice(name.as_bytes());
        if value.contains('\n') {
            datagram.push(b'\n');
            datagram.extend_from_slice(&(value.len() as u64).to_le_bytes());
        } else {
            datagram.push(b'=');
        }
        datagram.extend_from_slice(value.as_bytes());
        datagram.push(b'\n');
    }
    datagram
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn a_value_of_several_lines_has_its_length_before_it() {
        let datagram = encode(&[field("MESSAGE", "a\nb"), field("PRIORITY", "6")]);
        assert_eq!(datagram, b"MESSAGE\n\x03\0\0\0\0\0\0\0a\nb\nPRIORITY=6\n");
    }

    #[test]
    fn a_long_value_is_cut_between_characters() {
        let datagram = encode(&[field("MESSAGE", &"ä".repeat(LONGEST))]);
        let value = datagram.strip_prefix(b"MESSAGE=").expect("the name");
        assert_eq!(value.len(), LONGEST + 1);
        assert!(std::str::from_utf8(value).is_ok());
        let odd = encode(&[field("M", &format!("x{}", "ä".repeat(LONGEST)))]);
        assert!(std::str::from_utf8(&odd).is_ok());
    }
}
