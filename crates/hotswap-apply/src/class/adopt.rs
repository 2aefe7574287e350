//! Functions that live take over what newly made ones are.

use hotswap_cpython::attributes::Peek as _;
use hotswap_plan::Statement;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFunction, PyTuple, PyType};

use crate::codes;
use crate::stage::Stage;
use crate::transaction::Write;

impl<'py> Stage<'_, 'py> {
    /// A live function takes over everything of a newly made one.
    pub(crate) fn adopt_function(
        &mut self,
        live: &Bound<'py, PyAny>,
        made: &Bound<'py, PyAny>,
        class: Option<Bound<'py, PyType>>,
    ) -> PyResult<()> {
        let (old_code, mut new_code) = (live.peek("__code__")?, made.peek("__code__")?);
        if let Some(pair) = self.pairs.iter().find(|pair| pair.old.is(&new_code)) {
            new_code = pair.new.clone();
        }
        let is_plain = |code: &Bound<'py, PyAny>| -> PyResult<bool> {
            let free = codes::free_variables(code)?;
            Ok(free.iter().all(|name| name == "__class__"))
        };
        // A closure's code is shared by all that its maker made, such as the wrappers of
        // one decorator: only this one changes, also where it was a wrapper and is none any
        // more. Nor were the holders of code in files that were not edited looked for.
        if self.live.with_code(&old_code).is_empty()
            || self.live.with_code(&old_code).len() > 1
                && !is_same_definition(&old_code, &new_code)?
            || !is_plain(&old_code)?
            || !is_plain(&new_code)?
        {
            let closure = made.peek("__closure__")?.cast_into::<PyTuple>().ok();
            self.transaction.push(Write::Code {
                function: live.clone(),
                code: new_code,
                closure,
            });
            self.transaction.keep(old_code);
            self.remade_closures.push(live.clone());
            self.adopt_globals(live, made)?;
        } else {
            self.pair(&old_code, &new_code, class)?;
        }
        for name in ["__defaults__", "__kwdefaults__", "__doc__"] {
            let value = made.getattr(name)?;
            self.transaction.push(Write::Attribute {
                object: live.clone(),
                name,
                value: Some(value),
            });
        }
        if crate::annotations::attribute_of(made)? == "__annotate__" {
            let value = made.getattr("__annotate__")?;
            self.transaction.push(Write::Attribute {
                object: live.clone(),
                name: "__annotate__",
                value: Some(value),
            });
        } else {
            self.set_annotations(live, made.getattr("__annotations__")?)?;
        }
        Ok(())
    }

    /// The namespace in which the code of a function looks names up: a wrapper has that
    /// of its decorator, and some libraries give each function they generate its own.
    fn adopt_globals(
        &mut self,
        live: &Bound<'py, PyAny>,
        made: &Bound<'py, PyAny>,
    ) -> PyResult<()> {
        let mut globals = made.peek("__globals__")?.cast_into::<PyDict>()?;
        let staged = self
            .staging
            .values()
            .find(|staging| staging.namespace.is(&globals));
        let shadow = self.shadows.iter().find(|(shadow, _)| shadow.is(&globals));
        if let Some(staging) = staged {
            globals = staging.live.clone();
        } else if let Some((_, module)) = shadow {
            globals = self.live_dict(*module);
        }
        if !live.peek("__globals__")?.is(&globals) {
            self.transaction.push(Write::Globals {
                function: live.clone(),
                globals,
            });
        }
        Ok(())
    }

    /// The annotations of a function, in place: the wrappers that `functools.wraps`
    /// made share the dict.
    pub(crate) fn set_annotations(
        &mut self,
        function: &Bound<'py, PyAny>,
        value: Bound<'py, PyAny>,
    ) -> PyResult<()> {
        let present = function.getattr("__annotations__")?;
        if present.is_exact_instance_of::<PyDict>() && value.is_exact_instance_of::<PyDict>() {
            if !present.is(&value) {
                self.transaction.push(Write::Content {
                    container: present,
                    content: value,
                });
            }
        } else {
            self.transaction.push(Write::Attribute {
                object: function.clone(),
                name: "__annotations__",
                value: Some(value),
            });
        }
        Ok(())
    }

    /// What decorators set on a function, where its decorators have run again.
    pub(super) fn adopt_attributes(
        &mut self,
        live: &Bound<'py, PyAny>,
        made: &Bound<'py, PyAny>,
    ) -> PyResult<()> {
        let (container, content) = (live.peek("__dict__")?, made.peek("__dict__")?);
        if !(container.is_empty()? && content.is_empty()?) {
            self.transaction.push(Write::Content { container, content });
        }
        Ok(())
    }

    /// A function whose definition ran again keeps its identity, if what came out is a
    /// function of the same name again: it takes over all that the new one is, and who
    /// took hold of the new one gets the live one. False: it is another kind of object.
    pub(crate) fn adopt_definition(
        &mut self,
        module: usize,
        live: &Bound<'py, PyAny>,
        made: &Bound<'py, PyAny>,
        name: &str,
        old: &Statement,
    ) -> PyResult<bool> {
        let Some(before) = old.function() else {
            return Ok(false);
        };
        for (function, name) in [(live, before.name.as_str()), (made, name)] {
            // What a decorator returned to everybody, such as the dummy of
            // `typing.overload`, has another name.
            if !function.is_exact_instance_of::<PyFunction>()
                || !function.peek("__qualname__")?.eq(name)?
            {
                return Ok(false);
            }
        }
        if !self.is_said_to_be_of(module, made)?
            || !self.is_of_same_module(module, live, made)?
            || self.is_held_weakly(made)?
        {
            return Ok(false);
        }
        self.adopt_function(live, made, None)?;
        let (from, to) = (
            made.peek("__dict__")?.cast_into::<PyDict>()?,
            live.peek("__dict__")?.cast_into::<PyDict>()?,
        );
        for (key, value) in from.iter() {
            self.transaction.push(Write::Item {
                dict: to.clone(),
                key,
                value: Some(value),
            });
        }
        // What the old decorators had set goes with them; what the program set on an
        // undecorated function stays.
        if !before.decorators.is_empty() {
            for (key, _) in to.iter() {
                if !from.contains(&key)? {
                    self.transaction.push(Write::Item {
                        dict: to.clone(),
                        key,
                        value: None,
                    });
                }
            }
        }
        self.transaction.push(Write::Reference {
            old: made.clone(),
            new: live.clone(),
        });
        Ok(true)
    }

    /// A function whose definition went to another module, from where this one imports it
    /// now, keeps its identity where at least as many hold it as hold the other.
    pub(crate) fn adopt_moved(
        &mut self,
        module: usize,
        live: &Bound<'py, PyAny>,
        made: &Bound<'py, PyAny>,
        gone: &Statement,
    ) -> PyResult<bool> {
        let is_plain = |function: &Bound<'py, PyAny>| {
            function.is_exact_instance_of::<PyFunction>()
                && function
                    .peek("__closure__")
                    .is_ok_and(|cells| cells.is_none())
        };
        let Some(definition) = gone.function() else {
            return Ok(false);
        };
        if !is_plain(live)
            || !is_plain(made)
            || !definition.decorators.is_empty()
            || !live.peek("__qualname__")?.eq(&definition.name)?
            || !made.peek("__qualname__")?.eq(&definition.name)?
            || !self.is_source_function(module, live)?
            || self.holders(live)? < self.holders(made)?
            || self.is_held_weakly(made)?
        {
            return Ok(false);
        }
        self.adopt_function(live, made, None)?;
        self.adopt_globals(live, made)?;
        self.transaction.push(Write::Attribute {
            object: live.clone(),
            name: "__module__",
            value: Some(made.peek("__module__")?),
        });
        let to = live.peek("__dict__")?.cast_into::<PyDict>()?;
        let from = made.peek("__dict__")?.cast_into::<PyDict>()?;
        for (key, value) in from.iter() {
            self.transaction.push(Write::Item {
                dict: to.clone(),
                key,
                value: Some(value),
            });
        }
        self.transaction.push(Write::Reference {
            old: made.clone(),
            new: live.clone(),
        });
        Ok(true)
    }

    /// `property`, `classmethod` and `staticmethod` keep the functions they hold; `again` says
    /// that the decorators below them are other ones.
    pub(super) fn adopt_wrapped(
        &mut self,
        module: usize,
        was: &Bound<'py, PyAny>,
        value: &Bound<'py, PyAny>,
        class: &Bound<'py, PyType>,
        again: bool,
    ) -> PyResult<bool> {
        if !was.get_type().is(value.get_type()) {
            return Ok(false);
        }
        let kind = was.get_type().name()?.to_string();
        let fields: &[&str] = match kind.as_str() {
            "property" => &["fget", "fset", "fdel"],
            "classmethod" | "staticmethod" => &["__func__"],
            _ => return Ok(false),
        };
        let mut functions = Vec::new();
        for field in fields {
            let (a, b) = (was.getattr(*field)?, value.getattr(*field)?);
            if a.is_none() && b.is_none() {
                continue;
            }
            if a.peek("__code__").is_err()
                || b.peek("__code__").is_err()
                || !self.is_source_function(module, &a)?
            {
                return Ok(false);
            }
            functions.push((a, b));
        }
        functions.push((was.clone(), value.clone()));
        for (a, b) in functions {
            if !b.is(value) {
                self.adopt_function(&a, &b, Some(class.clone()))?;
                if again {
                    self.adopt_attributes(&a, &b)?;
                }
            }
            // A hook that ran when the class was made anew may have kept the new one.
            self.transaction.push(Write::Reference { old: b, new: a });
        }
        Ok(true)
    }

    pub(crate) fn is_source_function(
        &self,
        module: usize,
        function: &Bound<'py, PyAny>,
    ) -> PyResult<bool> {
        let file: String = function
            .peek("__code__")?
            .getattr("co_filename")?
            .extract()?;
        Ok(file == self.code_file(module))
    }

    /// A function that a statement of the class body made, in its old and its new
    /// version. A wrapper has the code of its decorator, which others share, so it is
    /// not one that could be changed in place.
    pub(crate) fn adopt_member(
        &mut self,
        module: usize,
        was: &Bound<'py, PyAny>,
        value: &Bound<'py, PyAny>,
        class: &Bound<'py, PyType>,
    ) -> PyResult<bool> {
        if was.get_type().name()? != "function" || value.get_type().name()? != "function" {
            return Ok(false);
        }
        if self.is_source_function(module, was)?
            && self.is_source_function(module, value)?
            && self.same_definition(was, value)?
        {
            self.adopt_function(was, value, Some(class.clone()))?;
            return Ok(true);
        }
        // One of them is what a decorator made of the definition, and passes for it.
        if !was.peek("__qualname__")?.eq(value.peek("__qualname__")?)?
            || !self.is_of_same_module(module, was, value)?
            || self.is_held_weakly(value)?
        {
            return Ok(false);
        }
        self.adopt_function(was, value, Some(class.clone()))?;
        self.transaction.push(Write::Reference {
            old: value.clone(),
            new: was.clone(),
        });
        Ok(true)
    }

    /// Whether an object names this module as its home.
    pub(super) fn is_said_to_be_of(
        &self,
        module: usize,
        object: &Bound<'py, PyAny>,
    ) -> PyResult<bool> {
        match self.live_dict(module).get_item("__name__")? {
            Some(own) => object.peek("__module__")?.eq(own),
            None => Ok(false),
        }
    }

    /// Whether a function and its successor are said to be of one module. A package may have
    /// given what it exports its own name meanwhile, which the live one keeps.
    fn is_of_same_module(
        &self,
        module: usize,
        live: &Bound<'py, PyAny>,
        made: &Bound<'py, PyAny>,
    ) -> PyResult<bool> {
        Ok(live.peek("__module__")?.eq(made.peek("__module__")?)?
            || self.is_said_to_be_of(module, made)? && self.is_source_function(module, live)?)
    }

    /// How many references there are to an object, those of this very call included.
    fn holders(&self, object: &Bound<'py, PyAny>) -> PyResult<usize> {
        let count = self.py.import("sys")?.getattr("getrefcount")?;
        count.call1((object,))?.extract()
    }

    /// Weak references cannot be moved: whoever holds the new function that way, as
    /// signals do, has to find it alive.
    fn is_held_weakly(&self, function: &Bound<'py, PyAny>) -> PyResult<bool> {
        let count = self.py.import("weakref")?.getattr("getweakrefcount")?;
        Ok(count.call1((function,))?.extract::<usize>()? > 0)
    }

    /// Whether a function is what a statement of the old source made, and not another
    /// one of the same name.
    pub(super) fn is_of(
        &self,
        module: usize,
        function: &Bound<'py, PyAny>,
        statement: Option<&Statement>,
    ) -> bool {
        let Some((definition, site)) =
            statement.and_then(|statement| Some((statement.function()?, statement.codes.last()?)))
        else {
            return false;
        };
        self.functions_at(module, &definition.name, site.line)
            .iter()
            .any(|live| live.function.is(function))
    }

    /// Whether two functions are two versions of one definition, as their own code says.
    pub(crate) fn same_definition(
        &self,
        was: &Bound<'py, PyAny>,
        value: &Bound<'py, PyAny>,
    ) -> PyResult<bool> {
        let name = |function: &Bound<'py, PyAny>| -> PyResult<String> {
            let code = function.peek("__code__")?;
            match code.getattr("co_qualname") {
                Ok(name) => name.extract(),
                Err(_) => crate::codes::name_of(&code),
            }
        };
        let own: String = was.peek("__name__")?.extract()?;
        Ok(name(was)? == name(value)? && crate::codes::name_of(&was.peek("__code__")?)? == own)
    }
}

/// Whether two code objects are versions of one definition, as far as their names tell.
fn is_same_definition(old: &Bound<'_, PyAny>, new: &Bound<'_, PyAny>) -> PyResult<bool> {
    let name = match cfg!(Py_3_11) {
        true => "co_qualname",
        false => "co_name",
    };
    old.getattr(name)?.eq(new.getattr(name)?)
}
