//! Which module a class was made in, whatever it says.
//!
//! Packages like to say that their classes come from where they are to be imported from:
//! `__module__` names the package then, and the statement stands in one of its parts.

use hotswap_plan::Kind;
use pyo3::prelude::*;
use pyo3::types::PyType;

use crate::stage::Stage;

/// Modules may import a name from one another in a circle.
const DEPTH: usize = 20;

impl<'py> Stage<'_, 'py> {
    /// The watched module whose source has the statement of a class: the one that the class
    /// names, or the one from which that takes the name.
    pub(crate) fn home_of(&self, class: &Bound<'py, PyType>) -> PyResult<Option<usize>> {
        let said: String = class.getattr("__module__")?.extract().unwrap_or_default();
        let Some(said) = self.world.by_name(&said) else {
            return Ok(None);
        };
        let qualname: String = class.getattr("__qualname__")?.extract()?;
        let first = qualname.split('.').next().unwrap_or_default().to_string();
        Ok(Some(
            match self.definition_of(said, std::slice::from_ref(&first)) {
                Some((home, name)) if name == first => home,
                _ => said,
            },
        ))
    }

    /// Whether the watched module that a class names takes the class from this one, be it by
    /// way of others.
    pub(crate) fn is_said_of(&self, module: usize, class: &Bound<'py, PyType>) -> PyResult<bool> {
        let said: String = class.getattr("__module__")?.extract().unwrap_or_default();
        let Some(said) = self.world.by_name(&said) else {
            return Ok(false);
        };
        let qualname: String = class.getattr("__qualname__")?.extract()?;
        let first = qualname.split('.').next().unwrap_or_default();
        Ok(self.takes_from(said, first, module, 0))
    }

    fn takes_from(&self, importer: usize, name: &str, module: usize, depth: usize) -> bool {
        if importer == module {
            return true;
        }
        let Some(outline) = self.outline(importer).filter(|_| depth < DEPTH) else {
            return false;
        };
        let mut sources: Vec<usize> = Vec::new();
        match outline.last_binder(name) {
            Some(at) => {
                let Kind::Import(imports) = &outline.statements[at].kind else {
                    return false;
                };
                let import = imports.iter().find(|import| import.bound == name);
                let import = import.filter(|import| import.name.as_deref() == Some(name));
                sources.extend(import.and_then(|import| self.imported_module(importer, import)));
            }
            None => {
                let stars = outline.imports().filter(|(_, import)| import.bound == "*");
                sources
                    .extend(stars.filter_map(|(_, import)| self.imported_module(importer, import)));
            }
        }
        sources
            .iter()
            .any(|source| *source != importer && self.takes_from(*source, name, module, depth + 1))
    }
}
