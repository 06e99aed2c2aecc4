//! `yore serve`: shows the snapshots to programs that need no drive, by WebDAV or NFS.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};
use yore_platform::{Login, NfsToken, Server, Volume, nfs_path, serve_nfs, serve_webdav};

use crate::access::secret;
use crate::context::Context;
use crate::drive::refresher::{self, Refresher};
use crate::drive::volume_args::VolumeArgs;
use crate::failure::engine_error::reason;
use crate::failure::{Done, Exit, Failure, Outcome};
use crate::json;

/// The name to log in with when none is given.
const USER: &str = "yore";

/// The options of `serve`.
#[derive(Debug, Args)]
pub struct Options {
    #[command(subcommand)]
    protocol: Protocol,
}

#[derive(Debug, Subcommand)]
enum Protocol {
    /// By WebDAV, for file managers, rclone, phones; with a password
    Webdav(Webdav),
    /// By NFS on this machine, to be mounted without FUSE, as on macOS
    Nfs(Nfs),
}

#[derive(Debug, Args)]
struct Webdav {
    /// The address to listen at; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// A file with NAME:PASSWORD to log in with; without it, a password is drawn and shown
    #[arg(long, value_name = "FILE")]
    login_file: Option<PathBuf>,
    #[command(flatten)]
    volume: VolumeArgs,
}

#[derive(Debug, Args)]
struct Nfs {
    /// The port to listen at on 127.0.0.1; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    port: u16,
    #[command(flatten)]
    volume: VolumeArgs,
}

/// Runs the command.
pub fn run(context: &Context, options: &Options) -> Outcome {
    match &options.protocol {
        Protocol::Webdav(options) => webdav(context, options),
        Protocol::Nfs(options) => nfs(context, options),
    }
}

fn webdav(context: &Context, options: &Webdav) -> Outcome {
    let address = options.listen;
    let (login, drawn) = match &options.login_file {
        Some(path) => (read_login(path)?, false),
        None => (Login { user: USER.to_owned(), password: draw_password() }, true),
    };
    if !address.ip().is_loopback() {
        context.screen.problem(
            "",
            "the connection is not encrypted: whoever listens on the network sees the files and \
             the password; go through a VPN, an SSH tunnel or a proxy with TLS",
        );
    }
    serve(
        context,
        &options.volume,
        |volume| serve_webdav(volume, address, login.clone()).map_err(|e| not_there(address, &e)),
        |address| {
            context.screen.object(&json::WebdavServer {
                protocol: "webdav",
                url: format!("http://{address}/"),
                user: &login.user,
                password: drawn.then_some(login.password.as_str()),
                pid: std::process::id(),
            });
            context.screen.line(format!("The snapshots are at http://{address}/"));
            context.screen.line(match drawn {
                true => format!("User {}, password {}", login.user, login.password),
                false => format!("User {}, and the password of the file", login.user),
            });
            let user = &login.user;
            context.screen.info(format!("A file manager opens them at dav://{user}@{address}/"));
        },
    )
}

fn nfs(context: &Context, options: &Nfs) -> Outcome {
    let wanted = SocketAddr::from((Ipv4Addr::LOCALHOST, options.port));
    let mut token = NfsToken::default();
    getrandom::fill(&mut token).expect("the system has random numbers");
    serve(
        context,
        &options.volume,
        |volume| serve_nfs(volume, options.port, token).map_err(|e| not_there(wanted, &e)),
        |address| {
            let (path, port) = (nfs_path(&token), address.port());
            context.screen.object(&json::NfsServer {
                protocol: "nfs",
                address: address.to_string(),
                path: &path,
                pid: std::process::id(),
            });
            let how = format!("vers=3,tcp,port={port},mountport={port}");
            let what = format!("{}:{path}", address.ip());
            context.screen.line("The snapshots can be mounted on an empty folder DIR, on macOS by");
            context.screen.line(format!("  mount -t nfs -o {how},nolocks,ro,rdirplus {what} DIR"));
            context.screen.line("and on Linux by");
            context.screen.line(format!("  sudo mount -t nfs -o {how},nolock,ro {what} DIR"));
            context.screen.info("Keep that line to yourself: every user of this machine who knows it can read all of it.");
        },
    )
}

/// Serves the volume until an interrupt; `announce` prints its address.
fn serve(
    context: &Context,
    volume: &VolumeArgs,
    start: impl FnOnce(Arc<dyn Volume>) -> Outcome<Server>,
    announce: impl FnOnce(SocketAddr),
) -> Outcome {
    let options = volume.options(context);
    let repository = Arc::new(context.open()?);
    let interrupt = context.interrupt()?;
    let volume = refresher::open(Arc::clone(&repository), options, &context.screen)?;
    let served = start(Arc::clone(&volume) as _)?;
    // Clients ask a server again, so it has nothing to forget.
    let refresher = Refresher::start(volume, repository, &context.screen, |_| {})?;
    announce(served.address());
    context.screen.info("Ctrl-C ends it.");
    let handle = served.handle();
    interrupt.on_raise(move || handle.stop()).map_err(|error| {
        Failure::new(
            Exit::Failed,
            format!("interrupts can't be caught: {}", reason(&error)),
            "run the command again",
        )
    })?;
    served.wait();
    drop(refresher);
    context.screen.info("Nothing is served any more; the backups stay.");
    Ok(Done::Whole)
}

fn not_there(address: SocketAddr, error: &io::Error) -> Failure {
    let hint = match error.kind() {
        io::ErrorKind::AddrInUse => "another program has it; choose another port, or 0 for any",
        io::ErrorKind::PermissionDenied => "ports below 1024 are the administrator's; use another",
        io::ErrorKind::AddrNotAvailable => "it is none of this machine's addresses",
        _ => "choose another address or port",
    };
    Failure::new(Exit::Failed, format!("{address} can't be listened at: {}", reason(error)), hint)
}

fn read_login(path: &Path) -> Outcome<Login> {
    let text = secret::read_file(path)?;
    match text.split_once(':') {
        Some((user, password)) if !user.is_empty() && !password.is_empty() => {
            Ok(Login { user: user.to_owned(), password: password.to_owned() })
        }
        _ => Err(Failure::usage(
            format!("{} does not hold a name and a password", path.display()),
            "write one line into it, as in anna:correct-horse-battery",
        )),
    }
}

/// Draws a password of 96 bits.
fn draw_password() -> String {
    let mut bytes = [0; 12];
    getrandom::fill(&mut bytes).expect("the system has random numbers");
    let groups: Vec<String> =
        bytes.chunks(2).map(|two| two.iter().map(|byte| format!("{byte:02x}")).collect()).collect();
    groups.join("-")
}
