//! Drills: a restore that is tried before it is needed.

use std::fs;

use yore_tests::{DatabaseServer, Person, noise};

#[test]
fn a_drill_restores_compares_and_finds_what_is_damaged() {
    let person = Person::with_destinations(&["disk"]);
    let docs = person.folder("docs", "x");
    for number in 0..30 {
        fs::write(docs.join(number.to_string()), noise(40_000, number)).expect("a file");
    }
    person.types(["source", "add", "docs"]).assert_code(0);
    person.types(["backup"]).assert_code(0);
    let page = person.at("drill.html");
    let words = ["drill", "--sample", "10", "--json", "--report"].map(std::ffi::OsStr::new);
    let right = person.types(words.into_iter().chain([page.as_os_str()])).assert_code(0).objects();
    let drill = right.iter().find(|object| object["type"] == "drill").expect("a drill");
    assert_eq!((&drill["files"], &drill["compared"]), (&10.into(), &10.into()), "{drill}");
    let page = fs::read_to_string(page).expect("the page");
    assert!(page.contains("Everything that was restored is as it was saved."), "{page}");
    // The person's own check, in the folder of what was restored.
    let check = format!("test -e \"$YORE_DRILL_DIR{}/file\"", docs.display());
    person.types(["drill", "--all", "--command", &check]).assert_code(0);
    let failed = person.types(["drill", "--command", "exit 4"]).assert_code(1);
    assert!(failed.err.contains("your own check failed"), "{}", failed.err);
    let status = person.types(["status"]);
    assert!(
        status.out.contains("The last drill, ") && status.out.contains("FAILED"),
        "{}",
        status.out
    );
    // A live file that rotted: same times, other content.
    let rotten = docs.join("7");
    let before = fs::metadata(&rotten).expect("it is there").modified().expect("a time");
    let mut bytes = fs::read(&rotten).expect("it is there");
    bytes[20_000] ^= 1;
    fs::write(&rotten, bytes).expect("a file");
    fs::File::options()
        .write(true)
        .open(&rotten)
        .expect("it is there")
        .set_modified(before)
        .expect("set");
    person.types(["drill", "--all"]).assert_code(0);
    // A pack that is damaged.
    let packs = person.at("disk/packs");
    let mut largest = (0, std::path::PathBuf::new());
    for folder in fs::read_dir(packs).expect("packs").flatten() {
        for pack in fs::read_dir(folder.path()).expect("a folder").flatten() {
            largest = largest.max((pack.metadata().expect("a size").len(), pack.path()));
        }
    }
    let mut bytes = fs::read(&largest.1).expect("a pack");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x55;
    fs::write(&largest.1, bytes).expect("a pack");
    let failed = person.types(["drill", "--all"]).assert_code(1);
    assert!(failed.err.contains("the drill failed"), "{}", failed.err);
    person.types(["drill", "--host", "nobody"]).assert_code(1);
}

#[test]
fn a_dump_is_loaded_into_a_scratch_database_and_counted() {
    let server = DatabaseServer::mariadb();
    server.run("", "create database shop");
    server
        .run("shop", "create table goods (id int primary key); insert into goods values (1), (2)");
    let person = Person::with_destinations(&["disk"]);
    let options = server.options();
    let words = ["source", "add", "--kind", "mariadb", "--name", "db", "--database", "shop"];
    let options = options.iter().flat_map(|option| ["--option", option]);
    person.types(words.into_iter().chain(options)).assert_code(0);
    person.types(["backup"]).assert_code(0);
    let count = |number: &str| {
        let (root, scratch) = (server.feeds(""), server.feeds("scratch"));
        let count = format!("{scratch} -N -e 'select count(*) from goods' < /dev/null");
        format!(
            "set -e; echo \"$YORE_SOURCE $YORE_DATABASE $YORE_FILE\" > facts
             {root} -e 'drop database if exists scratch; create database scratch' < /dev/null
             {scratch}; [ \"$({count})\" = {number} ]"
        )
    };
    let set = |command: &str| {
        person.types(["config", "set", "source.db.drill.command", command]).assert_code(0);
    };
    set(&count("2"));
    let right = person.types(["drill", "--json"]).assert_code(0).objects();
    let drill = right.iter().find(|object| object["type"] == "drill").expect("a drill");
    assert!(drill["loaded_seconds"].as_f64().is_some_and(|seconds| seconds > 0.0), "{drill}");
    assert_eq!(server.run("scratch", "select count(*) from goods"), "2\n");
    assert_eq!(fs::read_to_string(person.at("facts")).expect("facts"), "db shop /db/shop.sql\n");
    assert!(person.types(["drill"]).assert_code(0).out.contains("(RTO)"));
    // Another count than is expected, and a command that looks at nothing.
    set(&count("3"));
    let wrong = person.types(["drill"]).assert_code(1);
    assert!(
        wrong.err.contains("/db/shop.sql: its command failed: exit status: 1"),
        "{}",
        wrong.err
    );
    let status = person.types(["status"]);
    assert!(
        status.out.contains("The last drill, ") && status.out.contains("FAILED"),
        "{}",
        status.out
    );
    server.run("shop", "create table large (text longtext)");
    server.run("shop", "insert into large values (repeat('0123456789abcdef', 100000))");
    person.types(["backup"]).assert_code(0);
    set("true");
    let blind = person.types(["drill"]).assert_code(1);
    assert!(blind.err.contains("before it had read the whole dump"), "{}", blind.err);
    // A dump that was made without an error and is none.
    let words = ["source", "add", "--kind", "command", "--name", "broken", "--file", "broken.sql"];
    person.types(words.into_iter().chain(["--command", "echo create tabel oops"])).assert_code(0);
    set(&count("2"));
    person.types(["backup"]).assert_code(0);
    person.types(["drill"]).assert_code(0);
    let key = "source.broken.drill.command";
    person.types(["config", "set", key, &server.feeds("scratch")]).assert_code(0);
    let broken = person.types(["drill"]).assert_code(1);
    assert!(broken.err.contains("/broken.sql: its command failed"), "{}", broken.err);
}

#[test]
fn files_have_no_command_that_loads_them() {
    let person = Person::with_destinations(&["disk"]);
    person.folder("docs", "x");
    person.types(["source", "add", "docs"]).assert_code(0);
    let refused = person.types(["config", "set", "source.docs.drill.command", "cat"]);
    let refused = refused.assert_code(2);
    assert!(refused.err.contains("source.drill is for kind command"), "{}", refused.err);
}
