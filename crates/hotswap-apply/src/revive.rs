//! What removed statements had made, kept for a while, so that it comes back when the
//! code of an earlier generation does.

use crate::native as cpython;
use hotswap_cpython::attributes::Peek as _;
use hotswap_plan::Statement;
use pyo3::prelude::*;
use pyo3::types::{PyCode, PyType};

use crate::stage::Stage;
use crate::statement::kind_of;

/// How many removed statements are remembered, over all modules.
pub(crate) const REMEMBERED: usize = 100;

/// A removed statement and what its names held.
pub(crate) struct Lost {
    /// The file of its module.
    file: std::path::PathBuf,
    text: String,
    first_line: u32,
    values: Vec<(String, Py<PyAny>)>,
}

impl Lost {
    /// The addresses of what its names held.
    pub(crate) fn objects(&self) -> impl Iterator<Item = usize> {
        self.values.iter().map(|(_, value)| value.as_ptr() as usize)
    }
}

impl<'py> Stage<'_, 'py> {
    /// Remembers what a statement had bound that is about to be taken away.
    pub(crate) fn remember_lost(
        &mut self,
        module: usize,
        statement: &Statement,
        values: Vec<(String, Bound<'py, PyAny>)>,
    ) {
        if values.is_empty() {
            return;
        }
        self.lost.push(Lost {
            file: self.world.modules[module].file.clone(),
            text: statement.span.of(&self.edits[&module].old_text).to_string(),
            first_line: statement.first_line,
            values: values
                .into_iter()
                .map(|(name, value)| (name, value.unbind()))
                .collect(),
        });
    }

    /// After the commit: what was taken away by this update can come back from now on.
    pub(crate) fn settle_lost(&mut self) {
        let mut kept = self.world.lost.borrow_mut();
        kept.extend(self.lost.drain(..));
        while kept.len() > REMEMBERED {
            kept.pop_front();
        }
    }

    /// A statement of an earlier generation takes back what it had made, and does not
    /// run. False: that is not known any more.
    pub(crate) fn revive(&mut self, module: usize, statement: &Statement) -> PyResult<bool> {
        if !self.revives || self.committed || statement.binds.is_empty() {
            return Ok(false);
        }
        let text = self.text(module);
        let text = statement.span.of(&text);
        let file = &self.world.modules[module].file;
        let mut line = 0;
        let mut values: Vec<(String, Bound<'py, PyAny>)> = Vec::new();
        for lost in self.world.lost.borrow().iter() {
            if lost.file == *file && lost.text == text {
                let held = lost.values.iter();
                line = lost.first_line;
                values = held
                    .map(|(name, value)| (name.clone(), value.bind(self.py).clone()))
                    .collect();
            }
        }
        let complete = |name: &String| values.iter().any(|(known, _)| known == name);
        if !statement.binds.iter().all(complete) {
            return Ok(false);
        }
        let delta = i64::from(statement.first_line) - i64::from(line);
        for (name, value) in values {
            let was = self.live_dict(module).get_item(&name)?;
            self.shift_definition(module, &value, i32::try_from(delta).unwrap_or(0))?;
            self.bind(module, &name, Some(value.clone()))?;
            self.note_value(module, &name, was, Some(value));
        }
        let label = statement.label(&self.text(module));
        self.entry(module, &label, Some(statement), kind_of(statement), "added")
            .reason = "it came back with what it had made".to_string();
        Ok(true)
    }

    /// The lines of a function, or of the methods of a class, move by `delta`.
    fn shift_definition(
        &mut self,
        module: usize,
        value: &Bound<'py, PyAny>,
        delta: i32,
    ) -> PyResult<()> {
        let mut members = vec![value.clone()];
        if let Ok(class) = value.cast::<PyType>() {
            members.extend(cpython::type_dict(class).values().iter());
        }
        let mut todo = Vec::new();
        for member in members {
            for name in ["__func__", "fget", "fset", "fdel", "func", "__wrapped__"] {
                if let Ok(inner) = member.getattr(name).and_then(|it| it.peek("__code__")) {
                    todo.push(inner);
                }
            }
            todo.extend(member.peek("__code__"));
        }
        todo.retain(|code| {
            code.is_instance_of::<PyCode>() && names_file(code, self.code_file(module))
        });
        match delta {
            0 => Ok(()),
            _ => self.shift_codes(todo, delta),
        }
    }
}

fn names_file(code: &Bound<'_, PyAny>, file: &str) -> bool {
    let name = code.getattr("co_filename");
    name.is_ok_and(|name| name.eq(file).unwrap_or(false))
}
