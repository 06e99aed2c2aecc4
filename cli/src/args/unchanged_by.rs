//! `--unchanged-by`: the attributes by which a file is known to be unchanged.

use yore_engine::backup::{ChangeTime, InodeNumbers, UnchangedBy};

/// Reads a list such as `size,mtime,ctime`.
pub fn parse(text: &str) -> Result<UnchangedBy, String> {
    const FORM: &str = "write size,mtime, and ,ctime or ,inode or both behind it";
    let words: Vec<&str> = text.split(',').map(str::trim).collect();
    if let Some(other) = words.iter().find(|w| !["size", "mtime", "ctime", "inode"].contains(w)) {
        return Err(format!("{other:?} is none of size, mtime, ctime and inode"));
    }
    let has = |word| words.contains(&word);
    if !(has("size") && has("mtime")) {
        return Err(FORM.into());
    }
    Ok(UnchangedBy {
        change_time: if has("ctime") { ChangeTime::Compared } else { ChangeTime::Ignored },
        inode: if has("inode") { InodeNumbers::Compared } else { InodeNumbers::Ignored },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_and_time_are_always_compared() {
        let by = |change_time, inode| Ok(UnchangedBy { change_time, inode });
        assert_eq!(parse("size,mtime"), by(ChangeTime::Ignored, InodeNumbers::Ignored));
        assert_eq!(parse("inode, mtime,size"), by(ChangeTime::Ignored, InodeNumbers::Compared));
        assert_eq!(parse("size,mtime,ctime"), by(ChangeTime::Compared, InodeNumbers::Ignored));
        assert!(
            parse("mtime").is_err() && parse("size,mtime,colour").is_err() && parse("").is_err()
        );
    }
}
