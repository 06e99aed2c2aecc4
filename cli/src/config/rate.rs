//! Rates of transfer, of which some hold in a part of the day only.

use yore_engine::backend::{Timetable, Window};

/// The minutes of a day.
const DAY: u16 = 24 * 60;

/// Reads rates, each with or without a part of the day before it.
pub fn parse<'t>(texts: impl IntoIterator<Item = &'t str>) -> Result<Timetable, String> {
    let mut rates = Timetable::default();
    let mut is_set = false;
    for text in texts {
        match text.trim().split_once(' ') {
            Some((part, rate)) if part.contains(':') => {
                let (from, to) = window(part)?;
                rates.windows.push(Window { from, to, rate: rate_of(rate)? });
            }
            _ if is_set => return Err("only one rate may be without a part of the day".into()),
            _ => {
                rates.usual = rate_of(text)?;
                is_set = true;
            }
        }
    }
    Ok(rates)
}

/// Reads `08:00-18:00`.
fn window(text: &str) -> Result<(u16, u16), String> {
    let unclear = || format!("{text:?} is no part of a day: write it as 08:00-18:00");
    let (from, to) = text.split_once('-').ok_or_else(unclear)?;
    let minute = |text: &str| {
        let (hours, minutes) = text.split_once(':')?;
        let is_number = |text: &str| text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
        let (hours, minutes) = (
            hours.parse::<u16>().ok().filter(|_| is_number(hours))?,
            minutes.parse::<u16>().ok().filter(|_| is_number(minutes))?,
        );
        let at = hours * 60 + minutes;
        (minutes < 60 && at <= DAY).then_some(at)
    };
    match (minute(from), minute(to)) {
        (Some(from), Some(to)) if from % DAY != to => Ok((from % DAY, to)),
        _ => Err(unclear()),
    }
}

/// Reads `5 MB/s`, `500 kB/s`, `2 MiB/s`, `16 Mbit/s`, `unlimited`.
fn rate_of(text: &str) -> Result<Option<u64>, String> {
    let unclear = || format!("{text:?} is no rate: write it as 5 MB/s, 16 Mbit/s or unlimited");
    let lower = text.trim().to_ascii_lowercase();
    if lower == "unlimited" {
        return Ok(None);
    }
    let unit = lower.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    let number: f64 = lower[..lower.len() - unit.len()].parse().map_err(|_| unclear())?;
    let unit = unit.trim().strip_suffix("/s").ok_or_else(unclear)?;
    let bytes = match unit {
        "b" => 1.0,
        "kb" => 1e3,
        "mb" => 1e6,
        "gb" => 1e9,
        "kib" => 1024.0,
        "mib" => 1024.0 * 1024.0,
        "gib" => 1024.0 * 1024.0 * 1024.0,
        "kbit" => 125.0,
        "mbit" => 125e3,
        "gbit" => 125e6,
        _ => return Err(unclear()),
    };
    let rate = number * bytes;
    match (1.0..1e15).contains(&rate) {
        true => Ok(Some(rate as u64)),
        false => Err(format!("{text:?} is not between 1 B/s and 1000 TB/s")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_holds_unless_a_part_of_the_day_has_another() {
        let rates = parse(["5 MB/s", "08:00-18:00 1 MB/s", "22:30-06:00 unlimited"]);
        let rates = rates.expect("rates");
        let at = |hour: u16, minute: u16| rates.rate_at(hour * 60 + minute);
        assert_eq!(at(7, 59), Some(5_000_000));
        assert_eq!((at(8, 0), at(17, 59)), (Some(1_000_000), Some(1_000_000)));
        assert_eq!((at(18, 0), at(22, 29)), (Some(5_000_000), Some(5_000_000)));
        assert_eq!((at(22, 30), at(0, 0), at(5, 59)), (None, None, None));
        assert_eq!(at(6, 0), Some(5_000_000));
    }

    #[test]
    fn units_are_those_of_networks() {
        let usual = |text| parse([text]).map(|rates| rates.usual);
        assert_eq!(usual("16 Mbit/s"), Ok(Some(2_000_000)));
        assert_eq!(usual("1.5MiB/s"), Ok(Some(1_572_864)));
        assert_eq!(usual("500 kB/s"), Ok(Some(500_000)));
        assert_eq!(parse([]), Ok(Timetable::default()));
        assert_eq!(parse(["00:00-24:00 1 MB/s"]).map(|r| r.rate_at(1439)), Ok(Some(1_000_000)));
        for nonsense in
            ["5 MB", "fast", "", "0 MB/s", "8:00-18:00 1 MB/s", "08:00-08:00 1 MB/s", "-1 MB/s"]
        {
            assert!(usual(nonsense).is_err(), "{nonsense}");
        }
        assert!(parse(["1 MB/s", "2 MB/s"]).is_err());
    }
}
