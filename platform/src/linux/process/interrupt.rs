//! Interrupts: a first SIGINT, SIGTERM or SIGHUP asks the process to end, a second one ends it.
//!
//! The handler only writes to an eventfd, which is all that is safe there. No thread reads it empty, so
//! it wakes every waiting thread, now and later.

#![allow(unsafe_code)]

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI32, Ordering};
use std::thread;
use std::time::Duration;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec};

static RAISED: AtomicI32 = AtomicI32::new(0);
static WAKE_NUMBER: AtomicI32 = AtomicI32::new(-1);
static WAKE: OnceLock<OwnedFd> = OnceLock::new();

/// The interrupts of this process; holding one means that they are caught.
#[derive(Debug, Clone, Copy)]
pub struct Interrupt {
    wake: BorrowedFd<'static>,
}

impl Interrupt {
    /// Catches SIGINT, SIGTERM and SIGHUP from now on, except those that the parent had ignored.
    ///
    /// Each has its default action again after it was caught once.
    pub fn install() -> io::Result<Interrupt> {
        let wake = match WAKE.get() {
            Some(wake) => wake,
            None => {
                let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
                let fresh = rustix::event::eventfd(0, flags)?;
                WAKE.get_or_init(|| fresh)
            }
        };
        WAKE_NUMBER.store(wake.as_raw_fd(), Ordering::SeqCst);
        for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
            catch(signal)?;
        }
        Ok(Interrupt { wake: wake.as_fd() })
    }

    /// Tells whether the process was asked to end.
    pub fn is_raised(self) -> bool {
        self.signal().is_some()
    }

    /// Returns the number of the first signal; 128 plus it is the exit code that shells expect.
    pub fn signal(self) -> Option<i32> {
        match RAISED.load(Ordering::SeqCst) {
            0 => None,
            signal => Some(signal),
        }
    }

    /// Waits until the process is asked to end, at most `limit`, and tells whether it was.
    pub fn wait(self, limit: Duration) -> bool {
        let limit = Timespec::try_from(limit).ok();
        let mut watched = [PollFd::from_borrowed_fd(self.wake, PollFlags::IN)];
        // An interrupted poll has the answer in `is_raised`, like any other.
        let _ = rustix::event::poll(&mut watched, limit.as_ref());
        self.is_raised()
    }

    /// Runs `action` once on a thread of its own when the process is asked to end.
    pub fn on_raise(self, action: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let run = move || {
            while !self.wait(Duration::MAX) {}
            action();
        };
        thread::Builder::new().name("interrupt".to_owned()).spawn(run)?;
        Ok(())
    }
}

/// A stream whose reads end when the process is asked to end, also while no data comes.
#[derive(Debug)]
pub struct Interruptible<R> {
    stream: R,
    interrupt: Interrupt,
}

impl<R: io::Read + AsFd> Interruptible<R> {
    /// Reads `stream`, which holds back nothing that it has read already.
    pub fn new(stream: R, interrupt: Interrupt) -> Self {
        Self { stream, interrupt }
    }
}

impl<R: io::Read + AsFd> io::Read for Interruptible<R> {
    /// # Errors
    /// [`io::ErrorKind::Interrupted`] once the process is asked to end.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let watched = &mut [
            PollFd::from_borrowed_fd(self.interrupt.wake, PollFlags::IN),
            PollFd::new(&self.stream, PollFlags::IN),
        ];
        match rustix::event::poll(watched, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        if self.interrupt.is_raised() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        self.stream.read(buffer)
    }
}

fn catch(signal: libc::c_int) -> io::Result<()> {
    let mut old = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: a zeroed `sigaction` is a valid value, and null means that nothing is set.
    let known = unsafe { libc::sigaction(signal, std::ptr::null(), old.as_mut_ptr()) };
    if known != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: zeroed before, and filled in by the successful call.
    if unsafe { old.assume_init() }.sa_sigaction == libc::SIG_IGN {
        // As under `nohup`.
        return Ok(());
    }
    let handler: extern "C" fn(libc::c_int) = on_signal;
    let mut new = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: a zeroed `sigaction` has an empty mask and no flags.
    let action = unsafe { new.assume_init_mut() };
    action.sa_sigaction = handler as libc::sighandler_t;
    action.sa_flags = libc::SA_RESTART | libc::SA_RESETHAND;
    // SAFETY: the handler does only what is safe in one, and takes one number, as without
    // SA_SIGINFO it is called with.
    if unsafe { libc::sigaction(signal, action, std::ptr::null_mut()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

extern "C" fn on_signal(signal: libc::c_int) {
    // A swap that fails means that an earlier signal is known already.
    let _ = RAISED.compare_exchange(0, signal, Ordering::SeqCst, Ordering::SeqCst);
    let one = 1_u64;
    // SAFETY: errno belongs to this thread, and `write` is safe in a handler; the descriptor is
    // never closed.
    unsafe {
        let errno = libc::__errno_location();
        let before = *errno;
        libc::write(WAKE_NUMBER.load(Ordering::SeqCst), (&raw const one).cast(), size_of::<u64>());
        *errno = before;
    }
}

/// Lets the process end silently when it writes to a pipe without a reader, as `yore ls | head`.
///
/// Rust's start-up code has it ignored. Not for a process that serves a drive.
pub fn restore_sigpipe() {
    // SAFETY: installs the system's own action.
    unsafe {
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
    }
}
