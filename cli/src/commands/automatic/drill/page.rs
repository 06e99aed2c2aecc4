//! A page about a drill, for whoever wants proof.

use std::fmt::Write;

use yore_platform::{Timestamp, hostname};

use super::Drill;
use crate::context::Context;
use crate::text::format;

const STYLE: &str = "body{font-family:sans-serif;margin:2em;max-width:60em}table{border-collapse:collapse;width:100%}\
                     th,td{border:1px solid #999;padding:.4em;text-align:left;vertical-align:top}\
                     .right{color:#060}.wrong{color:#a00}";

/// Makes the page.
pub fn page(context: &Context, drills: &[Drill]) -> String {
    let seconds = jiff::Timestamp::now().as_second();
    let time = format::time(Timestamp { seconds, nanos: 0 }, context.now.time_zone());
    let is_right = drills.iter().all(|drill| drill.problems.is_empty());
    let (class, words) = match is_right {
        true => ("right", "Everything that was restored is as it was saved."),
        false => ("wrong", "Something could not be restored as it was saved."),
    };
    let mut rows = String::new();
    for drill in drills {
        let sources: Vec<String> = drill.sources.iter().map(|source| escaped(source)).collect();
        let problems: Vec<String> = drill.problems.iter().map(|what| escaped(what)).collect();
        let result = match problems.is_empty() {
            true => "<span class=\"right\">as saved</span>".to_owned(),
            false => format!("<span class=\"wrong\">{}</span>", problems.join("<br>")),
        };
        let _ = writeln!(
            rows,
            "<tr><td>{}</td><td>{}</td><td><code>{:.16}</code></td><td>{}</td><td>{}</td><td>{}</td><td>{}</td>\
             <td>{}</td><td>{}</td><td>{result}</td></tr>",
            sources.join("<br>"),
            escaped(&drill.host),
            drill.snapshot,
            format::duration(drill.age),
            format::count(drill.files),
            format::bytes(drill.bytes),
            format::count(drill.compared),
            format::duration(drill.took),
            format::duration(drill.estimate),
        );
    }
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>Restore drill, {time}</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n<h1>Restore drill</h1>\n<p>{time}, on {}, by yore {}.</p>\n\
         <p class=\"{class}\">{words}</p>\n<table>\n<tr><th>source</th><th>machine</th><th>snapshot</th>\
         <th>age (RPO)</th><th>files restored</th><th>bytes</th><th>compared with the machine's files</th>\
         <th>time</th><th>time for all (RTO)</th><th>result</th></tr>\n{rows}</table>\n\
         <p>The files were drawn at random, restored to a temporary folder, read again, and compared with the snapshot: \
         content, size, time and permissions. Files that are unchanged on the machine were compared with those, too.</p>\n\
         </body>\n</html>\n",
        escaped(&hostname()),
        env!("CARGO_PKG_VERSION"),
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
