//! The volume over WebDAV and NFS, with everyday clients.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use yore_tests::{MountGuard, Yore, in_shell, noise, root};

/// A number of names that no client lists at once.
const MANY: usize = 10_000;

/// A process that is terminated when it is dropped.
struct Server {
    child: Child,
    /// The first line of its output.
    said: String,
}

impl Server {
    fn start(command: &mut Command) -> Server {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("it runs");
        let mut said = String::new();
        let stdout = child.stdout.as_mut().expect("a pipe");
        BufReader::new(stdout).read_line(&mut said).expect("it speaks");
        Server { child, said }
    }

    /// Starts `yore serve` and reads its address.
    fn of(yore: &Yore, words: &str) -> (Server, Value) {
        let words = ["--json", "serve"].into_iter().chain(words.split(' '));
        let server = Server::start(yore.command(words).stderr(Stdio::inherit()));
        let told = serde_json::from_str(&server.said).expect("an object");
        (server, told)
    }

    fn end(&mut self) -> Option<i32> {
        if let Some(status) = self.child.try_wait().expect("its status can be read") {
            return status.code();
        }
        let pid = self.child.id().to_string();
        let _ = Command::new("kill").arg(pid).status();
        self.child.wait().expect("it can be waited for").code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

fn text<'a>(told: &'a Value, name: &str) -> &'a str {
    told[name].as_str().unwrap_or_else(|| panic!("{name} of {told}"))
}

/// Backs up a folder of files and links, with the file `a.txt` in two versions.
fn backed_up() -> (Yore, PathBuf) {
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    fs::write(source.join("a.txt"), "first\n").expect("a file");
    fs::write(source.join("with space ü.txt"), "ü\n").expect("a file");
    fs::write(source.join("noise"), noise(5_000_000, 11)).expect("a file");
    in_shell(
        "cd \"$1\" && ln a.txt hard && ln a.txt again && ln -s a.txt link && ln -s /etc away && mkdir sub && ln -s ../a.txt sub/up",
        &[&source],
    );
    let word = source.to_str().expect("text");
    yore.run(["backup", "--time", "2026-01-15T10:30:00Z", word]).assert_code(0);
    fs::write(source.join("a.txt"), "second\n").expect("a file");
    yore.run(["backup", "--time", "2026-01-16T10:30:00Z", word]).assert_code(0);
    (yore, source)
}

/// Runs curl; returns the status and the body.
fn curl(told: &Value, options: &[&str], path: &str) -> (String, Vec<u8>) {
    let login = format!("{}:{}", text(told, "user"), text(told, "password"));
    let url = format!("{}{}", text(told, "url"), path.trim_start_matches('/'));
    let output = Command::new("curl")
        .args(["--silent", "--show-error", "--write-out", "%{stderr}%{http_code}"])
        .args(["--user", &login])
        .args(options)
        .arg(&url)
        .output()
        .expect("curl runs");
    assert!(output.status.success(), "{url}: {output:?}");
    (String::from_utf8_lossy(&output.stderr).into_owned(), output.stdout)
}

#[test]
fn curl_reads_old_versions_by_webdav_and_can_change_nothing() {
    let (yore, source) = backed_up();
    let (mut server, told) = Server::of(&yore, "webdav --listen 127.0.0.1:0");
    let place = source.to_str().expect("text");
    let get = |options: &[&str], path: &str| curl(&told, options, path);
    let latest = |name: &str| format!("latest{place}/{name}");
    let answer = |status: &str, content: &[u8]| (status.to_owned(), content.to_vec());
    assert_eq!(get(&[], &latest("a.txt")), answer("200", b"second\n"));
    let old = format!("snapshots/2026-01-15{place}/a.txt");
    assert_eq!(get(&[], &old), answer("200", b"first\n"));
    assert_eq!(get(&[], &latest("with%20space%20%C3%BC.txt")), answer("200", "ü\n".as_bytes()));
    assert_eq!(get(&["--range", "1-3"], &latest("a.txt")), answer("206", b"eco"));
    let whole = fs::read(source.join("noise")).expect("a file");
    assert!(get(&[], &latest("noise")) == answer("200", &whole));
    let middle = whole[1_000_000..=3_000_000].to_vec();
    assert!(get(&["--range", "1000000-3000000"], &latest("noise")) == answer("206", &middle));
    // A link shows its target within the snapshot; links that lead outside are missing.
    assert_eq!(get(&[], &latest("sub/up")), answer("200", b"second\n"));
    assert_eq!(get(&[], &latest("away")).0, "404");
    assert_eq!(get(&[], "snapshots/tomorrow").0, "404");
    let (status, listing) = get(&["--request", "PROPFIND", "--header", "Depth: 1"], &latest(""));
    let listing = String::from_utf8(listing).expect("text");
    assert_eq!(status, "207");
    for name in ["a.txt", "again", "hard", "link", "noise", "sub/", "with%20space%20%C3%BC.txt"] {
        assert!(listing.contains(&format!("{}</D:href>", latest(name))), "{name}: {listing}");
    }
    assert!(!listing.contains("/away<"), "{listing}");
    let target = format!("Destination: {}latest/x", text(&told, "url"));
    for method in ["PUT", "DELETE", "MKCOL", "COPY", "MOVE", "PROPPATCH", "LOCK", "PATCH"] {
        let refused = get(&["--request", method, "--header", &target], &latest("a.txt"));
        assert_eq!(refused.0, "405", "{method}");
    }
    assert_eq!(get(&[], &latest("a.txt")), answer("200", b"second\n"));
    // New snapshots appear.
    fs::write(source.join("a.txt"), "third\n").expect("a file");
    yore.run_on("backup", &[&source]).assert_code(0);
    let began = Instant::now();
    while get(&[], &latest("a.txt")).1 != b"third\n" {
        assert!(began.elapsed() < Duration::from_secs(5), "the new snapshot does not appear");
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(server.end(), Some(0));
}

#[test]
fn webdav_refuses_requests_without_the_password() {
    let (yore, _) = backed_up();
    let login = yore.scratch.at("login");
    fs::write(&login, "anna:geheim: mit Doppelpunkt\n").expect("a file");
    let words = format!("webdav --listen 127.0.0.1:0 --login-file {}", login.display());
    let (_server, told) = Server::of(&yore, &words);
    assert_eq!(told["password"], Value::Null);
    let url = text(&told, "url");
    let ask = |options: &[&str]| {
        let output = Command::new("curl")
            .args(["--silent", "--output", "/dev/null", "--write-out", "%{http_code}"])
            .args(options)
            .arg(url)
            .output()
            .expect("curl runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert_eq!(ask(&["--head"]), "401");
    assert_eq!(ask(&["--request", "PROPFIND"]), "401");
    assert_eq!(ask(&["--request", "PROPFIND", "--user", "anna:geheim"]), "401");
    assert_eq!(ask(&["--request", "PROPFIND", "--user", "bert:geheim: mit Doppelpunkt"]), "401");
    assert_eq!(ask(&["--request", "PROPFIND", "--user", "anna:geheim: mit Doppelpunkt"]), "207");
    fs::write(&login, "no password\n").expect("a file");
    yore.run_on("serve webdav --listen 127.0.0.1:0 --login-file", &[&login]).assert_code(2);
    let taken = url.trim_start_matches("http://").trim_end_matches('/');
    let ended = yore.run(["serve", "webdav", "--listen", taken]).assert_code(1);
    assert!(ended.err.contains("another program has it"), "{ended:?}");
}

#[test]
fn rclone_lists_copies_and_compares_by_webdav() {
    let (yore, source) = backed_up();
    for link in ["away", "link", "sub/up"] {
        fs::remove_file(source.join(link)).expect("a link");
    }
    yore.run_on("backup", &[&source]).assert_code(0);
    let (_server, told) = Server::of(&yore, "webdav --listen 127.0.0.1:0");
    let remote = format!(
        ":webdav,url='{}latest{}',user={}:",
        text(&told, "url"),
        source.display(),
        text(&told, "user")
    );
    let rclone = |arguments: &str, paths: &[&Path]| {
        let line = format!(
            "export RCLONE_CONFIG=/dev/null; RCLONE_WEBDAV_PASS=$(rclone obscure \"$1\") && export RCLONE_WEBDAV_PASS && rclone {arguments}"
        );
        let mut words = vec![Path::new(text(&told, "password")), Path::new(&remote)];
        words.extend(paths);
        in_shell(&line, &words)
    };
    let listed = rclone("lsf --recursive --format ps \"$2\" | LC_ALL=C sort", &[]);
    let expected = "a.txt;7\nagain;7\nhard;7\nnoise;5000000\nsub/;-1\nwith space ü.txt;3\n";
    assert_eq!(listed, expected);
    let copy = yore.scratch.folder("copy");
    rclone("copy --create-empty-src-dirs \"$2\" \"$3\"", &[&copy]);
    in_shell("diff -r \"$1\" \"$2\"", &[&copy, &source]);
    rclone("check --download \"$2\" \"$3\"", &[&source]);
}

#[test]
fn litmus_passes_every_test_that_only_reads() {
    let (yore, source) = backed_up();
    let (_server, told) = Server::of(&yore, "webdav --listen 127.0.0.1:0");
    let url = text(&told, "url").to_owned();
    let login = [text(&told, "user"), text(&told, "password")];
    let mut command = Command::new("python3");
    command.arg(root().join("tests/oracle/relay.py")).arg(&url).args(login).arg(&source);
    // The relay backs up what litmus writes, with the program's own settings.
    let program = yore.command(["backup", "--quiet"]);
    command.arg(program.get_program()).args(program.get_args());
    command.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let relay = Server::start(&mut command);
    let place = format!("http://127.0.0.1:{}/latest{}/", relay.said.trim(), source.display());
    let log = tempfile::tempdir().expect("a folder");
    let run = |part: &str| {
        let output = Command::new("/usr/libexec/litmus".to_owned() + "/" + part)
            .args(["-d", "/usr/share/litmus/htdocs", &place])
            .args(login)
            // litmus writes a log into its working directory.
            .current_dir(log.path())
            .output()
            .expect("litmus runs");
        String::from_utf8_lossy(&output.stdout).replace('\r', "\n")
    };
    for part in ["basic", "http"] {
        let said = run(part);
        assert!(said.contains("100.0%"), "{said}");
    }
    let said = run("props");
    for wanted in ["propfind_invalid.", "propfind_invalid2.", "propfind_d0.", "propextended."] {
        let mut lines = said.lines().filter(|line| line.contains(wanted));
        assert!(lines.any(|line| line.ends_with(" pass")), "{wanted}: {said}");
    }
    // The only failures are those of setting properties.
    let failed: Vec<&str> = said.lines().filter(|line| line.contains("FAIL")).collect();
    let explained = |line: &&str| line.contains("PROPPATCH") || line.contains("propget");
    assert!(failed.iter().all(explained), "{said}");
}

#[test]
fn a_client_of_nfs_reads_old_versions_and_needs_the_token() {
    let (yore, source) = backed_up();
    fs::create_dir(source.join("many")).expect("a folder");
    for number in 0..MANY {
        fs::write(source.join(format!("many/{number}")), "").expect("a file");
    }
    yore.run_on("backup", &[&source]).assert_code(0);
    let (mut server, told) = Server::of(&yore, "nfs");
    let address = text(&told, "address");
    let port = address.rsplit(':').next().expect("a port");
    let export = text(&told, "path");
    let url = |export: &str, path: &str| {
        let path = path.replace(' ', "%20");
        PathBuf::from(format!("nfs://127.0.0.1{export}{path}?nfsport={port}&mountport={port}"))
    };
    let at = |state: &str, name: &str| url(export, &format!("/{state}{}/{name}", source.display()));
    let cat = |place: &Path| in_shell("nfs-cat \"$1\"", &[place]);
    assert_eq!(cat(&at("latest", "a.txt")), "second\n");
    assert_eq!(cat(&at("latest", "hard")), "second\n");
    assert_eq!(cat(&at("snapshots/2026-01-15", "again")), "first\n");
    assert_eq!(cat(&at("latest", "link")), "second\n");
    let copy = yore.scratch.at("copy");
    in_shell("nfs-cat \"$1\" > \"$2\"", &[&at("latest", "noise"), &copy]);
    in_shell("cmp \"$1\" \"$2\"", &[&copy, &source.join("noise")]);
    let names = |place: &Path| {
        let mut names: Vec<String> = in_shell("nfs-ls \"$1\" | awk '{ print $NF }'", &[place])
            .lines()
            .map(str::to_owned)
            .collect();
        names.sort();
        names
    };
    let here = names(&at("latest", ""));
    let expected = ["a.txt", "again", "away", "hard", "link", "many", "noise", "sub", "ü.txt"];
    assert_eq!(here, expected);
    let mut numbers: Vec<String> = (0..MANY).map(|number| number.to_string()).collect();
    numbers.sort();
    assert_eq!(names(&at("latest", "many")), numbers);
    let listed = in_shell("nfs-ls \"$1\"", &[&at("latest", "")]);
    let twice = listed.lines().filter(|line| line.split_whitespace().nth(1) == Some("3")).count();
    assert_eq!(twice, 3, "{listed}");
    // Without the token nothing can be read, and with it nothing can be written.
    let stranger = format!("/{}", "0".repeat(32));
    for wrong in ["", "/", &stranger] {
        let refused = format!("! nfs-ls \"{}\"", url(wrong, "").display());
        in_shell(&refused, &[]);
    }
    in_shell("! nfs-cp \"$1\" \"$2\"", &[&source.join("noise"), &at("latest", "new")]);
    assert_eq!(cat(&at("latest", "a.txt")), "second\n");
    assert_eq!(server.end(), Some(0));
}

/// Backs up files with given names and times, in seconds since 1970, from a tmpfs: disks hold fewer years.
fn of_times(times: &[(&str, i64)]) -> (Yore, tempfile::TempDir) {
    let yore = Yore::with_repository();
    let source = tempfile::tempdir_in("/dev/shm").expect("a folder in memory");
    for (name, second) in times {
        let file = source.path().join(name);
        fs::write(&file, "content\n").expect("a file");
        let date = format!("@{second}");
        in_shell("touch --date \"$1\" \"$2\"", &[Path::new(&date), &file]);
    }
    yore.run_on("backup", &[source.path()]).assert_code(0);
    (yore, source)
}

#[test]
fn times_outside_of_a_protocols_range_become_the_nearest_in_it() {
    let last_of_9999 = 253_402_300_799;
    let times = [
        ("first", i64::MIN),
        ("year-1019", -30_000_000_000),
        ("year-1969", -43_200),
        ("year-2001", 1_000_000_000),
        ("year-9999", last_of_9999),
        ("year-10000", last_of_9999 + 1),
        ("last", i64::MAX),
    ];
    let dates = [
        "Thu, 01 Jan 1970 00:00:00 GMT",
        "Thu, 01 Jan 1970 00:00:00 GMT",
        "Thu, 01 Jan 1970 00:00:00 GMT",
        "Sun, 09 Sep 2001 01:46:40 GMT",
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "Fri, 31 Dec 9999 23:59:59 GMT",
    ];
    let (yore, source) = of_times(&times);
    let place = source.path().to_str().expect("text");
    let (_server, told) = Server::of(&yore, "webdav --listen 127.0.0.1:0");
    let body = r#"<propfind xmlns="DAV:" xmlns:Z="urn:schemas-microsoft-com:"><prop><creationdate/>
        <getlastmodified/><getcontentlength/><Z:Win32CreationTime/><Z:Win32LastModifiedTime/></prop></propfind>"#;
    for options in [&[][..], &["--data", body]] {
        let mut words = vec!["--request", "PROPFIND", "--header", "Depth: 1"];
        words.extend(options);
        let (status, listing) = curl(&told, &words, &format!("latest{place}/"));
        let listing = String::from_utf8(listing).expect("text");
        assert_eq!(status, "207");
        assert!(listing.trim_end().ends_with("</D:multistatus>"), "{listing}");
        for ((name, _), date) in times.iter().zip(dates) {
            let (_, after) = listing.split_once(&format!("/{name}<")).expect("a name");
            let (own, _) = after.split_once("</D:response>").expect("an end");
            let expected = format!("<D:getlastmodified>{date}</D:getlastmodified>");
            assert!(own.contains(&expected), "{name}: {own}");
        }
    }
    // The listing for browsers.
    let (status, page) = curl(&told, &[], &format!("latest{place}/"));
    let page = String::from_utf8(page).expect("text");
    assert!(status == "200" && page.contains("year-1969") && page.ends_with("</html>"), "{page}");
    for ((name, _), date) in times.iter().zip(dates) {
        let (status, head) = curl(&told, &["--head"], &format!("latest{place}/{name}"));
        let head = String::from_utf8(head).expect("text").to_lowercase();
        assert_eq!(status, "200", "{name}");
        assert!(head.contains(&format!("last-modified: {}", date.to_lowercase())), "{head}");
    }
    let (_server, told) = Server::of(&yore, "nfs");
    let port = text(&told, "address").rsplit(':').next().expect("a port");
    let export = text(&told, "path");
    let url = format!("nfs://127.0.0.1{export}/latest{place}?nfsport={port}&mountport={port}");
    let mut listed: Vec<String> =
        in_shell("nfs-ls \"$1\" | awk '{ print $NF }'", &[Path::new(&url)])
            .lines()
            .map(str::to_owned)
            .collect();
    listed.sort();
    let mut names = times.map(|(name, _)| name.to_owned());
    names.sort();
    assert_eq!(listed, names);
}

#[test]
fn a_drive_and_the_program_show_times_of_any_year() {
    let times = [
        ("first", i64::MIN, "@-9223372036854775808"),
        ("year-1019", -30_000_000_000, "1019-05-04T18:40:00Z"),
        ("year-1969", -43_200, "1969-12-31T12:00:00Z"),
        ("year-10000", 253_402_300_800, "@253402300800"),
        ("last", i64::MAX, "@9223372036854775807"),
    ];
    let (yore, source) = of_times(&times.map(|(name, second, _)| (name, second)));
    let drive = MountGuard::new(&yore, &[]);
    let shown = drive.path_of("latest", source.path());
    for (name, second, _) in times {
        let told = in_shell("stat --format %Y \"$1\"", &[&shown.join(name)]);
        assert_eq!(told.trim(), second.to_string(), "{name}");
    }
    let place = format!("latest:{}", source.path().display());
    yore.run(["ls", "--long", &place]).assert_code(0);
    let nodes = yore.run(["ls", "--json", &place]).assert_code(0).objects();
    for (name, _, expected) in times {
        let node = nodes.iter().find(|node| text(node, "path").ends_with(name)).expect("a node");
        assert_eq!(text(node, "modified"), expected, "{name}");
    }
}

#[test]
fn a_range_that_ends_past_the_file_ends_with_the_file() {
    let (yore, source) = backed_up();
    let (_server, told) = Server::of(&yore, "webdav --listen 127.0.0.1:0");
    let path = format!("latest{}/a.txt", source.display());
    for range in ["3-9223372036854775807", "3-18446744073709551615", "3-99999999999999999999999"] {
        let answer = curl(&told, &["--max-time", "20", "--range", range], &path);
        assert_eq!(answer, ("206".to_owned(), b"ond\n".to_vec()), "{range}");
    }
}
