//! Filters that somebody has saved: a file of their own, the same for every recording.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::facts::private;

/// Where they are, by variables: in the configuration directory of the person; none if nothing says where that is.
pub fn place(variable: &dyn Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let named = |name| variable(name).filter(|value| value.starts_with('/'));
    let home = || Some(PathBuf::from(named("HOME")?).join(".config"));
    let folder = named("XDG_CONFIG_HOME").map(PathBuf::from).or_else(home)?;
    Some(folder.join("evenkeel").join("filters.toml"))
}

/// Reads them by name; none if nothing was saved yet.
pub fn read(file: &Path) -> io::Result<BTreeMap<String, String>> {
    match fs::read_to_string(file) {
        Ok(text) => toml::from_str(&text).map_err(io::Error::other),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(error) => Err(error),
    }
}

/// Saves one under a name, beside the others. Filters name chargers and people: the file is its owner's alone.
pub fn keep(file: &Path, name: &str, filter: &str) -> io::Result<()> {
    let mut all = read(file)?;
    all.insert(name.to_owned(), filter.to_owned());
    let text = toml::to_string(&all).map_err(io::Error::other)?;
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    // Whoever reads it meanwhile gets all of the old one or all of the new one.
    let new = file.with_extension("toml.new");
    private::write(&new, &text)?;
    fs::rename(new, file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_saved_is_there_the_next_time() {
        let home = tempfile::tempdir().unwrap();
        let config = home.path().to_str().map(str::to_owned);
        let file = place(&|name| config.clone().filter(|_| name == "XDG_CONFIG_HOME")).unwrap();
        assert_eq!(read(&file).unwrap(), BTreeMap::new());
        keep(&file, "my depot", "group:depot-* state!=accepted").unwrap();
        keep(&file, "tags", "path~\"idTag\"").unwrap();
        keep(&file, "tags", "path~idTag").unwrap();
        let all = read(&file).unwrap();
        assert_eq!(all["my depot"], "group:depot-* state!=accepted");
        assert_eq!((all.len(), all["tags"].as_str()), (2, "path~idTag"));
        fs::write(&file, "no = [table").unwrap();
        assert!(keep(&file, "tags", "").is_err(), "nothing is written over");
    }

    #[test]
    fn a_home_is_where_the_variables_say() {
        let of =
            |set: &'static str| place(&move |name| (name == set).then(|| "/home/ann".to_owned()));
        assert_eq!(
            of("HOME").unwrap(),
            Path::new("/home/ann/.config/evenkeel/filters.toml")
        );
        assert_eq!(
            of("XDG_CONFIG_HOME").unwrap(),
            Path::new("/home/ann/evenkeel/filters.toml")
        );
        assert_eq!(of("PWD"), None);
    }
}
