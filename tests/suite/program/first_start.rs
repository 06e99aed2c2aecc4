//! A person who types only `yore init`, and answers four questions.

use std::fs;

use yore_tests::{Person, on_terminal};

#[test]
fn four_answers_make_a_configuration_a_repository_and_a_first_backup() {
    let person = Person::new();
    fs::write(person.folder("Documents", "a letter").join("second"), "b").expect("a file");
    person.folder("Pictures", "a photograph");
    let disk = person.yore.scratch.at("disk");
    let typed = format!("\n{}\n\n-\n", disk.display());
    let ended = on_terminal(120, &person.command(["init"]), &typed).assert_code(0);
    assert!(ended.out.contains("Recovery key:"), "{}", ended.out);
    assert!(ended.out.contains("Saved snapshot"), "{}", ended.out);
    let text = person.configured();
    for line in ["[[destination]]", "[[source]]", "# retention.daily", "yore.key"] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let letter = format!("latest:{}", person.at("Documents/file").display());
    assert_eq!(person.types(["cat", &letter]).assert_code(0).out, "a letter");
    person.types(["backup"]).assert_code(0);
    let key = person.at(".config/yore/yore.key");
    let mode = yore_platform::path_metadata(&key).expect("the key file").mode;
    assert_eq!(mode.map(|mode| mode & 0o777), Some(0o600));
    // With a configuration, nothing is asked.
    let again = on_terminal(120, &person.command(["init"]), "");
    assert!(!again.out.contains("Four questions"), "{}", again.out);
}

#[test]
fn a_wrong_answer_makes_nothing() {
    let person = Person::new();
    person.folder("Documents", "x");
    let typed = format!("/no/such/folder\n{}\n\n-\n", person.at("disk").display());
    let ended = on_terminal(120, &person.command(["init"]), &typed).assert_code(2);
    assert!(ended.out.contains("/no/such/folder is not there"), "{}", ended.out);
    let nowhere = on_terminal(120, &person.command(["init"]), "\nme:secret@host:/x\n");
    assert!(nowhere.code != Some(0) && !nowhere.out.contains("Recovery key:"), "{}", nowhere.out);
    assert!(!person.configuration().exists());
}
