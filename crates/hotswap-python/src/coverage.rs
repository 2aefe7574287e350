//! Which files are watched.

use std::path::{Path, PathBuf};

use globset::{Glob, GlobSet, GlobSetBuilder};
use hotswap_watch::paths::{canonical, real};
use pyo3::prelude::*;

/// Directories that are never entered.
const SKIPPED: [&str; 9] = [
    "__pycache__",
    "node_modules",
    ".git",
    ".hg",
    ".svn",
    ".tox",
    ".nox",
    ".venv",
    ".mypy_cache",
];

/// The rule that says whether a file belongs to the watched program.
#[derive(Debug)]
pub(crate) struct Coverage {
    /// None: every imported module but the standard library.
    pub roots: Option<Vec<PathBuf>>,
    include: Option<GlobSet>,
    exclude: Option<GlobSet>,
    standard: Vec<PathBuf>,
    own: Option<PathBuf>,
}

impl Coverage {
    pub(crate) fn new(
        py: Python<'_>,
        roots: Option<Vec<PathBuf>>,
        include: &[String],
        exclude: &[String],
    ) -> PyResult<Coverage> {
        let standard = standard_folders(py)?;
        let own = py
            .import("hotswap")
            .ok()
            .and_then(|module| module.getattr("__file__").ok()?.extract::<String>().ok())
            .and_then(|file| Path::new(&file).parent().map(canonical));
        Ok(Coverage {
            roots: roots.map(|roots| roots.iter().map(|root| canonical(root)).collect()),
            include: globs(py, include)?,
            exclude: globs(py, exclude)?,
            standard,
            own,
        })
    }

    /// Whether a file (spelled as by [`canonical`]) is watched.
    pub(crate) fn covers(&self, file: &Path) -> bool {
        if file.extension().is_none_or(|extension| extension != "py") {
            return false;
        }
        if self.own.as_ref().is_some_and(|own| file.starts_with(own)) {
            return false;
        }
        let within = match &self.roots {
            Some(roots) => roots.iter().any(|root| file.starts_with(root)),
            None => !self.is_standard(file),
        };
        within
            && self
                .include
                .as_ref()
                .is_none_or(|globs| self.matches(globs, file))
            && !self
                .exclude
                .as_ref()
                .is_some_and(|globs| self.matches(globs, file))
    }

    fn matches(&self, globs: &GlobSet, file: &Path) -> bool {
        if globs.is_match(file) || file.file_name().is_some_and(|name| globs.is_match(name)) {
            return true;
        }
        let Some(roots) = &self.roots else {
            return false;
        };
        roots
            .iter()
            .filter_map(|root| file.strip_prefix(root).ok())
            .any(|relative| globs.is_match(relative))
    }

    fn is_standard(&self, file: &Path) -> bool {
        let site = file
            .components()
            .any(|part| part.as_os_str() == "site-packages" || part.as_os_str() == "dist-packages");
        !site
            && self
                .standard
                .iter()
                .any(|standard| file.starts_with(standard))
    }

    /// All watched files below the roots, in order.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for root in self.roots.iter().flatten() {
            if root.is_file() {
                if self.covers(root) {
                    found.push(root.clone());
                }
            } else {
                self.walk(root, &mut found);
            }
        }
        found.sort();
        found.dedup();
        found
    }

    fn walk(&self, directory: &Path, found: &mut Vec<PathBuf>) {
        let Ok(entries) = std::fs::read_dir(directory) else {
            return;
        };
        for entry in entries.flatten() {
            let path = entry.path();
            let name = entry.file_name();
            let is_directory = entry.file_type().is_ok_and(|kind| {
                kind.is_dir() || (kind.is_symlink() && path.is_dir() && !is_loop(&path))
            });
            if is_directory {
                let skipped = name
                    .to_str()
                    .is_some_and(|name| SKIPPED.contains(&name) || name.starts_with('.'));
                if !skipped && !path.join("pyvenv.cfg").exists() {
                    self.walk(&path, found);
                }
            } else if self.covers(&path) {
                found.push(path);
            }
        }
    }
}

/// A link to a directory above itself.
fn is_loop(path: &Path) -> bool {
    real(path).is_ok_and(|target| path.starts_with(&target))
}

fn globs(py: Python<'_>, patterns: &[String]) -> PyResult<Option<GlobSet>> {
    if patterns.is_empty() {
        return Ok(None);
    }
    let mut builder = GlobSetBuilder::new();
    for pattern in patterns {
        let glob = Glob::new(pattern).map_err(|error| {
            crate::error::raise(
                py,
                "HotswapConfigError",
                format!("{pattern:?} is not a glob pattern: {error}"),
            )
        })?;
        builder.add(glob);
    }
    builder
        .build()
        .map(Some)
        .map_err(|error| crate::error::raise(py, "HotswapConfigError", error.to_string()))
}

/// The folders of the standard library, as `sysconfig` names them. Where it is not there yet
/// it is not loaded for that: its import would take longer than anything else at the start.
fn standard_folders(py: Python<'_>) -> PyResult<Vec<PathBuf>> {
    let sys = py.import("sys")?;
    let loaded = sys.getattr("modules")?;
    let mut names: Vec<String> = Vec::new();
    let own = py
        .import("os")?
        .getattr("__file__")
        .and_then(|file| file.extract::<String>());
    if let (Ok(own), false) = (own, loaded.contains("sysconfig")?) {
        let version = py.version_info();
        let folders = match cfg!(windows) {
            true => "Lib".to_string(),
            false => format!(
                "{}/python{}.{}",
                sys.getattr("platlibdir")?.extract::<String>()?,
                version.major,
                version.minor
            ),
        };
        let beside: String = sys.getattr("exec_prefix")?.extract()?;
        names.extend(
            Path::new(&own)
                .parent()
                .map(|folder| folder.to_string_lossy().into_owned()),
        );
        names.push(
            Path::new(&beside)
                .join(folders)
                .to_string_lossy()
                .into_owned(),
        );
    } else {
        let get_path = py.import("sysconfig")?.getattr("get_path")?;
        for name in ["stdlib", "platstdlib"] {
            names.extend(
                get_path
                    .call1((name,))
                    .and_then(|path| path.extract::<String>())
                    .ok(),
            );
        }
    }
    let mut standard = Vec::new();
    for name in names {
        let path = canonical(Path::new(&name));
        if !standard.contains(&path) {
            standard.push(path);
        }
    }
    Ok(standard)
}
