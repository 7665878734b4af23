//! Parameters that several corrections share.

use crate::correction::Parameter;

/// `by`, with the table as a whole among the choices.
pub(crate) const fn by(default: &'static str) -> Parameter {
    Parameter {
        name: "by",
        default,
        values: "all, source, batch or plate",
        what: "the unit whose groups are corrected apart",
    }
}

/// `by`, a real unit.
pub(crate) const fn unit(default: &'static str) -> Parameter {
    Parameter { name: "by", default, values: "source, batch or plate", what: "the unit whose groups are aligned" }
}

/// `on`.
pub(crate) const fn on(default: &'static str) -> Parameter {
    Parameter { name: "on", default, values: "controls or all", what: "the rows that the fit sees" }
}

/// `defect`.
pub(crate) const DEFECT: Parameter = Parameter {
    name: "defect",
    default: "none",
    values: "none or last-group-only",
    what: "last-group-only corrects the last group alone, as jump_models did by mistake",
};

/// `components`.
pub(crate) const fn components(default: &'static str, what: &'static str) -> Parameter {
    Parameter { name: "components", default, values: "a whole number of at least 1, or auto", what }
}
