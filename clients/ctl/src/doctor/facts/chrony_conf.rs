//! The configuration of chronyd: its files and directives (chrony.conf(5)).

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::files::{below, limited_text};

/// How deep files may include each other: chronyd's limit.
const MAX_DEPTH: usize = 10;
/// How many files are read at most: files that include each other can be read very often.
const MAX_FILES: usize = 1_000;
/// The largest file that is read, bytes.
const MAX_SIZE: u64 = 1 << 20;

/// A directive of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directive {
    /// The file, as a path of the examined host.
    pub file: PathBuf,
    /// The number of its line, from 1 on.
    pub number: usize,
    /// The line, without white space around it.
    pub line: String,
    /// The name, in lower case.
    pub name: String,
    /// The words after the name.
    pub words: Vec<String>,
}

impl Directive {
    /// Parses a line; `None` for a comment or an empty line.
    fn parse(file: &Path, number: usize, line: &str) -> Option<Self> {
        let line = line.trim();
        if line.starts_with(['!', ';', '#', '%']) {
            return None;
        }
        let mut words = line.split_whitespace().map(str::to_owned);
        Some(Self {
            file: file.to_owned(),
            number,
            line: line.to_owned(),
            name: words.next()?.to_lowercase(),
            words: words.collect(),
        })
    }

    /// Whether it has this option.
    pub fn has(&self, option: &str) -> bool {
        self.words
            .iter()
            .any(|word| word.eq_ignore_ascii_case(option))
    }

    /// The value after this option.
    pub fn value(&self, option: &str) -> Option<&str> {
        let index = self
            .words
            .iter()
            .position(|word| word.eq_ignore_ascii_case(option))?;
        self.words.get(index + 1).map(String::as_str)
    }

    /// The line with this option set to this value.
    pub fn with(&self, option: &str, value: &str) -> String {
        let mut words: Vec<&str> = self.line.split_whitespace().collect();
        let present = words
            .iter()
            .position(|word| word.eq_ignore_ascii_case(option));
        match present {
            Some(index) if index + 1 < words.len() => words[index + 1] = value,
            _ => words.extend([option, value]),
        }
        words.join(" ")
    }

    /// The name of the directive, or its first word for those of time sources.
    pub fn source(&self) -> Option<&str> {
        let is_source = ["server", "pool", "peer", "refclock"].contains(&self.name.as_str());
        self.words.first().filter(|_| is_source).map(String::as_str)
    }
}

/// The configuration of a chronyd.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Configuration {
    /// The main file.
    pub file: PathBuf,
    /// The directives in their order.
    pub directives: Vec<Directive>,
    /// Files that cannot be read, with the cause.
    pub unreadable: Vec<(PathBuf, String)>,
}

impl Configuration {
    /// Reads the main file at this path of the host whose root is at `root`, and those that it
    /// includes.
    pub fn read(root: &Path, file: &Path) -> Self {
        let mut configuration = Self {
            file: file.to_owned(),
            ..Self::default()
        };
        let mut files_left = MAX_FILES;
        configuration.include(root, file, 0, &mut files_left);
        configuration
    }

    /// The last directive of this name, which is the one in effect.
    pub fn last(&self, name: &str) -> Option<&Directive> {
        self.directives
            .iter()
            .rfind(|directive| directive.name == name)
    }

    /// The directives of this name.
    pub fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Directive> {
        self.directives
            .iter()
            .filter(move |directive| directive.name == name)
    }

    /// The directives of time sources.
    pub fn sources(&self) -> impl Iterator<Item = &Directive> {
        self.directives
            .iter()
            .filter(|directive| directive.source().is_some())
    }

    fn include(&mut self, root: &Path, file: &Path, depth: usize, files_left: &mut usize) {
        let Some(left) = files_left.checked_sub(1) else {
            return;
        };
        *files_left = left;
        if left == 0 {
            let why = format!("only {MAX_FILES} files are read");
            self.unreadable.push((file.to_owned(), why));
            return;
        }
        let text = match limited_text(root, file, MAX_SIZE) {
            Ok(text) => text,
            Err(err) => {
                self.unreadable.push((file.to_owned(), err.to_string()));
                return;
            }
        };
        for (index, line) in text.lines().enumerate() {
            let Some(directive) = Directive::parse(file, index + 1, line) else {
                continue;
            };
            let files = match directive.name.as_str() {
                "include" => included(root, &directive.words),
                "confdir" => files_in(root, &directive.words, ".conf"),
                "sourcedir" => files_in(root, &directive.words, ".sources"),
                _ => Ok(Vec::new()),
            };
            let at = directive.file.clone();
            self.directives.push(directive);
            match files {
                Ok(files) if depth < MAX_DEPTH => {
                    for file in files {
                        self.include(root, &file, depth + 1, files_left);
                    }
                }
                Ok(_) => {}
                Err((directory, err)) => {
                    let why = format!("{err}, named in {}", at.display());
                    self.unreadable.push((directory, why));
                }
            }
        }
    }
}

type Files = Result<Vec<PathBuf>, (PathBuf, io::Error)>;

/// The files of an `include` directive: its last component is a pattern.
fn included(root: &Path, words: &[String]) -> Files {
    let Some(pattern) = words.first().map(PathBuf::from) else {
        return Ok(Vec::new());
    };
    let name = pattern.file_name().unwrap_or_default().to_string_lossy();
    if !name.contains(['*', '?']) {
        return Ok(vec![pattern.clone()]);
    }
    let directory = pattern.parent().unwrap_or(Path::new("/"));
    let names = names_in(root, directory)?;
    let matching = names.into_iter().filter(|other| matches(&name, other));
    Ok(matching.map(|name| directory.join(name)).collect())
}

/// The files of a `confdir` or `sourcedir` directive: of those with the same name, the one of the
/// first directory, in the order of the names.
fn files_in(root: &Path, directories: &[String], suffix: &str) -> Files {
    let mut files: BTreeMap<String, PathBuf> = BTreeMap::new();
    for directory in directories.iter().map(Path::new) {
        for name in names_in(root, directory)? {
            if name.ends_with(suffix) {
                let path = directory.join(&name);
                files.entry(name).or_insert(path);
            }
        }
    }
    Ok(files.into_values().collect())
}

/// The names in a directory, in order; none if it does not exist.
fn names_in(root: &Path, directory: &Path) -> Result<Vec<String>, (PathBuf, io::Error)> {
    let entries = match fs::read_dir(below(root, directory)) {
        Ok(entries) => entries,
        Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(err) => return Err((directory.to_owned(), err)),
    };
    let mut names: Vec<String> = entries
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    Ok(names)
}

/// Whether a name matches a pattern with `*` and `?`.
fn matches(pattern: &str, name: &str) -> bool {
    let Some(first) = pattern.chars().next() else {
        return name.is_empty();
    };
    let rest = &pattern[first.len_utf8()..];
    match first {
        '*' => (0..=name.len())
            .filter(|&at| name.is_char_boundary(at))
            .any(|at| matches(rest, &name[at..])),
        _ => name.chars().next().is_some_and(|other| {
            (first == '?' || first == other) && matches(rest, &name[other.len_utf8()..])
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().expect("a directory")).expect("made");
        fs::write(path, text).expect("written");
    }

    #[test]
    fn included_files_are_read_where_they_are_named_and_the_first_of_a_name_wins() {
        let root = tempfile::tempdir().expect("a directory");
        let root = root.path();
        write(
            root,
            "etc/chrony.conf",
            "! a comment\n\n  Server a.example iburst\nconfdir /etc/one /etc/two /etc/none\n\
             include /etc/more/*.inc\nsourcedir /run/sources\nlast\n",
        );
        write(root, "etc/one/b.conf", "b one\n");
        write(root, "etc/two/a.conf", "a two\n");
        write(root, "etc/two/b.conf", "b two\n");
        write(root, "etc/two/c.txt", "c two\n");
        write(root, "etc/more/x.inc", "x more\n# c\ny more\n");
        write(root, "run/sources/dhcp.sources", "server b.example\n");
        let configuration = Configuration::read(root, Path::new("/etc/chrony.conf"));
        let lines: Vec<_> = configuration
            .directives
            .iter()
            .map(|directive| (directive.number, directive.line.as_str()))
            .collect();
        assert_eq!(
            lines,
            [
                (3, "Server a.example iburst"),
                (4, "confdir /etc/one /etc/two /etc/none"),
                (1, "a two"),
                (1, "b one"),
                (5, "include /etc/more/*.inc"),
                (1, "x more"),
                (3, "y more"),
                (6, "sourcedir /run/sources"),
                (1, "server b.example"),
                (7, "last"),
            ]
        );
        assert!(configuration.unreadable.is_empty());
        assert_eq!(configuration.directives[0].name, "server");
        let sources: Vec<_> = configuration
            .sources()
            .filter_map(Directive::source)
            .collect();
        assert_eq!(sources, ["a.example", "b.example"]);
    }

    #[test]
    fn a_file_that_is_missing_is_named() {
        let root = tempfile::tempdir().expect("a directory");
        let configuration = Configuration::read(root.path(), Path::new("/etc/chrony.conf"));
        assert_eq!(configuration.unreadable.len(), 1);
        assert_eq!(configuration.unreadable[0].0, Path::new("/etc/chrony.conf"));
    }

    #[test]
    fn only_regular_files_of_a_limited_size_are_read() {
        let root = tempfile::tempdir().expect("a directory");
        let root = root.path();
        nix::unistd::mkfifo(&root.join("pipe"), nix::sys::stat::Mode::S_IRWXU).expect("made");
        std::os::unix::fs::symlink("/dev/zero", root.join("zero")).expect("made");
        let size = usize::try_from(MAX_SIZE).expect("small");
        write(root, "largest", &"# a comment of 16\n".repeat(size)[..size]);
        write(root, "large", &"#".repeat(size + 1));
        write(
            root,
            "chrony.conf",
            "include /pipe\ninclude /zero\ninclude /large\ninclude /largest\ninclude /\n",
        );
        let configuration = Configuration::read(root, Path::new("/chrony.conf"));
        let files: Vec<_> = configuration
            .unreadable
            .iter()
            .map(|(path, _)| path.to_str().expect("a name"))
            .collect();
        assert_eq!(files, ["/pipe", "/zero", "/large", "/"]);
        assert_eq!(configuration.directives.len(), 5);
    }

    #[test]
    fn files_that_include_each_other_are_read_a_limited_number_of_times() {
        let root = tempfile::tempdir().expect("a directory");
        let root = root.path();
        write(root, "chrony.conf", &"include /chrony.conf\n".repeat(20));
        let configuration = Configuration::read(root, Path::new("/chrony.conf"));
        assert!(configuration.directives.len() < 20 * MAX_FILES);
        assert_eq!(configuration.unreadable.len(), 1);
        assert!(configuration.unreadable[0].1.contains("only 1000 files"));
    }

    #[test]
    fn an_option_is_replaced_or_added() {
        let line = "server a minpoll 6 maxpoll 10";
        let directive = Directive::parse(Path::new("f"), 1, line).expect("a directive");
        assert_eq!(directive.value("maxpoll"), Some("10"));
        assert_eq!(
            directive.with("maxpoll", "4"),
            "server a minpoll 6 maxpoll 4"
        );
        assert_eq!(
            directive.with("delay", "1e-3"),
            format!("{line} delay 1e-3")
        );
    }

    #[test]
    fn patterns_match_as_in_a_shell() {
        for (pattern, name, expected) in [
            ("*.conf", "a.conf", true),
            ("*.conf", "a.conf.bak", false),
            ("?.conf", "ab.conf", false),
            ("a*b*c", "a-b-b-c", true),
            ("*", "", true),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }
}
