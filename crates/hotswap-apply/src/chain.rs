//! Statements that augment what others made: `X += …`, a loop that fills a table.

use hotswap_plan::{Kind, Outline, Skeleton, Statement};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::codes;
use crate::contents::{copy_of, set_content};
use crate::stage::{Changed, Stage};
use crate::transaction::Write;
use crate::values;

/// A container that a staged statement may change, with a copy of what it held.
pub(crate) struct Content<'py> {
    name: String,
    container: Bound<'py, PyAny>,
    before: Bound<'py, PyAny>,
}

impl<'py> Stage<'_, 'py> {
    /// All statements that bind or augment a name form a chain. It is run as a whole,
    /// away from the live value, if that is harmless and nobody changed the value
    /// since. False: the statement has to run as it is.
    pub(crate) fn run_chain(
        &mut self,
        module: usize,
        statement: &Statement,
        outline: &Outline,
    ) -> PyResult<bool> {
        let [name] = &augmented(statement)[..] else {
            return Ok(false);
        };
        let (old_outline, old_text) = match self.edits.get(&module) {
            Some(edited) => (edited.old_outline.clone(), edited.old_text.clone()),
            None => match self.outline(module) {
                Some(outline) => (outline, self.text(module)),
                None => return Ok(false),
            },
        };
        let live = self.live_dict(module);
        let Some(now) = live.get_item(name)? else {
            return Ok(false);
        };
        let (before, after) = (links(&old_outline, name), links(outline, name));
        if before.is_empty()
            || !after
                .first()
                .is_some_and(|first| first.binds.contains(name))
        {
            return Ok(false);
        }
        let pure = |link: &&Statement| {
            let mut facts = link.facts.clone();
            facts.stores.retain(|other| other != name);
            facts.calls.retain(|call| {
                !matches!(call, hotswap_plan::Call::Path(path)
                    if path.len() == 2 && path[0] == *name && hotswap_plan::changes_in_place(&path[1]))
            });
            self.impurity(module, &facts).is_none()
        };
        if !before.iter().all(pure) || !after.iter().all(pure) {
            return Ok(false);
        }
        let base = self.run_apart(module, &live, &old_text, &old_outline, &before, name)?;
        let base = base.map(|ran| ran.get_item(name)).transpose()?.flatten();
        if !base.is_some_and(|base| values::equal(&base, &now)) {
            return Ok(false);
        }
        let namespace = self.namespace(module)?;
        let text = self.text(module);
        let Some(ran) = self.run_apart(module, &namespace, &text, outline, &after, name)? else {
            return Ok(false);
        };
        let Some(value) = ran.get_item(name)? else {
            return Ok(false);
        };
        if values::equal(&value, &now) {
            return Ok(true);
        }
        if value.get_type().is(now.get_type()) && !values::is_plain(&value) {
            let write = Write::Content {
                container: now.clone(),
                content: value.clone(),
            };
            self.transaction.push(write);
            self.transaction.push(Write::Reference {
                old: value.clone(),
                new: now,
            });
            if !self.committed {
                namespace.set_item(name, value)?;
            }
            self.changed.insert((module, name.clone()), Changed::Value);
        } else {
            self.bind(module, name, Some(value.clone()))?;
            self.note_value(module, name, Some(now), Some(value));
        }
        // What else the statement binds, such as the variable of a loop.
        for other in statement.binds.iter().filter(|other| *other != name) {
            if let Some(value) = ran.get_item(other)? {
                let was = live.get_item(other)?;
                self.bind(module, other, Some(value.clone()))?;
                self.note_value(module, other, was, Some(value));
            }
        }
        let label = statement.label(&text);
        self.entry(module, &label, Some(statement), "statement", "re-ran");
        Ok(true)
    }

    /// A copy of a namespace in which a chain of statements ran. None: one of them raised.
    fn run_apart(
        &self,
        module: usize,
        namespace: &Bound<'py, PyDict>,
        text: &str,
        outline: &Outline,
        chain: &[&Statement],
        name: &str,
    ) -> PyResult<Option<Bound<'py, PyDict>>> {
        let copy = namespace.copy()?;
        if copy.contains(name)? {
            copy.del_item(name)?;
        }
        for link in chain {
            let code = self.compile(
                module,
                &Skeleton::new(text, outline).statement(link).finish(),
            )?;
            if codes::execute(&code, &copy, None).is_err() {
                return Ok(None);
            }
        }
        Ok(Some(copy))
    }

    /// Copies of the containers that a statement changes in place.
    pub(crate) fn contents_before(
        &self,
        namespace: &Bound<'py, PyDict>,
        statement: &Statement,
    ) -> PyResult<Vec<Content<'py>>> {
        let mut contents = Vec::new();
        for name in augmented(statement) {
            let Some(container) = namespace.get_item(&name)? else {
                continue;
            };
            if values::is_container(&container) {
                let before = copy_of(&container)?;
                contents.push(Content {
                    name,
                    container,
                    before,
                });
            }
        }
        Ok(contents)
    }

    /// What a staged statement did to a live container is taken back at once and done
    /// again by the commit; what is staged after it sees a copy.
    pub(crate) fn settle_contents(
        &mut self,
        namespace: &Bound<'py, PyDict>,
        contents: Vec<Content<'py>>,
    ) -> PyResult<()> {
        for Content {
            name,
            container,
            before,
        } in contents
        {
            let after = copy_of(&container)?;
            if values::equal(&before, &after) {
                continue;
            }
            if self.committed {
                self.transaction.note_content(&container, before)?;
                continue;
            }
            set_content(&container, &before)?;
            let write = Write::Content {
                container: container.clone(),
                content: after.clone(),
            };
            self.transaction.push(write);
            if namespace
                .get_item(&name)?
                .is_some_and(|held| held.is(&container))
            {
                namespace.set_item(&name, &after)?;
                self.transaction.push(Write::Reference {
                    old: after,
                    new: container,
                });
            }
        }
        Ok(())
    }
}

/// The names whose values a statement changes in place or augments.
fn augmented(statement: &Statement) -> Vec<String> {
    let mut names = statement.facts.stores.clone();
    if let Kind::AugAssign { .. } = statement.kind {
        names.extend(statement.binds.iter().cloned());
    }
    names.sort();
    names.dedup();
    names
}

/// The statements that bind or augment a name, in order.
fn links<'o>(outline: &'o Outline, name: &str) -> Vec<&'o Statement> {
    let touches = |statement: &&Statement| {
        let mut names = statement.binds.iter().cloned().chain(augmented(statement));
        names.any(|other| other == name)
    };
    outline.statements.iter().filter(touches).collect()
}
