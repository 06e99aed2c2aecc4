//! Shares in per cent as people type them.

/// Reads `5%` or `5`: a whole number of per cent, at most 100.
pub fn parse(text: &str) -> Result<u32, String> {
    let text = text.trim();
    let number = text.strip_suffix('%').unwrap_or(text).trim_end();
    match number.parse::<u32>() {
        Ok(percent) if percent <= 100 => Ok(percent),
        _ => Err("write a percentage from 0% to 100%, such as 5%".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_are_understood() {
        assert_eq!(["5%", "5", " 100 % ", "0%"].map(parse), [Ok(5), Ok(5), Ok(100), Ok(0)]);
        for nonsense in ["101%", "-1%", "2.5%", "%", "much", "5%%"] {
            assert!(parse(nonsense).is_err(), "{nonsense}");
        }
    }
}
