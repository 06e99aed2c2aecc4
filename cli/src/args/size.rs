//! Sizes and counts as people type them.

/// Reads `64M`, `1G`, `4096`: powers of 1024.
pub fn parse(text: &str) -> Result<u64, String> {
    let lower = text.trim().to_ascii_lowercase();
    let number = lower.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match lower[number.len()..].trim_end_matches("ib").trim_end_matches('b') {
        "" => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        "t" => 40,
        _ => return Err("write it as 256M or 1G".into()),
    };
    let number: u64 = number.trim().parse().map_err(|_| "write it as 256M or 1G")?;
    number.checked_mul(1 << shift).ok_or_else(|| "that is too large".into())
}

/// Reads a number of things.
pub fn parse_count(text: &str) -> Result<usize, String> {
    match text.trim().parse::<usize>() {
        Ok(count) => Ok(count),
        Err(error) if *error.kind() == std::num::IntErrorKind::PosOverflow => {
            Err("that is too many".into())
        }
        Err(_) => Err("write a number, as in 10".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_understood() {
        assert_eq!(parse("64M"), Ok(64 << 20));
        assert_eq!(parse("1 GiB"), Ok(1 << 30));
        assert_eq!(parse("4096"), Ok(4096));
        assert_eq!(parse_count("10"), Ok(10));
        assert!(parse_count("-1").is_err() && parse_count("99999999999999999999").is_err());
        assert!(parse("much").is_err() && parse("99999999999T").is_err());
    }
}
