//! Which version of a tool a site wants, and which of those that the server has comes nearest.
//!
//! Nothing is downloaded: the operator says with `--build-tools` where further versions are. What a site wants
//! and does not get is said in its log.

use std::fs;
use std::path::{Path, PathBuf};

/// A tool of which a site may want a version.
#[derive(Debug)]
pub(crate) struct Tool {
    /// For people.
    pub(crate) name: &'static str,
    /// The program that is looked for, and the name of its directories.
    pub(crate) program: &'static str,
    /// The variable that names a version; it goes before the files.
    variable: &'static str,
    /// Files of the root directory that name one.
    files: &'static [&'static str],
}

/// The tools of the build image (Pages API, "Build environment").
#[rustfmt::skip]
pub(crate) static TOOLS: [Tool; 9] = [
    Tool { name: "Node.js", program: "node", variable: "NODE_VERSION", files: &[".nvmrc", ".node-version"] },
    Tool { name: "pnpm", program: "pnpm", variable: "PNPM_VERSION", files: &[] },
    Tool { name: "Yarn", program: "yarn", variable: "YARN_VERSION", files: &[] },
    Tool { name: "Bun", program: "bun", variable: "BUN_VERSION", files: &[] },
    Tool { name: "Python", program: "python3", variable: "PYTHON_VERSION", files: &[".python-version", "runtime.txt"] },
    Tool { name: "Ruby", program: "ruby", variable: "RUBY_VERSION", files: &[".ruby-version"] },
    Tool { name: "Go", program: "go", variable: "GO_VERSION", files: &[] },
    Tool { name: "Hugo", program: "hugo", variable: "HUGO_VERSION", files: &[] },
    Tool { name: "Zola", program: "zola", variable: "ZOLA_VERSION", files: &[] },
];

/// What a site wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// As written.
    pub(crate) text: String,
    /// Where it was written.
    pub(crate) by: &'static str,
}

impl Tool {
    /// The version that a site wants. `variable` and `file` give what is written there.
    pub(crate) fn wanted(
        &self,
        variable: impl Fn(&str) -> Option<String>,
        file: impl Fn(&str) -> Option<String>,
    ) -> Option<Wanted> {
        let found = variable(self.variable).map(|text| (text, self.variable));
        let found = found.or_else(|| self.files.iter().find_map(|name| file(name).map(|text| (text, *name))));
        found.and_then(|(text, by)| first_word(&text).map(|text| Wanted { text, by }))
    }
}

/// The first line that says something, without a comment.
fn first_word(text: &str) -> Option<String> {
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default());
    lines.map(str::trim).find(|line| !line.is_empty()).map(str::to_owned)
}

/// A version that is installed: up to three numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version([u32; 3]);

impl Version {
    /// Reads what programs print and directories are called: `v22.16.0`, `Python 3.13.3`, `go1.24`.
    pub(crate) fn find(text: &str) -> Option<Self> {
        let begin = text.find(|char: char| char.is_ascii_digit())?;
        let rest = &text[begin..];
        let end = rest.find(|char: char| !char.is_ascii_digit() && char != '.').unwrap_or(rest.len());
        let mut numbers = [0; 3];
        for (place, part) in numbers.iter_mut().zip(rest[..end].trim_end_matches('.').split('.')) {
            *place = part.parse().ok()?;
        }
        Some(Self(numbers))
    }

    /// The first number.
    pub(crate) const fn major(self) -> u32 {
        self.0[0]
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.0[0], self.0[1], self.0[2])
    }
}

/// Which versions would do.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Spec {
    /// The newest.
    Newest,
    /// The newest one with long-term support: for Node.js an even major version.
    NewestLts,
    /// Those that begin with these numbers.
    Prefix(Vec<u32>),
}

/// The names of Node.js lines with long-term support.
const LTS_NAMES: [(&str, u32); 8] = [
    ("erbium", 12),
    ("fermium", 14),
    ("gallium", 16),
    ("hydrogen", 18),
    ("iron", 20),
    ("jod", 22),
    ("krypton", 24),
    ("carbon", 8),
];

impl Spec {
    /// Reads `22`, `v22.16.0`, `20.x`, `lts/*`, `lts/iron`, `node`, `python-3.11`; ranges are not versions.
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_lowercase();
        if matches!(text.as_str(), "node" | "latest" | "stable" | "current" | "*") {
            return Some(Self::Newest);
        }
        if let Some(line) = text.strip_prefix("lts") {
            return match line.trim_start_matches('/') {
                "" | "*" => Some(Self::NewestLts),
                name => {
                    LTS_NAMES.iter().find(|(known, _)| *known == name).map(|(_, n)| Self::Prefix(vec![*n]))
                }
            };
        }
        let numbers = text.trim_start_matches(|char: char| char.is_ascii_alphabetic() || char == '-');
        let parts: Vec<&str> =
            numbers.split('.').take_while(|part| !matches!(*part, "x" | "*" | "")).collect();
        let parsed: Option<Vec<u32>> = parts.iter().map(|part| part.parse().ok()).collect();
        parsed.filter(|parsed| !parsed.is_empty() && parsed.len() <= 3).map(Self::Prefix)
    }

    fn admits(&self, version: Version) -> bool {
        match self {
            Self::Newest => true,
            Self::NewestLts => version.major().is_multiple_of(2),
            Self::Prefix(numbers) => version.0.starts_with(numbers),
        }
    }

    const fn is_of(&self, major: u32) -> bool {
        matches!(self, Self::Prefix(numbers) if matches!(numbers.as_slice(), [first, ..] if *first == major))
    }
}

/// A version that the server has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Installed {
    /// Which.
    pub(crate) version: Version,
    /// The directory to be put on the path; `None`: it is the one that is there anyway.
    pub(crate) bin: Option<PathBuf>,
}

/// What comes of a wish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// It is there.
    Fits(Installed),
    /// It is not; this one is taken.
    Instead(Installed),
    /// Nothing of the kind is there.
    Absent,
}

/// Chooses the newest version that fits; else the newest of the same major version; else the one that is there
/// anyway; else the newest.
pub(crate) fn choose(wanted: &str, installed: &[Installed]) -> Choice {
    let newest = |fits: &dyn Fn(&Installed) -> bool| {
        installed.iter().filter(|one| fits(one)).max_by_key(|one| (one.version, one.bin.is_none())).cloned()
    };
    let spec = Spec::parse(wanted);
    if let Some(found) = spec.as_ref().and_then(|spec| newest(&|one| spec.admits(one.version))) {
        return Choice::Fits(found);
    }
    let kin = spec.and_then(|spec| newest(&|one| spec.is_of(one.version.major())));
    let other = kin.or_else(|| newest(&|one| one.bin.is_none())).or_else(|| newest(&|_| true));
    other.map_or(Choice::Absent, Choice::Instead)
}

/// The versions of a tool below the operator's directories: `node/22.16.0`, `node-v22.16.0-linux-x64` and
/// `versions/node/v22.16.0`, each with the program in it or in its `bin`.
pub(crate) fn installed_in(directories: &[PathBuf], program: &str) -> Vec<Installed> {
    let mut found = Vec::new();
    for directory in directories {
        for parent in [directory.join(program), directory.join("versions").join(program)] {
            found.extend(entries(&parent).into_iter().filter_map(|(name, path)| at(&path, &name, program)));
        }
        let prefix = format!("{program}-");
        let of_tool = entries(directory).into_iter().filter_map(|(name, path)| {
            name.strip_prefix(&prefix).and_then(|version| at(&path, version, program))
        });
        found.extend(of_tool);
    }
    found
}

fn at(path: &Path, name: &str, program: &str) -> Option<Installed> {
    let version = Version::find(name)?;
    let bin = [path.join("bin"), path.to_owned()].into_iter().find(|bin| bin.join(program).is_file())?;
    Some(Installed { version, bin: Some(bin) })
}

fn entries(directory: &Path) -> Vec<(String, PathBuf)> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.path()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node() -> &'static Tool {
        &TOOLS[0]
    }

    #[test]
    fn the_variable_goes_before_the_files() {
        let files = |name: &str| match name {
            ".nvmrc" => Some("# which\n\nv20.11.1 # iron\n".to_owned()),
            ".node-version" => Some("18\n".to_owned()),
            _ => None,
        };
        let by_file = node().wanted(|_| None, files).unwrap();
        assert_eq!((by_file.text.as_str(), by_file.by), ("v20.11.1", ".nvmrc"));
        let variable = |name: &str| (name == "NODE_VERSION").then(|| "22".to_owned());
        let by_variable = node().wanted(variable, files).unwrap();
        assert_eq!((by_variable.text.as_str(), by_variable.by), ("22", "NODE_VERSION"));
        assert_eq!(node().wanted(|_| None, |_| None), None);
        assert_eq!(node().wanted(|_| Some(" ".into()), |_| None), None);
    }

    #[test]
    fn versions_are_read_as_they_are_written() {
        for (text, expected) in [
            ("v22.16.0", Some("22.16.0")),
            ("Python 3.13.3", Some("3.13.3")),
            ("go version go1.24 linux/amd64", Some("1.24.0")),
            ("hugo v0.147.7-189453612e4b+extended linux/amd64", Some("0.147.7")),
            ("v22.16.0-linux-x64", Some("22.16.0")),
            ("none", None),
        ] {
            assert_eq!(Version::find(text).map(|version| version.to_string()).as_deref(), expected, "{text}");
        }
        for (text, expected) in [
            ("22", Some(Spec::Prefix(vec![22]))),
            ("v20.x", Some(Spec::Prefix(vec![20]))),
            ("python-3.11.2", Some(Spec::Prefix(vec![3, 11, 2]))),
            ("lts/*", Some(Spec::NewestLts)),
            ("lts/Iron", Some(Spec::Prefix(vec![20]))),
            ("node", Some(Spec::Newest)),
            (">=18", None),
            ("^20.1", None),
            ("lts/unknown", None),
            ("v", None),
        ] {
            assert_eq!(Spec::parse(text), expected, "{text}");
        }
    }

    fn have(version: &str, bin: Option<&str>) -> Installed {
        Installed { version: Version::find(version).unwrap(), bin: bin.map(PathBuf::from) }
    }

    #[test]
    fn the_newest_that_fits_is_chosen_and_else_the_nearest() {
        let all = [
            have("20.20.2", None),
            have("20.11.1", Some("/a")),
            have("22.1.0", Some("/b")),
            have("23.0.0", Some("/c")),
        ];
        for (wanted, expected) in [
            ("20", Choice::Fits(all[0].clone())),
            ("20.11.1", Choice::Fits(all[1].clone())),
            ("lts/*", Choice::Fits(all[2].clone())),
            ("node", Choice::Fits(all[3].clone())),
            ("22.16.0", Choice::Instead(all[2].clone())),
            ("18", Choice::Instead(all[0].clone())),
            (">=18", Choice::Instead(all[0].clone())),
        ] {
            assert_eq!(choose(wanted, &all), expected, "{wanted}");
        }
        assert_eq!(choose("20", &[]), Choice::Absent);
        assert_eq!(choose("18", &all[2..]), Choice::Instead(all[3].clone()));
    }

    #[test]
    fn versions_are_found_in_the_operators_directories() {
        let root = tempfile::tempdir().unwrap();
        for path in [
            "node/22.1.0/bin/node",
            "node-v20.11.1-linux-x64/bin/node",
            "versions/node/v18.0.0/bin/node",
            "hugo/0.147.7/hugo",
            "node/empty/x",
        ] {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let directories = [root.path().to_owned()];
        let mut found: Vec<String> =
            installed_in(&directories, "node").iter().map(|one| one.version.to_string()).collect();
        found.sort();
        assert_eq!(found, ["18.0.0", "20.11.1", "22.1.0"]);
        let hugo = installed_in(&directories, "hugo");
        assert_eq!(hugo[0].bin.as_deref(), Some(root.path().join("hugo/0.147.7").as_path()));
    }
}
