//! The page with a recovery key, for a printer: one HTML file that needs nothing else.

use std::fmt::Write as _;

use qrcode::types::Color;
use qrcode::{EcLevel, QrCode};
use zeroize::Zeroizing;

use crate::failure::engine_error::quoted;

/// The light modules that a QR code needs on each side.
const MARGIN: usize = 4;

const STYLE: &str = "\
body { font: 11pt/1.5 sans-serif; max-width: 42em; margin: 2em auto; padding: 0 1em; color: #000; background: #fff }
h1 { font-size: 1.5em } h2 { font-size: 1.1em; margin-bottom: 0.2em }
.key { font: bold 1.35em/1.7 monospace; border: 2px solid #000; padding: 0.6em 1em; text-align: center }
svg { display: block; width: 5.5cm; margin: 1em auto }
code, .id { font-family: monospace; overflow-wrap: anywhere }
dt { font-weight: bold } dd { margin: 0 0 0.6em 0 } li { margin-bottom: 0.4em }
@page { margin: 2cm }";

/// What the page says.
pub struct Content<'a> {
    /// The recovery key, in groups.
    pub key: &'a str,
    /// The id of the repository.
    pub repository: String,
    /// The locations of the repository, at least one; they hold no secrets.
    pub locations: &'a [String],
    /// The day on which the key was made.
    pub date: String,
}

impl Content<'_> {
    /// Makes the page.
    pub fn html(&self) -> Zeroizing<String> {
        let Self { key, repository, locations, date } = self;
        // The code is a recovery key, too: nothing of it is copied while the page grows.
        let mut page = Zeroizing::new(String::with_capacity(64 << 10));
        let svg = svg(key);
        let code = svg.as_str();
        let first = locations.first().map_or("URL", String::as_str);
        let open = escaped(&format!("yore --repo {}", quoted(first)));
        let mut list = String::new();
        for location in *locations {
            let _ = write!(list, "<dd><code>{}</code></dd>", escaped(location));
        }
        let _ = write!(
            page,
            r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Yore recovery key</title>
<style>
{STYLE}
</style>
</head>
<body>
<h1>Recovery key of a Yore backup</h1>
<p class="key">{key}</p>
{code}
<dl>
<dt>Made on</dt><dd>{date}</dd>
<dt>Backup repository</dt><dd class="id">{repository}</dd>
<dt>Where it is</dt>{list}
</dl>
<h2>Keep this page</h2>
<p>Whoever has this key and one copy of the repository can read everything in it. Without a key nobody can, the makers
of Yore included. So print this page, delete the file, and keep the paper away from the computer that is backed up: in
another building, with your important papers.</p>
<h2>Get your files back, on any computer</h2>
<ol>
<li>Install Yore.</li>
<li>Attach the disk, or connect to the network, where one of the places above is. A disk may be mounted elsewhere on
another computer: then write its path there.</li>
<li>Look at what there is: <code>{open} snapshots</code></li>
<li>Copy the newest state into a new folder: <code>{open} restore latest --target restored</code></li>
<li>Type the key when Yore asks for a passphrase or recovery key. Capitals and hyphens do not matter; there is no
letter O, I, L or U in it. The square above holds the same key, for a phone or a scanner.</li>
</ol>
</body>
</html>
"#
        );
        page
    }
}

/// Draws the key as a QR code: its dark modules as one path, by the runs of each row.
fn svg(key: &str) -> Zeroizing<String> {
    let code = QrCode::with_error_correction_level(key, EcLevel::Q)
        .expect("a recovery key is far shorter than what a code holds");
    let (width, colors) = (code.width(), Zeroizing::new(dark(&code)));
    let side = width + 2 * MARGIN;
    let mut svg = Zeroizing::new(String::with_capacity(32 << 10));
    let _ = write!(
        svg,
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {side} {side}" role="img" aria-label="QR code of the key" shape-rendering="crispEdges"><rect width="{side}" height="{side}" fill="#fff"/><path fill="#000" d=""##
    );
    for (y, row) in colors.chunks(width).enumerate() {
        let mut x = 0;
        while let Some(start) = row[x..].iter().position(|dark| *dark).map(|at| x + at) {
            let length = row[start..].iter().take_while(|dark| **dark).count();
            let (left, top) = (start + MARGIN, y + MARGIN);
            let _ = write!(svg, "M{left} {top}h{length}v1h-{length}z");
            x = start + length;
        }
    }
    svg.push_str("\"/></svg>");
    svg
}

fn dark(code: &QrCode) -> Vec<bool> {
    code.to_colors().into_iter().map(|color| color == Color::Dark).collect()
}

/// Replaces what HTML takes for markup.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            control if control.is_control() => out.push('\u{fffd}'),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use yore_engine::format::Secret;

    use super::*;

    #[test]
    fn the_page_holds_the_key_and_nothing_that_is_loaded_or_taken_for_markup() {
        let key = Secret::draw_recovery().to_text().expect("it is printed");
        let locations = ["/mnt/<b>&'\"\u{1b}/yore".to_owned(), "sftp://nas/yore".to_owned()];
        let content = Content {
            key: &key,
            repository: "0a".repeat(32),
            locations: &locations,
            date: "2026-01-15".to_owned(),
        };
        let page = content.html();
        assert!(page.contains(&format!("<p class=\"key\">{}</p>", &*key)));
        assert!(page.contains("/mnt/&lt;b&gt;&amp;&#39;&quot;\u{fffd}/yore"), "{}", &*page);
        assert!(page.contains("sftp://nas/yore") && page.contains("2026-01-15"));
        for loaded in ["<script", "<link", "<img", "src=", "href=", "url(", "@import", "<b>"] {
            assert!(!page.contains(loaded), "{loaded}");
        }
        assert_eq!(page.matches("<svg").count(), 1);
    }

    #[test]
    fn the_code_is_drawn_as_it_is() {
        let key = Secret::draw_recovery().to_text().expect("it is printed");
        let code = QrCode::with_error_correction_level(&*key, EcLevel::Q).expect("a code");
        let (width, expected) = (code.width(), dark(&code));
        let drawn = svg(&key);
        let path = drawn.split("d=\"").nth(1).and_then(|rest| rest.split('"').next());
        let mut found = vec![false; width * width];
        for run in path.expect("a path").split('M').skip(1) {
            let numbers: Vec<usize> =
                run.split([' ', 'h', 'v']).take(3).map(|n| n.parse().expect("a number")).collect();
            let start = (numbers[1] - MARGIN) * width + numbers[0] - MARGIN;
            found[start..start + numbers[2]].fill(true);
        }
        assert!(found == expected);
    }
}
