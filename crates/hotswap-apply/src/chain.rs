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

/// What stands in staging for a live container.
pub(crate) struct StandIn<'py> {
    namespace: Bound<'py, PyDict>,
    name: String,
    content: Bound<'py, PyAny>,
    live: Bound<'py, PyAny>,
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
        let Some(name) = &self.chained_name(module, statement, outline) else {
            return Ok(false);
        };
        if self.chained.contains(&(module, name.clone())) {
            return Ok(true);
        }
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
        self.chained.insert((module, name.clone()));
        if values::equal(&value, &now) {
            return Ok(true);
        }
        if value.get_type().is(now.get_type()) && !values::is_plain(&value) {
            self.stand_in(&namespace, name, value, now)?;
            self.changed.insert((module, name.clone()), Changed::Value);
        } else {
            self.bind(module, name, Some(value.clone()))?;
            self.note_value(module, name, Some(now), Some(value));
        }
        // What else the statements bind, such as the variable of a loop.
        let others: Vec<&String> = after.iter().flat_map(|link| &link.binds).collect();
        for other in others.into_iter().filter(|other| *other != name) {
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

    /// The name that a statement augments, or that it binds for others to augment.
    fn chained_name(
        &self,
        module: usize,
        statement: &Statement,
        outline: &Outline,
    ) -> Option<String> {
        if let [name] = &augmented(statement)[..] {
            return Some(name.clone());
        }
        let (Kind::Assign { .. }, [name]) = (&statement.kind, &statement.binds[..]) else {
            return None;
        };
        let before = self
            .edits
            .get(&module)
            .map(|edited| edited.old_outline.clone());
        let statements = before
            .iter()
            .flat_map(|before| &before.statements)
            .chain(&outline.statements);
        let mut others = statements.filter(|other| augmented(other).contains(name));
        others.next().map(|_| name.clone())
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
            // What nobody else sees may keep what was done to it: the commit reads it.
            if values::equal(&before, &after)
                || self
                    .stand_ins
                    .iter()
                    .any(|each| each.content.is(&container))
            {
                continue;
            }
            if self.committed {
                self.transaction.note_content(&container, before)?;
                continue;
            }
            set_content(&container, &before)?;
            let held = namespace.get_item(&name)?;
            if held.is_some_and(|held| held.is(&container)) {
                self.stand_in(namespace, &name, after, container)?;
            } else {
                self.transaction.push(Write::Content {
                    container,
                    content: after,
                });
            }
        }
        Ok(())
    }

    /// A container that stands in staging for a live one, which takes over its content
    /// at the commit.
    pub(crate) fn stand_in(
        &mut self,
        namespace: &Bound<'py, PyDict>,
        name: &str,
        content: Bound<'py, PyAny>,
        live: Bound<'py, PyAny>,
    ) -> PyResult<()> {
        self.transaction.push(Write::Content {
            container: live.clone(),
            content: content.clone(),
        });
        if !self.committed {
            namespace.set_item(name, &content)?;
            self.stand_ins.push(StandIn {
                namespace: namespace.clone(),
                name: name.to_string(),
                content,
                live,
            });
        }
        Ok(())
    }

    /// Where a staged statement took hold of a stand-in, its references become ones to
    /// the live container. The count tells, so that mostly nobody has to look for them.
    pub(crate) fn settle_stand_ins(&mut self) -> PyResult<()> {
        for each in &self.stand_ins {
            let named = each
                .namespace
                .get_item(&each.name)?
                .is_some_and(|held| held.is(&each.content));
            // Ours are the stand-in itself and the write.
            let ours = 2 + isize::from(named);
            if hotswap_cpython::heap::reference_count(&each.content) != Some(ours) {
                self.transaction.push(Write::Reference {
                    old: each.content.clone(),
                    new: each.live.clone(),
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
