//! The book of `docs/`, as mdBook makes it.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use yore_tests::{Scratch, root};

/// Returns the values of an attribute in a page.
fn values<'a>(page: &'a str, attribute: &str) -> Vec<&'a str> {
    let begin = format!(" {attribute}=\"");
    page.split(&begin).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

#[test]
fn the_book_is_made_and_each_of_its_links_leads_somewhere() {
    let scratch = Scratch::new();
    let book = scratch.at("book");
    let mut command = Command::new("mdbook");
    command.arg("build").arg(root().join("docs")).arg("--dest-dir").arg(&book);
    let made = command.output().expect("mdbook runs: tests/run --long installs it");
    let said = String::from_utf8_lossy(&made.stderr);
    let complains = said.contains("WARN") || said.contains("ERROR");
    assert!(made.status.success() && !complains, "{}\n{said}", made.status);

    let contents = fs::read_to_string(root().join("docs/SUMMARY.md")).expect("the contents");
    let links = contents.lines().filter_map(|line| line.split_once("](")?.1.strip_suffix(".md)"));
    let mut pages = 0;
    for name in links.map(|link| format!("{link}.html")) {
        let page = fs::read_to_string(book.join(&name)).expect("each page is made");
        let ids: BTreeSet<&str> = values(&page, "id").into_iter().collect();
        for link in [values(&page, "href"), values(&page, "src")].concat() {
            if link.contains("://") {
                continue;
            }
            let (file, part) = link.split_once('#').unwrap_or((link, ""));
            assert!(file.is_empty() || book.join(file).exists(), "{name}: {link}");
            assert!(!file.is_empty() || ids.contains(part), "{name}: {link}");
        }
        // The typographer of mdBook makes dashes of what is no code.
        let text = page.split("<main>").nth(1).and_then(|rest| rest.split("</main>").next());
        let text = text.expect("a text");
        assert!(!text.contains('–') && !text.contains('—'), "{name}: an option in no code");
        pages += 1;
    }
    assert!(pages > 10, "only {pages} pages");
}
