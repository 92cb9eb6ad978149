//! The one thing that a build takes from a repository's Wrangler configuration: where the site is.

use serde_json::Value;

use crate::files::Files;

const FILE_BYTES_MAX: u64 = 1 << 20;
/// In the order in which wrangler looks for them.
pub(crate) const NAMES: [&str; 3] = ["wrangler.json", "wrangler.jsonc", "wrangler.toml"];
const MEMBER: &str = "pages_build_output_dir";

/// What the configuration of a directory says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum WranglerFile {
    /// There is none, or it is not one for Pages.
    Silent,
    /// Where the build leaves the site, and the file that says so.
    Output {
        /// The directory, relative to the file.
        directory: String,
        /// The file.
        file: &'static str,
    },
    /// It cannot be read.
    Broken {
        /// The file.
        file: &'static str,
        /// What is wrong with it.
        why: String,
    },
}

/// Reads the Wrangler configuration of a directory.
pub(crate) fn read(folder: &impl Files) -> WranglerFile {
    let found = NAMES.iter().find_map(|name| Some((*name, folder.text(name, FILE_BYTES_MAX)?)));
    let Some((file, text)) = found else { return WranglerFile::Silent };
    let directory = match file.ends_with(".toml") {
        true => of_toml(&text),
        false => of_json(&text),
    };
    match directory {
        Ok(Some(directory)) => WranglerFile::Output { directory, file },
        Ok(None) => WranglerFile::Silent,
        Err(why) => WranglerFile::Broken { file, why },
    }
}

fn of_toml(text: &str) -> Result<Option<String>, String> {
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| error.message().to_owned())?;
    Ok(table.get(MEMBER).and_then(toml::Value::as_str).map(str::to_owned))
}

fn of_json(text: &str) -> Result<Option<String>, String> {
    let value: Value = serde_json::from_str(&plain_json(text)).map_err(|error| error.to_string())?;
    Ok(value.get(MEMBER).and_then(Value::as_str).map(str::to_owned))
}

/// JSON with comments and commas at ends of lists, as wrangler takes it, without them. Line numbers stay.
fn plain_json(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.trim_start_matches('\u{feff}').chars().peekable();
    while let Some(char) = rest.next() {
        match char {
            '"' => {
                plain.push('"');
                copy_string(&mut rest, &mut plain);
            }
            '/' if rest.peek() == Some(&'/') => while rest.next_if(|char| *char != '\n').is_some() {},
            '/' if rest.peek() == Some(&'*') => pass_comment(&mut rest, &mut plain),
            '}' | ']' => {
                let end = plain.trim_end().len();
                if plain[..end].ends_with(',') {
                    plain.replace_range(end - 1..end, " ");
                }
                plain.push(char);
            }
            other => plain.push(other),
        }
    }
    plain
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

fn copy_string(rest: &mut Chars<'_>, plain: &mut String) {
    while let Some(char) = rest.next() {
        plain.push(char);
        match char {
            '"' => return,
            '\\' => plain.extend(rest.next()),
            _ => {}
        }
    }
}

fn pass_comment(rest: &mut Chars<'_>, plain: &mut String) {
    rest.next();
    let mut last = ' ';
    for char in rest.by_ref() {
        if last == '*' && char == '/' {
            return;
        }
        if char == '\n' {
            plain.push('\n');
        }
        last = char;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Folder;
    use std::fs;

    fn read_file(name: &str, text: &str) -> WranglerFile {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join(name), text).unwrap();
        read(&Folder::open(root.path(), "").unwrap())
    }

    #[test]
    fn the_output_directory_is_found_in_each_form() {
        for (file, text) in [
            ("wrangler.toml", "name = \"x\"\npages_build_output_dir = \"./dist\"\n[vars]\nA = \"1\"\n"),
            ("wrangler.json", r#"{"pages_build_output_dir": "./dist"}"#),
            (
                "wrangler.jsonc",
                "{ // a site\n /* with, a: \"comment\" */ \"name\": \"// no comment\\\"\",\n \
                 \"pages_build_output_dir\": \"./dist\", \"flags\": [1, 2,],\n}",
            ),
        ] {
            assert_eq!(
                read_file(file, text),
                WranglerFile::Output { directory: "./dist".into(), file },
                "{file}"
            );
        }
    }

    #[test]
    fn a_file_for_a_worker_says_nothing_and_a_broken_one_is_named() {
        assert_eq!(read_file("wrangler.toml", "main = \"src/index.ts\""), WranglerFile::Silent);
        assert_eq!(read_file("package.json", "{}"), WranglerFile::Silent);
        for (name, text) in [("wrangler.toml", "= 1"), ("wrangler.jsonc", "{\"a\": /* ")] {
            assert!(matches!(read_file(name, text), WranglerFile::Broken { file, .. } if file == name));
        }
    }
}
