//! Processes that go to the background or are interrupted; this program starts itself as such.

#[cfg(not(target_os = "linux"))]
fn main() {}

#[cfg(target_os = "linux")]
fn main() {
    linux::main();
}

#[cfg(target_os = "linux")]
mod linux {
    use std::fs;
    use std::io::{self, BufRead, BufReader, Read, Write};
    use std::os::fd::AsRawFd;
    use std::os::unix::process::ExitStatusExt;
    use std::path::Path;
    use std::process::{Child, Command, ExitStatus, Stdio};
    use std::time::Duration;

    use rustix::process::{Pid, Signal, kill_process};
    use yore_platform::{
        DetachError, Detached, Interrupt, Interruptible, Readiness, is_alive, open_log,
        process_identity, raise_open_file_limit, restore_sigpipe, spawn_detached,
    };

    type Test = (&'static str, fn());

    const TESTS: [Test; 10] = [
        ("a_background_process_works_when_its_parent_is_told", works),
        ("a_background_process_keeps_nothing_of_its_parent", keeps_nothing),
        ("a_background_process_says_why_it_cannot_work", refuses),
        ("a_background_process_that_dies_is_noticed", dies),
        ("a_first_signal_is_told", first_signal),
        ("a_second_sigint_ends_the_process", second_signal),
        ("a_read_that_waits_ends_with_the_first_signal", interrupted_read),
        ("an_ignored_hangup_stays_ignored", nohup),
        ("a_broken_pipe_ends_the_process_silently", broken_pipe),
        ("the_limit_of_open_files_is_raised", limit),
    ];

    pub fn main() {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        match arguments.first().map(String::as_str) {
            Some("background") => return background(&arguments[1]),
            Some("interrupted") => return interrupted(),
            Some("reader") => return reader(),
            Some("chatter") => return chatter(),
            _ => {}
        }
        for (name, test) in TESTS {
            test();
            say(&format!("test {name} ... ok"));
        }
    }

    fn say(line: &str) {
        writeln!(io::stdout(), "{line}").expect("somebody listens");
    }

    /// Runs the child of `spawn_detached`.
    fn background(how: &str) {
        if how == "die" {
            writeln!(io::stderr(), "no luck\ntoday").expect("somebody keeps it");
            std::process::exit(3);
        }
        let (readiness, secret) = Readiness::take().expect("started by spawn_detached");
        if how == "refuse" {
            return readiness.refuse("no such repository\n  really", 10);
        }
        say("goes to /dev/null");
        let session = rustix::process::getsid(None).expect("a session");
        let leads = session == rustix::process::getpid();
        let text = format!("{}|{leads}|{}", String::from_utf8_lossy(&secret), process_identity());
        fs::write(how, text).expect("a place for the result");
        writeln!(io::stderr(), "a warning").expect("somebody keeps it");
        let log = open_log(&Path::new(how).with_extension("log")).expect("a log");
        readiness.ready(Some(log)).expect("it works");
        writeln!(io::stderr(), "for the log").expect("a log");
        std::thread::sleep(Duration::from_secs(30));
    }

    fn works() {
        let folder = tempfile::tempdir().expect("a folder");
        let result = folder.path().join("result");
        let arguments = ["background".as_ref(), result.as_os_str()];
        let detached = spawn_detached(arguments, b"open sesame").expect("it works");
        assert_eq!(detached.stderr, "a warning\n");
        let text = fs::read_to_string(&result).expect("written before it was ready");
        let (rest, identity) = text.rsplit_once('|').expect("three parts");
        assert_eq!(rest, "open sesame|true");
        assert!(is_alive(identity), "{identity}");
        let log = || fs::read_to_string(result.with_extension("log")).expect("a log");
        while log() != "for the log\n" {
            std::thread::sleep(Duration::from_millis(5));
        }
        end(&detached);
        assert!(!is_alive(identity), "{identity}");
    }

    /// Ends a background process that these tests started.
    fn end(detached: &Detached) {
        let pid = Pid::from_raw(detached.pid as i32).expect("a number");
        kill_process(pid, Signal::KILL).expect("it is a child");
        rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty())
            .expect("it is a child");
    }

    fn keeps_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let result = folder.path().join("result");
        // As a shell leaves it open: not to be closed by `exec`.
        let (_reader, left_open) = rustix::pipe::pipe().expect("a pipe");
        let name = format!("/proc/self/fd/{}", left_open.as_raw_fd());
        let name = fs::read_link(name).expect("an open file");
        let arguments = ["background".as_ref(), result.as_os_str()];
        let detached = spawn_detached(arguments, b"").expect("it works");
        let process = Path::new("/proc").join(detached.pid.to_string());
        assert_eq!(fs::read_link(process.join("cwd")).expect("a folder"), Path::new("/"));
        let open = fs::read_dir(process.join("fd")).expect("its files").flatten();
        let open: Vec<_> = open.filter_map(|entry| fs::read_link(entry.path()).ok()).collect();
        assert!(open.contains(&result.with_extension("log")), "{open:?}");
        assert!(!open.contains(&name), "{open:?}");
        end(&detached);
    }

    fn refuses() {
        match spawn_detached(["background", "refuse"], b"") {
            Err(DetachError::Refused { message, code: 10 }) => {
                assert_eq!(message, "no such repository\n  really");
            }
            other => panic!("{other:?}"),
        }
    }

    fn dies() {
        match spawn_detached(["background", "die"], b"never read") {
            Err(DetachError::Died { status, stderr }) => {
                assert!(status.contains('3'), "{status}");
                assert_eq!(stderr, "no luck\ntoday\n");
            }
            other => panic!("{other:?}"),
        }
    }

    /// Waits for a signal, prints it, and goes on until it is ended.
    fn interrupted() {
        let interrupt = Interrupt::install().expect("signals can be caught");
        assert!(!interrupt.is_raised());
        assert!(!interrupt.wait(Duration::from_millis(1)));
        let told = move || say(&format!("raised {:?}", interrupt.signal()));
        interrupt.on_raise(told).expect("a thread");
        say("waiting");
        std::thread::sleep(Duration::from_secs(30));
    }

    struct Listener {
        child: Child,
        said: BufReader<std::process::ChildStdout>,
    }

    impl Listener {
        fn start(mut command: Command) -> Listener {
            let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
            let said = BufReader::new(child.stdout.take().expect("piped"));
            let mut listener = Listener { child, said };
            assert_eq!(listener.line(), "waiting");
            listener
        }

        fn line(&mut self) -> String {
            let mut line = String::new();
            self.said.read_line(&mut line).expect("a line");
            line.trim_end().to_owned()
        }

        fn send(&self, signal: Signal) {
            kill_process(Pid::from_child(&self.child), signal).expect("a child");
        }

        fn end(mut self) -> ExitStatus {
            self.child.wait().expect("a child")
        }
    }

    /// Returns this program, with no signal ignored, in whatever way these tests were started.
    fn this_program(argument: &str) -> Command {
        let mut command = Command::new("env");
        command
            .arg("--default-signal")
            .arg(std::env::current_exe().expect("this program"))
            .arg(argument);
        command
    }

    fn first_signal() {
        for (signal, number) in [(Signal::INT, 2), (Signal::TERM, 15), (Signal::HUP, 1)] {
            let mut listener = Listener::start(this_program("interrupted"));
            listener.send(signal);
            assert_eq!(listener.line(), format!("raised Some({number})"));
            listener.send(Signal::KILL);
            listener.end();
        }
    }

    fn second_signal() {
        let mut listener = Listener::start(this_program("interrupted"));
        listener.send(Signal::INT);
        assert_eq!(listener.line(), "raised Some(2)");
        listener.send(Signal::INT);
        assert_eq!(listener.end().signal(), Some(2));
    }

    /// Reads from a pipe without a writer.
    fn reader() {
        let interrupt = Interrupt::install().expect("signals can be caught");
        let (from, _to) = rustix::pipe::pipe().expect("a pipe");
        let mut from = Interruptible::new(fs::File::from(from), interrupt);
        say("waiting");
        let read = from.read(&mut [0; 8]);
        say(&format!("{:?}", read.map_err(|error| error.kind())));
    }

    fn interrupted_read() {
        let mut listener = Listener::start(this_program("reader"));
        listener.send(Signal::TERM);
        assert_eq!(listener.line(), "Err(Interrupted)");
        assert!(listener.end().success());
    }

    fn nohup() {
        let mut command = Command::new("nohup");
        command.arg(std::env::current_exe().expect("this program")).arg("interrupted");
        command.stderr(Stdio::null());
        let mut listener = Listener::start(command);
        listener.send(Signal::HUP);
        listener.send(Signal::TERM);
        assert_eq!(listener.line(), "raised Some(15)");
        listener.send(Signal::KILL);
        listener.end();
    }

    /// Writes until there is no reader.
    fn chatter() {
        restore_sigpipe();
        loop {
            say("and on");
        }
    }

    fn broken_pipe() {
        let mut command = this_program("chatter");
        let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
        drop(child.stdout.take());
        let status = child.wait().expect("a child");
        assert_eq!(status.signal(), Some(13));
    }

    fn limit() {
        let limit = raise_open_file_limit();
        assert!(limit >= 1024, "{limit}");
    }
}
