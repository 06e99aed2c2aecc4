//! The end of every help: examples, exit codes and the environment.

use clap::Command;

const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    failed, or found what must not be: damage, a backup that is too old
  2    what was typed makes no sense
  3    done, but something could not be read or written, or changed each time it was read, or
       a destination is not there; each is listed
  10   there is no repository
  11   something else must end first
  12   the secret opens nothing
  130  interrupted; 143 when the system ended it (SIGTERM)";

const ENVIRONMENT: &str = "\
Environment:
  YORE_REPO              as --repo
  YORE_KEY_FILE          as --key-file
  YORE_PASSWORD_FILE     as --password-file
  YORE_PASSWORD_COMMAND  as --password-command
  YORE_PASSWORD          the passphrase or recovery key itself
  YORE_S3_CREDENTIALS_COMMAND
                         a command that prints the credentials of a bucket
  YORE_CONFIG            as --config
  YORE_STATE_DIR         where Yore remembers this installation
  YORE_CACHE_DIR         where Yore caches
  TZ                     the time zone in which times are meant and shown
  COLUMNS                the width of the terminal
  NO_COLOR               no colours in the help";

/// Examples of each command: by its path, as `alert check`, or by its last word.
const EXAMPLES: [(&str, &[&str]); 60] = [
    (
        "yore",
        &[
            "yore try",
            "yore --repo /mnt/disk/backup init",
            "yore --repo /mnt/disk/backup backup ~/Documents",
        ],
    ),
    ("try", &["yore try", "yore try ~/Pictures"]),
    (
        "init",
        &[
            "yore --repo /mnt/disk/backup init",
            "yore init --key-file /etc/yore.key",
            "yore init --parity 5%",
        ],
    ),
    (
        "backup",
        &[
            "yore backup ~/Documents ~/Pictures",
            "yore backup / --one-file-system --exclude '*.iso'",
            "yore backup --command 'pg_dump mydb' --name mydb.sql",
        ],
    ),
    ("snapshots", &["yore snapshots --limit 10", "yore snapshots --path ~/Documents"]),
    ("ls", &["yore ls", "yore ls yesterday:~/Documents", "yore ls -R 2026-01-15:/etc"]),
    ("cat", &["yore cat yesterday:~/Documents/plan.txt"]),
    ("log", &["yore log ~/Documents/plan.odt"]),
    ("find", &["yore find '*.odt' --from 2026-01-01", "yore find plan --size +1M"]),
    ("diff", &["yore diff yesterday latest", "yore diff latest~1 latest --content"]),
    (
        "restore",
        &[
            "yore restore ~/Documents/plan.odt",
            "yore restore plan.odt --at yesterday",
            "yore restore latest:~/Documents --target /tmp/restored",
            "yore restore latest:~/Documents --target /tmp/restored --salvage",
        ],
    ),
    ("mount", &["yore mount ~/past", "yore mount --detach ~/past"]),
    ("umount", &["yore umount ~/past"]),
    ("serve", &["yore serve webdav", "yore serve nfs"]),
    ("webdav", &["yore serve webdav", "yore serve webdav --listen 127.0.0.1:0"]),
    ("nfs", &["yore serve nfs"]),
    ("desktop", &["yore desktop install", "yore desktop open ~/Documents/plan.odt"]),
    (
        "check",
        &[
            "yore check",
            "yore check --read-data",
            "yore check --read-data=1/7 --limit-rate '20 MB/s'",
            "yore check --expect-head 7f3a91c2d4e5f607",
        ],
    ),
    (
        "status",
        &[
            "yore status",
            "yore status --check --max-age 26h",
            "yore status --forget-source /mnt/usb",
        ],
    ),
    ("stats", &["yore stats", "yore stats --by snapshot", "yore stats --by path --depth 4"]),
    ("destination", &["yore destination add /mnt/nas/yore --name nas", "yore destination list"]),
    (
        "add",
        &[
            "yore destination add /mnt/nas/yore --name nas",
            "yore destination add 'volume:My Disk/yore'",
            "yore source add ~/Documents ~/Pictures --exclude '*.iso'",
            "yore source add /srv/data --snapshot auto",
            "yore source add --kind docker --volume uploads --name shop --containers pause",
            "yore source add sftp://pi@nas/home/pi/docs",
            "yore key add --passphrase --label 'my partner'",
            "yore key add --key-file /etc/yore.key --label server",
            "yore key add --write-only web01 --key-file ~/web01.key",
        ],
    ),
    ("list", &["yore destination list", "yore source list", "yore key list", "yore schedule list"]),
    (
        "remove",
        &[
            "yore destination remove nas",
            "yore source remove documents",
            "yore key remove 0a1b2c3d",
            "yore schedule remove weekly",
            "yore desktop remove",
            "yore secret remove main",
        ],
    ),
    ("key", &["yore key list", "yore key passwd", "yore key recovery --page recovery-key.html"]),
    ("passwd", &["yore key passwd"]),
    ("recovery", &["yore key recovery --page recovery-key.html", "yore key recovery --replace"]),
    ("rotate", &["yore key rotate", "yore key rotate --keep-key-file /etc/yore.key --yes"]),
    ("export", &["yore key export /media/usb/yore.key --label 'USB stick in the safe'"]),
    (
        "source",
        &[
            "yore source add ~/Documents",
            "yore source add sftp://pi@nas/home/pi/docs",
            "yore source list",
        ],
    ),
    ("config", &["yore config show", "yore config set limit.upload '5 MB/s'"]),
    ("show", &["yore config show", "yore config show --json"]),
    ("get", &["yore config get destination.nas.url"]),
    (
        "set",
        &[
            "yore config set destination.nas.verify-writes true",
            "yore config set limit.upload '5 MB/s' '08:00-18:00 1 MB/s'",
            "yore config set limit.upload --remove",
            "yore secret set main",
        ],
    ),
    ("edit", &["yore config edit"]),
    ("secret", &["yore secret set main", "yore config set password-keyring main"]),
    ("path", &["yore config path"]),
    (
        "sync",
        &["yore sync", "yore sync --to disk", "yore sync --read-data", "yore sync --extend-lock"],
    ),
    (
        "forget",
        &[
            "yore forget 0a1b2c3d --dry-run",
            "yore forget latest~3 2026-01-15",
            "yore forget --keep-daily 7 --keep-weekly 4 --keep-monthly 3 --dry-run",
            "yore forget --keep-daily 7 --keep-weekly 4 --keep-monthly 3 --prune",
            "yore forget --missing",
        ],
    ),
    ("pin", &["yore pin 0a1b2c3d", "yore pin 2026-01-15"]),
    ("unpin", &["yore unpin 0a1b2c3d"]),
    ("tag", &["yore tag latest --add release", "yore tag 0a1b2c3d --remove release"]),
    (
        "rewrite",
        &[
            "yore rewrite --exclude '*.iso' --dry-run",
            "yore rewrite --exclude ~/secret --exclude '*.tmp'",
        ],
    ),
    ("acknowledge", &["yore acknowledge", "yore acknowledge 0a1b2c3d"]),
    ("watch", &["yore watch", "yore watch --quiet-after 10 --source documents"]),
    (
        "schedule",
        &[
            "yore schedule install --daily 02:30",
            "yore schedule install --weekly 'sun 04:00' --source configuration --name weekly",
            "yore schedule install --drill --monthly '1 05:00'",
            "yore schedule install --watch",
        ],
    ),
    (
        "install",
        &[
            "yore schedule install --daily 02:30 --splay 15m",
            "yore schedule install --watch --dry-run",
            "yore desktop install",
        ],
    ),
    ("drill", &["yore drill", "yore drill --sample 500 --report drill.html"]),
    ("history", &["yore history", "yore history --failed --limit 5"]),
    ("alert", &["yore alert test", "yore alert check"]),
    ("alert check", &["yore alert check"]),
    ("test", &["yore alert test", "yore alert test phone"]),
    ("completions", &["yore completions bash > /etc/bash_completion.d/yore"]),
    ("man", &["yore man /usr/local/share/man/man1"]),
    ("package-files", &["yore package-files /usr/local --program /usr/local/bin/yore"]),
    ("collect", &["yore collect", "yore collect web01 --prune"]),
    (
        "copy",
        &[
            "yore copy --from /mnt/old/backup --dry-run",
            "yore copy --from sftp://me@nas/backup --from-password-file ~/old-passphrase",
            "yore copy --from /mnt/old/backup --host laptop 0a1b2c3d",
        ],
    ),
    (
        "import",
        &[
            "yore import /mnt/rsync --pattern %Y%m%d_%H%M%S --as ~/Documents",
            "yore import /mnt/restic/snapshots --pattern %Y-%m-%dT%H:%M:%S%:z --as /",
            "yore import /home/.snapshots --snapper --as /home",
        ],
    ),
    ("repair", &["yore repair --dry-run", "yore repair"]),
    ("prune", &["yore prune --dry-run", "yore prune", "yore prune --max-unused 10% --grace 0"]),
];

/// Gives a command, and every command below it, the end of its help.
pub fn with_endings(command: Command) -> Command {
    let path = command.get_name().to_owned();
    with_ending(command, &path)
}

/// Does that for the command of a path, such as `alert check`.
fn with_ending(command: Command, path: &str) -> Command {
    let below: Vec<String> = command.get_subcommands().map(|c| c.get_name().to_owned()).collect();
    let ending = ending(path, command.get_name());
    let command = command.after_help(ending);
    let path_of = |name: &str| match path {
        "yore" => name.to_owned(),
        _ => format!("{path} {name}"),
    };
    below.iter().fold(command, |command, name| {
        command.mut_subcommand(name, |below| with_ending(below, &path_of(name)))
    })
}

fn ending(path: &str, name: &str) -> String {
    let examples_of = |key: &str| EXAMPLES.iter().find(|(of, _)| *of == key);
    let examples = examples_of(path).or_else(|| examples_of(name)).map_or(&[][..], |(_, of)| *of);
    let mut parts = Vec::new();
    if !examples.is_empty() {
        parts.push(format!("Examples:\n  {}", examples.join("\n  ")));
    }
    parts.extend([EXIT_CODES.to_owned(), ENVIRONMENT.to_owned()]);
    parts.join("\n\n")
}
