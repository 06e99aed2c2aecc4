//! Quoting a path for the files that are installed.

/// The kind of file in which a path stands.
#[derive(Clone, Copy)]
pub(super) enum Quoting {
    /// A string of Python.
    Python,
    /// An argument in a value of a desktop entry.
    DesktopEntry,
}

impl Quoting {
    /// Puts a text into quotes.
    pub(super) fn quote(self, text: &str) -> String {
        let mut quoted = String::from("\"");
        for character in text.chars() {
            match (self, character) {
                // A string value doubles its backslashes, an argument in quotes doubles them before.
                (Quoting::DesktopEntry, '\\') => quoted.push_str("\\\\\\\\"),
                (Quoting::DesktopEntry, '"' | '`' | '$') => {
                    quoted.push_str("\\\\");
                    quoted.push(character);
                }
                (Quoting::DesktopEntry, '%') => quoted.push_str("%%"),
                (Quoting::Python, '\\' | '"') => {
                    quoted.push('\\');
                    quoted.push(character);
                }
                _ => quoted.push(character),
            }
        }
        quoted.push('"');
        quoted
    }
}

#[cfg(test)]
mod tests {
    use super::Quoting;

    #[test]
    fn a_path_is_quoted_as_each_file_wants_it() {
        assert_eq!(Quoting::Python.quote("/a \"b\\"), "\"/a \\\"b\\\\\"");
        assert_eq!(Quoting::DesktopEntry.quote("/a b"), "\"/a b\"");
        assert_eq!(Quoting::DesktopEntry.quote("/100% $x"), "\"/100%% \\\\$x\"");
    }
}
