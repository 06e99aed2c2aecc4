//! Dumps of real servers: dumped, changed, restored into a second database, compared.

use yore_tests::{DatabaseServer, Person, in_shell};

fn add_source(person: &Person, kind: &str, server: &DatabaseServer, extra: &[&str]) {
    let options = server.options();
    let options = options.iter().flat_map(|option| ["--option", option]);
    let words = ["source", "add", "--kind", kind, "--name", "db"].into_iter().chain(options);
    person.types(words.chain(extra.iter().copied())).assert_code(0);
}

/// Restores a dump as the documents say: by one pipe.
fn restore(person: &Person, moment: &str, server: &DatabaseServer, database: &str) {
    let mut cat = person.command(["cat", moment]);
    let program = cat.get_program().to_owned();
    let words: Vec<_> = cat.get_args().map(|word| word.to_string_lossy().into_owned()).collect();
    let envs: Vec<_> = cat.get_envs().filter_map(|(key, value)| Some((key, value?))).collect();
    let mut shell = std::process::Command::new("bash");
    shell.env_clear().envs(envs).env("PATH", std::env::var_os("PATH").unwrap_or_default());
    let line = format!("{} {} | {}", program.display(), words.join(" "), server.feeds(database));
    let ended = shell.args(["-o", "pipefail", "-c", &line]).output().expect("bash runs");
    assert!(ended.status.success(), "{line}: {}", String::from_utf8_lossy(&ended.stderr));
    cat.current_dir("/");
}

#[test]
fn databases_of_mariadb_are_dumped_and_restored() {
    let server = DatabaseServer::mariadb();
    server.run("", "create database shop; create database other");
    server.run(
        "shop",
        "create table goods (id int primary key, name text); insert into goods values (1, 'Käse')",
    );
    server.run("shop", "create procedure answer() select 42");
    let person = Person::with_destinations(&["disk"]);
    add_source(&person, "mariadb", &server, &[]);
    let first = person.types(["backup", "--json"]).assert_code(0).objects();
    let saved = first.iter().filter(|object| object["type"] == "backup").count();
    assert_eq!(saved, 3, "shop, other and mysql: {first:?}");
    // An unchanged database is the same dump, so nothing is stored anew but its record.
    let again = person.types(["backup", "--json"]).assert_code(0).objects();
    let again = again.iter().find(|object| object["type"] == "backup").expect("a backup");
    assert_eq!(again["totals"]["changed_files"], 0, "{again:?}");
    server.run("shop", "insert into goods values (2, 'Brot'); delete from goods where id = 1");
    server.run("", "create database copy");
    restore(&person, "latest:/db/shop.sql", &server, "copy");
    assert_eq!(server.run("copy", "select id, name from goods"), "1\tKäse\n");
    assert_eq!(server.run("copy", "call answer()").trim(), "42");
    // One that is named alone, and its retention.
    person.types(["config", "set", "source.db.databases", "shop"]).assert_code(0);
    person.types(["config", "set", "source.db.retention.last", "2"]).assert_code(0);
    person.types(["config", "set", "source.db.retention.auto", "true"]).assert_code(0);
    person.types(["backup"]).assert_code(0);
}

#[test]
fn databases_of_postgresql_are_dumped_and_restored_with_their_roles() {
    let mut server = DatabaseServer::postgresql();
    server.run("postgres", "create role clerk");
    server.run("postgres", "create database shop owner clerk");
    server.run(
        "shop",
        "create table goods (id int primary key, name text); insert into goods values (1, 'Käse')",
    );
    let person = Person::with_destinations(&["disk"]);
    add_source(&person, "postgresql", &server, &[]);
    person.types(["backup"]).assert_code(0);
    let globals = person.types(["cat", "latest:/db/globals.sql"]).assert_code(0);
    assert!(globals.out.contains("CREATE ROLE clerk"), "{}", globals.out);
    server.run("shop", "update goods set name = 'Brot'");
    server.run("postgres", "create database copy");
    restore(&person, "latest:/db/shop.sql", &server, "copy");
    assert_eq!(server.run("copy", "select name from goods"), "Käse\n");
    // A server that is gone fails the backup of its databases, and no snapshot is made.
    let before = person.types(["snapshots", "--json"]).assert_code(0).objects().len();
    server.kill();
    let failed = person.types(["backup"]).assert_code(1);
    assert!(failed.err.contains("the databases of db are not known"), "{}", failed.err);
    assert_eq!(person.types(["snapshots", "--json"]).assert_code(0).objects().len(), before);
}

#[test]
fn a_dump_that_is_cut_off_is_never_saved() {
    let person = Person::with_destinations(&["disk"]);
    let words = ["source", "add", "--kind", "command", "--file", "db/x.sql", "--name", "db"];
    person.types(words.into_iter().chain(["--command", "echo half; kill -9 $$"])).assert_code(0);
    person.types(["backup"]).assert_code(1);
    assert_eq!(person.types(["snapshots", "--json"]).assert_code(0).objects().len(), 0);
    let missing = ["source", "add", "--kind", "command", "--file", "y", "--name", "gone"];
    let told = person.types(missing.into_iter().chain(["--command", "no-such-dumper --all"]));
    assert!(told.assert_code(0).err.contains("no-such-dumper"), "it is said at once");
    let status = person.types(["status"]);
    assert!(status.err.contains("no-such-dumper"), "and before the night: {}", status.err);
}

#[test]
fn a_database_of_sqlite_in_use_is_consistent() {
    let person = Person::with_destinations(&["disk"]);
    let database = person.at("app.db");
    let path = database.to_str().expect("UTF-8");
    in_shell(
        "sqlite3 \"$1\" 'pragma journal_mode = wal; create table t (a, b)' > /dev/null",
        &[&database],
    );
    let words = ["source", "add", "--kind", "sqlite", "--name", "app", path];
    person.types(words).assert_code(0);
    // A program that always writes two equal halves, in one transaction.
    let script = "for i in $(seq 1 400); do sqlite3 -cmd '.timeout 5000' \"$1\" \
                  \"begin; insert into t values ($i, 0); insert into t values ($i, 1); commit\"; done";
    let mut writer = std::process::Command::new("bash")
        .args(["-c", script, "bash", path])
        .spawn()
        .expect("bash runs");
    for _ in 0..5 {
        person.types(["backup"]).assert_code(0);
    }
    let _ = writer.kill();
    let _ = writer.wait();
    let restored = person.at("restored.db");
    let found = person.command(["cat", &format!("latest:{path}")]).output().expect("it runs");
    std::fs::write(&restored, found.stdout).expect("a file");
    let ask = |query: &str| {
        let output = std::process::Command::new("sqlite3").arg(&restored).arg(query).output();
        String::from_utf8(output.expect("sqlite3 runs").stdout).expect("UTF-8").trim().to_owned()
    };
    assert_eq!(ask("pragma integrity_check"), "ok");
    assert_eq!(ask("select count(*) % 2 from t"), "0", "both halves of each transaction");
}
