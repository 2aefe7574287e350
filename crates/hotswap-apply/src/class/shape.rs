//! Which classes must be made anew, and which can be changed member by member.

use crate::native as cpython;
use hotswap_plan::{Change, ClassChange, ClassDef, Kind, Statement};
use pyo3::prelude::*;
use pyo3::types::{PyFunction, PyTuple, PyType};

use crate::stage::Stage;

impl<'py> Stage<'_, 'py> {
    /// Whether the class must be made anew; otherwise its members are set one by one.
    pub(super) fn is_rebuilt(
        &self,
        class: &Bound<'py, PyType>,
        before: &ClassDef,
        after: &ClassDef,
        change: &ClassChange,
    ) -> PyResult<bool> {
        let members_changed = !change.removed.is_empty()
            || change.steps.iter().any(|step| {
                matches!(step.change, Change::Run | Change::Annotation) || step.renamed
            })
            || is_reordered(after, change);
        Ok(change.header
            || change.decorators
            || self.must_remake(class)?
            || after.has_type_params && members_changed
            || members_changed
                && (is_generated(class, before)? || touches_layout(before, after, change)))
    }

    /// Whether a class must be made anew although its own statement did not change.
    pub(super) fn must_remake(&self, class: &Bound<'py, PyType>) -> PyResult<bool> {
        Ok(self.base_replaced(class)?
            || self.metaclass_replaced(class)
            || self.hooks_changed(class)?
            || self.inherited_fields_changed(class)?)
    }

    /// Whether another class takes the place of its metaclass.
    fn metaclass_replaced(&self, class: &Bound<'py, PyType>) -> bool {
        let kind = class.get_type();
        self.replaced.iter().any(|(old, _)| old.is(&kind))
    }

    /// Whether a base of this class was replaced by one with another layout, so that
    /// the class must be made anew on top of it.
    fn base_replaced(&self, class: &Bound<'py, PyType>) -> PyResult<bool> {
        let bases = class.getattr("__bases__")?.cast_into::<PyTuple>()?;
        Ok(bases
            .iter()
            .any(|base| self.replaced.iter().any(|(old, _)| old.is(&base))))
    }

    /// Whether members of this class are generated from those of a base that was made
    /// anew: the fields of a dataclass, the keys of a typed dict.
    fn inherited_fields_changed(&self, class: &Bound<'py, PyType>) -> PyResult<bool> {
        if self.rebuilt.is_empty() || !has_fields(class)? {
            return Ok(false);
        }
        let remade = |base: &Bound<'py, PyAny>| {
            self.rebuilt.iter().any(|(_, live)| live.is(base))
                && base
                    .cast::<PyType>()
                    .is_ok_and(|base| has_fields(base).unwrap_or(false))
        };
        for base in class.getattr("__mro__")?.try_iter()?.skip(1) {
            if remade(&base?) {
                return Ok(true);
            }
        }
        // A typed dict forgets its bases but for this.
        match cpython::type_dict(class).get_item("__orig_bases__")? {
            Some(bases) => Ok(bases
                .try_iter()?
                .any(|base| base.is_ok_and(|base| remade(&base)))),
            None => Ok(false),
        }
    }
}

/// Whether an edit of members alone needs more than to set them one by one.
pub(super) fn needs_new_class(
    class: &Bound<'_, PyType>,
    before: &ClassDef,
    after: &ClassDef,
    change: &ClassChange,
) -> PyResult<bool> {
    let dict = cpython::type_dict(class);
    Ok(crate::enums::is_enum(class)?
        || has_fields(class)?
        || dict.contains("_fields")?
        || after.has_type_params
        || touches_layout(before, after, change))
}

/// Whether statements that may make fields or members have changed places.
fn is_reordered(after: &ClassDef, change: &ClassChange) -> bool {
    let places: Vec<usize> = change
        .steps
        .iter()
        .filter(|step| matches!(after.body[step.new].kind, Kind::Assign { .. }))
        .filter_map(|step| step.old)
        .collect();
    !places.is_sorted()
}

/// Whether fields are collected from the body and the bases when such a class is made.
pub(super) fn has_fields(class: &Bound<'_, PyType>) -> PyResult<bool> {
    let dict = cpython::type_dict(class);
    for marker in FIELDS {
        if dict.contains(marker)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What such a class has in its namespace.
const FIELDS: [&str; 5] = [
    "__total__",
    "__pydantic_fields__",
    "__dataclass_fields__",
    "__attrs_attrs__",
    "__struct_fields__",
];

/// Whether members of this class are generated from its body when it is made.
fn is_generated(class: &Bound<'_, PyType>, definition: &ClassDef) -> PyResult<bool> {
    if !definition.decorators.is_empty() || crate::enums::is_enum(class)? {
        return Ok(true);
    }
    if has_fields(class)? {
        return Ok(true);
    }
    let dict = cpython::type_dict(class);
    if dict.contains("_fields")? {
        return Ok(true);
    }
    Ok(dict
        .get_item("_is_protocol")?
        .is_some_and(|value| value.is_truthy().unwrap_or(false)))
}

/// Whether the edit touches `__slots__` or the like, which only a new class can have.
fn touches_layout(before: &ClassDef, after: &ClassDef, change: &ClassChange) -> bool {
    let touches = |member: &Statement| {
        member
            .binds
            .iter()
            .any(|name| matches!(name.as_str(), "__slots__" | "__classcell__"))
    };
    change.removed.iter().any(|at| touches(&before.body[*at]))
        || change.steps.iter().any(|step| {
            let member = &after.body[step.new];
            // What only comes back, because nobody deletes it any more, was the layout all along.
            let same = step
                .old
                .is_some_and(|at| before.body[at].fingerprint == member.fingerprint);
            step.change == Change::Run && touches(member) && !same
        })
}

impl<'py> Stage<'_, 'py> {
    /// `__firstlineno__` of the classes of a module, which CPython has had since 3.13.
    pub(crate) fn settle_class_lines(&mut self, module: usize) -> PyResult<()> {
        if !cfg!(Py_3_13) {
            return Ok(());
        }
        let Some(outline) = self.outline(module) else {
            return Ok(());
        };
        let namespace = self.live_dict(module);
        let old_outline = self.edits.get(&module).map(|edited| &edited.old_outline);
        let old_outline = old_outline.cloned();
        let old = old_outline.as_ref().map(|old| classes_of(&old.statements));
        let old = old.unwrap_or_default();
        for made in classes_of(&outline.statements) {
            let Some(held) = namespace.get_item(&made.definition.name)? else {
                continue;
            };
            let Ok(class) = held.cast::<PyType>() else {
                continue;
            };
            let home = class.getattr("__module__")?;
            let here = home.eq(namespace.get_item("__name__")?)?;
            if here && made.branches.is_empty() || self.was_made_by(module, class, &made, &old)? {
                self.settle_lines_of(class, made.statement, made.definition)?;
            }
        }
        Ok(())
    }

    /// Whether a class notes the line of what a statement was before, be it in a block, or be
    /// it said to come from elsewhere.
    fn was_made_by(
        &self,
        module: usize,
        class: &Bound<'py, PyType>,
        made: &Made<'_>,
        old: &[Made<'_>],
    ) -> PyResult<bool> {
        let dict = cpython::type_dict(class);
        let Some(line) = dict.get_item("__firstlineno__")? else {
            return Ok(false);
        };
        let was = old.iter().find(|was| {
            was.branches == made.branches && was.definition.name == made.definition.name
        });
        if !was.is_some_and(|was| line.eq(was.statement.first_line).unwrap_or(false))
            || !class.getattr("__qualname__")?.eq(&made.definition.name)?
        {
            return Ok(false);
        }
        let name = self.live_dict(module).get_item("__name__")?;
        if class.getattr("__module__")?.eq(name)? {
            return Ok(true);
        }
        for member in dict.values() {
            if member.is_exact_instance_of::<PyFunction>()
                && self.is_source_function(module, &member)?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn settle_lines_of(
        &mut self,
        class: &Bound<'py, PyType>,
        statement: &Statement,
        definition: &ClassDef,
    ) -> PyResult<()> {
        let dict = cpython::type_dict(class);
        if let Some(line) = dict.get_item("__firstlineno__")?
            && !line.eq(statement.first_line)?
        {
            let line = statement.first_line.into_pyobject(self.py)?.into_any();
            self.transaction
                .set_class_attribute(class, "__firstlineno__", Some(line));
        }
        for member in &definition.body {
            if let Kind::Class(inner) = &member.kind
                && let Some(held) = dict.get_item(&inner.name)?
                && let Ok(nested) = held.cast::<PyType>()
            {
                self.settle_lines_of(nested, member, inner)?;
            }
        }
        Ok(())
    }
}

/// A class statement, and which branches of the statements around it it stands in.
struct Made<'o> {
    branches: Vec<usize>,
    statement: &'o Statement,
    definition: &'o ClassDef,
}

/// The class statements of a module, those in branches of `if` and `try` too.
fn classes_of(statements: &[Statement]) -> Vec<Made<'_>> {
    let mut found = Vec::new();
    collect_classes(statements, &[], &mut found);
    found
}

fn collect_classes<'o>(statements: &'o [Statement], around: &[usize], found: &mut Vec<Made<'o>>) {
    for statement in statements {
        match &statement.kind {
            Kind::Class(definition) => found.push(Made {
                branches: around.to_vec(),
                statement,
                definition,
            }),
            Kind::Compound(compound) => {
                for (at, branch) in compound.branches.iter().enumerate() {
                    let inner: Vec<_> = around.iter().copied().chain([at]).collect();
                    collect_classes(&branch.body, &inner, found);
                }
            }
            _ => {}
        }
    }
}
