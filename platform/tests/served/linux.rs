//! Drives served by a process of their own, which this program starts as such from itself.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use yore_platform::{
    Access, MountError, MountOptions, WhenBusy, check_mountpoint, driver_available, is_mounted,
    mount, unmount,
};

use crate::memory::Memory;

type Test = (&'static str, fn());

const TESTS: [Test; 2] = [
    (
        "a_killed_drive_answers_errors_until_it_is_unmounted",
        a_killed_drive_answers_errors_until_it_is_unmounted,
    ),
    (
        "a_user_mounts_and_unmounts_through_the_helper",
        a_user_mounts_and_unmounts_through_the_helper,
    ),
];

/// The first argument of this program as the process of a drive; the second is the mountpoint.
const SERVE: &str = "--serve";
/// The first argument of this program as a user; the second is the mountpoint.
const AS_USER: &str = "--as-user";

pub fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [role, point] if role == SERVE => return serve(Path::new(point)),
        [role, point] if role == AS_USER => {
            mount_as_this_user(Path::new(point));
            return print("done");
        }
        _ => {}
    }
    let asked = arguments.iter().find(|argument| !argument.starts_with('-'));
    for (name, test) in TESTS {
        if asked.is_none_or(|asked| name.contains(asked.as_str())) {
            test();
            print(&format!("test {name} ... ok"));
        }
    }
}

fn print(line: &str) {
    writeln!(io::stdout(), "{line}").expect("somebody listens");
}

/// The process that tests start, kill and wait for.
fn serve(point: &Path) {
    match mount(Arc::new(Memory::sample()), point, &MountOptions::default()) {
        Ok(mounted) => {
            say("serving");
            mounted.wait().expect("a clean end");
            say("ended");
        }
        Err(error) => say(&format!("refused: {error}")),
    }
}

fn say(line: &str) {
    writeln!(io::stderr(), "{line}").expect("somebody listens");
}

struct Server {
    child: std::process::Child,
    said: BufReader<std::process::ChildStderr>,
}

impl Server {
    fn start(point: &Path) -> Server {
        let program = std::env::current_exe().expect("this program");
        let mut command = Command::new(program);
        command.arg(SERVE).arg(point).current_dir("/").stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("this program runs");
        let said = BufReader::new(child.stderr.take().expect("piped"));
        let mut server = Server { child, said };
        assert_eq!(server.line(), "serving");
        server
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.said.read_line(&mut line).expect("a line");
        line.trim_end().to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn a_killed_drive_answers_errors_until_it_is_unmounted() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut server = Server::start(folder.path());
    assert!(folder.path().join("hello").exists());
    server.child.kill().expect("it runs");
    server.child.wait().expect("it ends");
    let error = fs::read_dir(folder.path()).expect_err("not emptiness");
    assert_eq!(error.raw_os_error(), Some(libc::ENOTCONN));
    assert!(is_mounted(folder.path()));
    let check = check_mountpoint(folder.path());
    assert!(matches!(check, Err(MountError::Stale { .. })), "{check:?}");
    unmount(folder.path(), WhenBusy::Refuse).expect("nobody uses it");
    assert!(!is_mounted(folder.path()));
    check_mountpoint(folder.path()).expect("it can be mounted again");
}

fn a_user_mounts_and_unmounts_through_the_helper() {
    if !rustix::process::geteuid().is_root() {
        let point = tempfile::tempdir().expect("a folder");
        return mount_as_this_user(point.path());
    }
    let folder = tempfile::tempdir().expect("a folder");
    let point = folder.path().join("point");
    fs::create_dir(&point).expect("a mountpoint");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("root may");
    std::os::unix::fs::chown(&point, Some(65_534), Some(65_534)).expect("root may");
    // Where this program was built, other users may have no way.
    let program = folder.path().join("program");
    fs::copy(std::env::current_exe().expect("this program"), &program).expect("a copy");
    // Elsewhere every user may open /dev/fuse; here, in a namespace of its own, this one does.
    let script = "mknod -m 666 \"$1/fuse\" c 10 229 && mount --bind \"$1/fuse\" /dev/fuse && \
        exec setpriv --reuid 65534 --regid 65534 --clear-groups \
        \"$2\" \"$3\" \"$4\"";
    let output = Command::new("unshare")
        .args(["-m", "sh", "-c", script, "sh"])
        .arg(folder.path())
        .arg(&program)
        .arg(AS_USER)
        .arg(&point)
        .current_dir("/")
        .output()
        .expect("unshare is there");
    let (said, wrong) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}{wrong}");
    assert_eq!(said, "done\n", "{wrong}");
}

/// Runs the test as a user, in a process of that user.
fn mount_as_this_user(point: &Path) {
    driver_available().expect("all that a user needs");
    let options = MountOptions { name: r"odd, \name".to_owned(), ..MountOptions::default() };
    let volume = Arc::new(Memory::sample());
    let mounted = mount(volume.clone(), point, &options).expect("mounted by the helper");
    let table = fs::read_to_string("/proc/self/mounts").expect("the table");
    assert!(table.contains("fuse.yore ro,nosuid,nodev,noatime"), "{table}");
    assert_eq!(fs::read(point.join("hello")).expect("content").len(), 13);
    let file = File::open(point.join("hello")).expect("a file");
    let busy = unmount(point, WhenBusy::Refuse);
    assert!(matches!(busy, Err(MountError::Busy { .. })), "{busy:?}");
    drop(file);
    unmount(point, WhenBusy::Refuse).expect("nobody uses it");
    mounted.wait().expect("a clean end");

    let mut server = Server::start(point);
    server.child.kill().expect("it runs");
    server.child.wait().expect("it ends");
    let check = check_mountpoint(point);
    assert!(matches!(check, Err(MountError::Stale { .. })), "{check:?}");
    unmount(point, WhenBusy::Refuse).expect("a dead drive goes");

    let options = MountOptions { access: Access::Everyone, ..MountOptions::default() };
    match mount(volume, point, &options) {
        Ok(mounted) => drop(mounted),
        Err(error) => assert!(matches!(error, MountError::AllowOtherForbidden), "{error}"),
    }
    let own = mount(Arc::new(Memory::sample()), Path::new("/"), &options);
    assert!(matches!(own, Err(MountError::NotEmpty { .. })));
}
