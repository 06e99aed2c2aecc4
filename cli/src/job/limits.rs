//! Whether a backup that makes itself is better made later: on battery, over a network that costs, on a busy machine.

use std::process::{Command, Stdio};

use crate::config::BusyLimits;

/// Returns why it is to wait, in words; `None` if nothing speaks against it.
pub fn reason_to_wait(limits: &BusyLimits) -> Option<String> {
    if limits.battery == Some(false) && yore_platform::on_battery() == Some(true) {
        return Some("this machine runs on its battery (limits.battery)".into());
    }
    if limits.metered == Some(false) && is_metered() {
        return Some("the network is metered (limits.metered)".into());
    }
    let load = yore_platform::load_average()?;
    let most = f64::from(limits.load?);
    (load > most).then(|| format!("the load of the last minutes is {load:.1} (limits.load)"))
}

/// Asks NetworkManager whether the connection that is used is one that costs.
fn is_metered() -> bool {
    let mut ask = Command::new("nmcli");
    ask.args(["--terse", "--fields", "GENERAL.STATE,GENERAL.METERED", "device", "show"]);
    let Ok(ended) = ask.stdin(Stdio::null()).stderr(Stdio::null()).output() else { return false };
    let text = String::from_utf8_lossy(&ended.stdout);
    // A connected device has the state 100; the answer is yes, or yes (guessed).
    let mut is_connected = false;
    text.lines().any(|line| match line.split_once(':') {
        Some(("GENERAL.STATE", state)) => {
            is_connected = state.starts_with("100");
            false
        }
        Some(("GENERAL.METERED", metered)) => is_connected && metered.starts_with("yes"),
        _ => false,
    })
}
