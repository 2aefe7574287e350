//! What shows that decorators computed something from a docstring or a signature: said where
//! it could not follow.

use pyo3::prelude::*;

use super::wrappers::{Slot, is_generated, is_wrapper, slots_of};
use super::{Carried, MOST, Site};
use crate::codes;
use crate::stage::Stage;
use crate::values;

impl<'py> Stage<'_, 'py> {
    /// What decorators computed could not follow: says so where something shows that they did.
    pub(super) fn report_computed(&mut self, carried: &Carried<'py>, reason: &str) -> PyResult<()> {
        let label = carried.label();
        let known = self.entries.iter().any(|entry| {
            entry.action == "stale"
                && entry.qualname == label
                && entry.module == self.world.modules[carried.module].name
                && entry.reason.starts_with("its decorator")
        });
        if known {
            return Ok(());
        }
        let Some(cause) = self.computed_from(carried)? else {
            return Ok(());
        };
        let entry = self.entry(
            carried.module,
            &label,
            Some(&carried.new),
            carried.kind(),
            "stale",
        );
        entry.reason = format!("its decorator depends on {cause}; {reason}");
        entry.advice = carried.advice();
        Ok(())
    }

    /// What of the old definition what its decorators made still holds, in words.
    fn computed_from(&self, carried: &Carried<'py>) -> PyResult<Option<String>> {
        let (Some(was), Some(is)) = (carried.old.function(), carried.new.function()) else {
            return Ok(None);
        };
        let header = carried.has_other_header();
        let site = Site::of(self.code_file(carried.module), &carried.new);
        let mut due = vec![carried.live.clone()];
        let mut seen: Vec<Bound<'py, PyAny>> = Vec::new();
        let mut wrappers = Vec::new();
        let mut own = None;
        while let Some(object) = due.pop() {
            if seen.len() > MOST || seen.iter().any(|known| known.is(&object)) {
                continue;
            }
            seen.push(object.clone());
            let slots = slots_of(&object)?;
            if site
                .as_ref()
                .is_some_and(|site| site.is_at(&object).unwrap_or(false))
            {
                own = Some(object.clone());
            }
            for (_, value) in &slots {
                if is_wrapper(value)? {
                    due.push(value.clone());
                }
            }
            wrappers.push((object, slots));
        }
        let docstrings = match was.docstring == is.docstring {
            true => None,
            false => Some(Docstrings {
                old: self.docstring_of(carried, false)?,
                new: self.docstring_of(carried, true)?,
            }),
        };
        for (object, slots) in &wrappers {
            let is_own = own.as_ref().is_some_and(|own| own.is(object));
            if header
                && !is_own
                && is_generated(object)?
                && crate::decorated::written_for(Some(object), Some(was), is)?.is_some()
            {
                return Ok(Some("the parameters that the function had".to_string()));
            }
            for (slot, value) in slots {
                let kind = value.get_type();
                if header
                    && kind.name()?.to_str()? == "Signature"
                    && kind.getattr("__module__")?.eq("inspect")?
                {
                    return Ok(Some("the signature that the function had".to_string()));
                }
                if let Ok(text) = value.extract::<String>()
                    && let Some(both) = &docstrings
                    && both.are_behind(&text)
                {
                    return Ok(Some("the docstring that the function had".to_string()));
                }
                if let (Slot::Attribute("__defaults__" | "__kwdefaults__"), Some(own), true) =
                    (slot, &own, header && !is_own)
                    && !value.is_none()
                {
                    let now = match slot {
                        Slot::Attribute(name) => own.getattr(*name)?,
                        _ => continue,
                    };
                    let length = |of: &Bound<'py, PyAny>| of.len().unwrap_or(0);
                    if length(&now) == length(value) && !values::equal(&now, value) {
                        return Ok(Some("the default values that the function had".to_string()));
                    }
                }
            }
        }
        Ok(None)
    }

    /// The docstring of a definition, old or new, in small letters.
    fn docstring_of(&self, carried: &Carried<'py>, new: bool) -> PyResult<String> {
        let statement = if new { &carried.new } else { &carried.old };
        let Some(edited) = self.edits.get(&carried.module) else {
            return Ok(String::new());
        };
        let (text, outline) = match new {
            true => (&edited.text, &edited.outline),
            false => (&edited.old_text, &edited.old_outline),
        };
        let mut skeleton = hotswap_plan::Skeleton::new(text, outline);
        for (was, is) in &carried.classes {
            skeleton = skeleton.class(if new { is } else { was });
        }
        let unit = self.compile(carried.module, &skeleton.statement(statement).finish())?;
        let Some(site) = Site::of(self.code_file(carried.module), statement) else {
            return Ok(String::new());
        };
        let Some(code) = codes::at_line(&unit, &site.name, site.line)? else {
            return Ok(String::new());
        };
        let docstring = codes::docstring(&code)?;
        let docstring = docstring.map(|text| text.extract::<String>()).transpose()?;
        Ok(docstring.unwrap_or_default().to_lowercase())
    }
}

/// The docstrings that a definition had and has.
struct Docstrings {
    old: String,
    new: String,
}

impl Docstrings {
    /// Whether a text seems to have been made of the old one and not of the new one.
    fn are_behind(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        let holds = |line: &str| text.contains(line);
        let gone = lines_of(&self.old).any(|line| !self.new.contains(line) && holds(line));
        let come = || lines_of(&self.new).any(|line| !self.old.contains(line) && !holds(line));
        gone || lines_of(&self.old).next().is_some_and(holds) && come()
    }
}

/// The lines that say something.
fn lines_of(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| line.len() > 3)
}
