//! What this update has bound, and what that calls: a function that is new sees the new
//! names, but the functions that live have their old code until the commit.

use hotswap_plan::{Call, Facts, Kind};

use crate::stage::{Changed, Stage};

impl Stage<'_, '_> {
    /// Whether some code calls what a path leads to, which has another value by this update,
    /// and that runs what only the commit brings.
    pub(crate) fn calls_pending(&self, module: usize, facts: &Facts, path: &[String]) -> bool {
        // Of a decorator without arguments the facts say only that something is called.
        let called = facts.calls.iter().any(|call| match call {
            Call::Path(called) => called.starts_with(path),
            Call::Computed => true,
            _ => false,
        });
        called && self.pending_inside(module, path, &mut Vec::new())
    }

    fn pending_inside(
        &self,
        module: usize,
        path: &[String],
        seen: &mut Vec<(usize, String)>,
    ) -> bool {
        let Some((source, name)) = self.definition_of(module, path) else {
            return false;
        };
        let Some(outline) = self.outline(source) else {
            return false;
        };
        let Some(at) = outline.last_binder(&name) else {
            return false;
        };
        let key = (source, name);
        if seen.contains(&key) {
            return false;
        }
        seen.push(key);
        match &outline.statements[at].kind {
            Kind::Function(function) => self.reads_pending(source, &function.facts, seen),
            // Which of its methods are called on an instance is not known.
            Kind::Class(class) => {
                let mut bases = class.arguments.iter();
                bases.any(|base| self.reads_pending(source, &base.facts, seen))
                    || class.body.iter().any(|member| match &member.kind {
                        Kind::Function(method) => self.reads_pending(source, &method.facts, seen),
                        _ => false,
                    })
            }
            _ => false,
        }
    }

    fn reads_pending(&self, module: usize, facts: &Facts, seen: &mut Vec<(usize, String)>) -> bool {
        facts.reads.iter().any(|path| {
            self.is_late(module, path, &mut Vec::new())
                || match self.change_of(module, path) {
                    Some(Changed::Value) => self.pending_inside(module, path, seen),
                    Some(_) => true,
                    None => self.call_changed(module, path),
                }
        })
    }
}
