//! Words of a command line as the shell takes them: what we suggest can be typed as it stands.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// Returns a word as the shell takes it.
pub(super) fn quoted(word: &OsStr) -> String {
    let is_safe = |byte: &u8| byte.is_ascii_alphanumeric() || b"_@%+=:,./-".contains(byte);
    let bytes = word.as_bytes();
    if !bytes.is_empty() && bytes.iter().all(is_safe) {
        return word.to_string_lossy().into_owned();
    }
    match word.to_str() {
        Some(text) if !text.contains(char::is_control) => {
            format!("'{}'", text.replace('\'', "'\\''"))
        }
        // What is no text, or would act on the terminal, is written byte by byte.
        Some(_) | None => {
            let letter = |byte: &u8| match byte {
                b'\'' | b'\\' => format!("\\{}", char::from(*byte)),
                b' '..=b'~' => char::from(*byte).to_string(),
                _ => format!("\\x{byte:02x}"),
            };
            format!("$'{}'", bytes.iter().map(letter).collect::<String>())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_quoted_as_the_shell_takes_it() {
        for (word, expected) in [
            ("sluice-data/journal/demo-1", "sluice-data/journal/demo-1"),
            ("my data/J", "'my data/J'"),
            ("it's", r"'it'\''s'"),
            ("$HOME;`id`", "'$HOME;`id`'"),
            ("", "''"),
            ("a\u{1b}[31m'b\\", r"$'a\x1b[31m\'b\\'"),
            ("\u{85}", r"$'\xc2\x85'"),
        ] {
            assert_eq!(quoted(OsStr::new(word)), expected);
        }
        assert_eq!(quoted(OsStr::from_bytes(b"a\xff")), r"$'a\xff'");
    }
}
