//! Names of processes, as they are stored, and what they tell of whether a process has ended.
//!
//! An identity is six words: boot, process namespace, number, start, machine, host. A mark, for the names
//! of files, is three hexadecimal numbers: a digest of where the process runs, its number, its start.

/// The boot, process namespace, machine and host in which a process runs.
///
/// Equal ones see the same processes under the same numbers; nothing is known here of a process that
/// ran elsewhere.
#[derive(PartialEq, Eq)]
pub(crate) struct Origin {
    boot: String,
    /// The process namespace: a container has its own.
    namespace: String,
    /// A copied virtual machine keeps it, and two computers of one name have two.
    machine: String,
    host: String,
}

impl Origin {
    /// Makes one of what the system tells; empty texts stand for what it does not.
    pub(crate) fn new(boot: &str, namespace: &str, machine: &str, host: &str) -> Self {
        let word = |text: &str| text.replace(char::is_whitespace, "_");
        Self {
            boot: word(boot),
            namespace: word(namespace),
            machine: word(machine),
            host: word(host),
        }
    }

    /// Returns the identity of a process that runs here.
    pub(crate) fn identity(&self, pid: u32, start: u64) -> String {
        let Self { boot, namespace, machine, host } = self;
        format!("{boot} {namespace} {pid} {start} {machine} {host}")
    }

    /// Returns the mark of a process that runs here.
    pub(crate) fn mark(&self, pid: u32, start: u64) -> String {
        format!("{:016x}.{pid:x}.{start:x}", self.digest())
    }

    /// Tells whether the process of an identity may still run: `may_run` decides by the number and the
    /// start of one that ran here. Any other, and any text that is no identity, counts as alive.
    pub(crate) fn is_alive(&self, identity: &str, may_run: impl FnOnce(u32, u64) -> bool) -> bool {
        let words: Vec<&str> = identity.split(' ').collect();
        let [boot, namespace, pid, start, rest @ ..] = words.as_slice() else { return true };
        let (Ok(pid), Ok(start)) = (pid.parse(), start.parse()) else { return true };
        let (machine, host) = match rest {
            // Of an earlier version.
            [] => (self.machine.as_str(), self.host.as_str()),
            [machine, host] => (*machine, *host),
            _ => return true,
        };
        let [boot, namespace, machine, host] =
            [*boot, *namespace, machine, host].map(str::to_owned);
        let its = Self { boot, namespace, machine, host };
        its != *self || !self.is_known() || may_run(pid, start)
    }

    /// Tells whether the process of a mark has ended, for sure.
    pub(crate) fn has_ended(&self, mark: &str, may_run: impl FnOnce(u32, u64) -> bool) -> bool {
        let mut numbers = mark.split('.').map(|number| u64::from_str_radix(number, 16));
        let (Some(Ok(origin)), Some(Ok(pid)), Some(Ok(start)), None) =
            (numbers.next(), numbers.next(), numbers.next(), numbers.next())
        else {
            return false;
        };
        let Ok(pid) = u32::try_from(pid) else { return false };
        self.is_known() && self.digest() == origin && !may_run(pid, start)
    }

    /// Tells whether what is missing here can be known to have ended.
    fn is_known(&self) -> bool {
        !self.boot.is_empty() && !self.namespace.is_empty()
    }

    /// Digests all of it: the boot, a random number, can't be found from it.
    fn digest(&self) -> u64 {
        let Self { boot, namespace, machine, host } = self;
        fnv([boot, namespace, machine, host].map(|word| format!("{word} ")).concat().bytes())
    }
}

/// Returns the boot in which a process ran that [`process_identity`](crate::process_identity) named; `None`
/// when it is unknown.
pub fn boot_id_of(identity: &str) -> Option<&str> {
    identity.split(' ').next().filter(|boot| !boot.is_empty())
}

/// Digests what the system names the machine by; `None` where that is empty.
pub(crate) fn digest_of_machine(machine: &str) -> Option<String> {
    let word = machine.replace(char::is_whitespace, "_");
    (!word.is_empty()).then(|| format!("{:016x}", fnv(word.bytes())))
}

/// FNV-1a (Fowler, Noll, Vo).
fn fnv(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
