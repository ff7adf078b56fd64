//! Units of systemd: their files and drop-ins, and the settings that result (systemd.unit(5)).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::files::{below, text};

/// The directories of units, the one with the highest priority first.
const DIRECTORIES: [&str; 4] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

/// The directory of an administrator's units.
const ADMINISTRATOR: &str = DIRECTORIES[0];

/// One assignment in a unit file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The file, as a path of the examined host.
    pub file: PathBuf,
    /// The number of its line, from 1 on.
    pub number: usize,
    /// The line.
    pub line: String,
    /// The section, without brackets.
    pub section: String,
    /// What is assigned to.
    pub key: String,
    /// The value; empty for a reset.
    pub value: String,
}

/// A unit with its drop-ins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unit {
    /// The file of the unit.
    pub file: PathBuf,
    /// Files of the same name that it hides.
    pub hidden: Vec<PathBuf>,
    /// The assignments in the order in which they take effect.
    pub assignments: Vec<Assignment>,
}

impl Unit {
    /// Reads a unit of the host; `None` if there is none.
    pub fn read(root: &Path, name: &str) -> Option<Self> {
        let mut files: Vec<PathBuf> = Vec::new();
        for directory in DIRECTORIES {
            let file = Path::new(directory).join(name);
            let real = below(root, &file).canonicalize();
            // /lib is a link to /usr/lib on most hosts.
            let is_new = real.is_ok_and(|real| {
                let others = files.iter().map(|other| below(root, other).canonicalize());
                others.flatten().all(|other| other != real)
            });
            if is_new {
                files.push(file);
            }
        }
        let mut files = files.into_iter();
        let file = files.next()?;
        let mut unit = Self {
            hidden: files.collect(),
            ..Self::default()
        };
        unit.add(&file, &text(root, &file).known()?);
        unit.file = file;
        for file in drop_ins(root, name) {
            if let Some(text) = text(root, &file).known() {
                unit.add(&file, &text);
            }
        }
        Some(unit)
    }

    /// Adds the assignments of a file.
    fn add(&mut self, file: &Path, text: &str) {
        let mut section = String::new();
        let mut lines = text.lines().enumerate();
        while let Some((index, line)) = lines.next() {
            let line = line.trim();
            if line.starts_with(['#', ';']) {
                continue;
            }
            if let Some(name) = line
                .strip_prefix('[')
                .and_then(|line| line.strip_suffix(']'))
            {
                section = name.to_owned();
                continue;
            }
            let mut whole = line.to_owned();
            while whole.ends_with('\\') {
                whole.pop();
                let Some((_, next)) = lines.next() else { break };
                whole.push_str(next.trim());
            }
            if let Some((key, value)) = whole.split_once('=') {
                self.assignments.push(Assignment {
                    file: file.to_owned(),
                    number: index + 1,
                    line: line.to_owned(),
                    section: section.clone(),
                    key: key.trim().to_owned(),
                    value: value.trim().to_owned(),
                });
            }
        }
    }

    /// The last assignment of this key, which is in effect for a single value.
    pub fn last(&self, key: &str) -> Option<&Assignment> {
        self.assignments
            .iter()
            .rfind(|assignment| assignment.key == key)
    }

    /// The value of this key, if it is set.
    pub fn value(&self, key: &str) -> Option<&str> {
        let value = self.last(key)?.value.as_str();
        (!value.is_empty()).then_some(value)
    }

    /// Whether this key is set to yes.
    pub fn is_yes(&self, key: &str) -> bool {
        matches!(self.value(key), Some("yes" | "true" | "on" | "1"))
    }

    /// The words of a key that is a list: those after the last reset.
    pub fn words(&self, key: &str) -> Vec<&str> {
        let mut words = Vec::new();
        for assignment in &self.assignments {
            if assignment.key == key {
                if assignment.value.is_empty() {
                    words.clear();
                }
                words.extend(assignment.value.split_whitespace());
            }
        }
        words
    }
}

/// The drop-ins of a unit in the order in which they take effect: by their names, of equal names
/// the one of the directory with the highest priority.
fn drop_ins(root: &Path, name: &str) -> Vec<PathBuf> {
    let mut files: BTreeMap<String, PathBuf> = BTreeMap::new();
    for base in DIRECTORIES {
        for directory in [format!("{name}.d"), "service.d".to_owned()] {
            let directory = Path::new(base).join(directory);
            let entries = fs::read_dir(below(root, &directory));
            for entry in entries.into_iter().flatten().flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                if name.ends_with(".conf") {
                    let path = directory.join(&name);
                    files.entry(name).or_insert(path);
                }
            }
        }
    }
    files.into_values().collect()
}

/// The names of the units that other units want, so that they start at boot.
pub fn enabled(root: &Path) -> Vec<String> {
    let mut names: Vec<String> = directories_of(root, ".wants")
        .into_iter()
        .flat_map(|directory| names_in(root, &directory))
        .collect();
    names.sort();
    names.dedup();
    names
}

/// The services of the host, by their names.
pub fn services(root: &Path) -> Vec<String> {
    let mut names: Vec<String> = DIRECTORIES
        .iter()
        .flat_map(|directory| names_in(root, Path::new(directory)))
        .filter(|name| name.ends_with(".service"))
        .collect();
    names.sort();
    names.dedup();
    names
}

fn directories_of(root: &Path, suffix: &str) -> Vec<PathBuf> {
    let names = names_in(root, Path::new(ADMINISTRATOR));
    let matching = names.into_iter().filter(|name| name.ends_with(suffix));
    matching
        .map(|name| Path::new(ADMINISTRATOR).join(name))
        .collect()
}

fn names_in(root: &Path, directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(below(root, directory));
    let names = entries.into_iter().flatten().flatten();
    names
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
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
    fn drop_ins_take_effect_in_the_order_of_their_names() {
        let root = tempfile::tempdir().expect("a directory");
        let root = root.path();
        write(
            root,
            "usr/lib/systemd/system/a.service",
            "# c\n[Service]\nUser=chrony\nReadWritePaths=/run \\\n  /tmp\nPrivateTmp=yes\n",
        );
        write(
            root,
            "usr/lib/systemd/system/a.service.d/10.conf",
            "[Service]\nUser=_chrony\n",
        );
        write(
            root,
            "usr/lib/systemd/system/a.service.d/20.conf",
            "[Service]\nUser=ignored\n",
        );
        write(
            root,
            "etc/systemd/system/a.service.d/20.conf",
            "[Service]\nReadWritePaths=\nReadWritePaths=/srv\nPrivateTmp=\n",
        );
        let unit = Unit::read(root, "a.service").expect("a unit");
        assert_eq!(unit.value("User"), Some("_chrony"));
        assert_eq!(unit.words("ReadWritePaths"), ["/srv"]);
        assert_eq!(unit.value("PrivateTmp"), None);
        let user = unit.last("User").expect("set");
        assert_eq!((user.number, user.section.as_str()), (2, "Service"));
        assert_eq!(
            user.file,
            Path::new("/usr/lib/systemd/system/a.service.d/10.conf")
        );
        assert!(unit.hidden.is_empty());
        assert_eq!(Unit::read(root, "b.service"), None);
    }

    #[test]
    fn a_unit_of_the_administrator_hides_that_of_the_package() {
        let root = tempfile::tempdir().expect("a directory");
        let root = root.path();
        write(
            root,
            "usr/lib/systemd/system/a.service",
            "[Service]\nType=notify\n",
        );
        write(
            root,
            "etc/systemd/system/a.service",
            "[Service]\nType=simple\n",
        );
        write(
            root,
            "etc/systemd/system/multi-user.target.wants/a.service",
            "",
        );
        let unit = Unit::read(root, "a.service").expect("a unit");
        assert_eq!(unit.value("Type"), Some("simple"));
        assert_eq!(
            unit.hidden,
            [Path::new("/usr/lib/systemd/system/a.service")]
        );
        assert_eq!(enabled(root), ["a.service"]);
        assert_eq!(services(root), ["a.service"]);
    }
}
