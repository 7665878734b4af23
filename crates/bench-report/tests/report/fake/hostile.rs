//! Names from outside that try to break out of every notation.

use bench_core::RunRecord;
use bench_core::record::{ControlCheck, Setting};

use super::{LABELS, MODELS, SOURCES, record};

/// Names that try to break out of every notation.
pub(crate) fn hostile_names() -> Vec<String> {
    vec![
        "<script>alert(1)</script><img src=x onerror=alert(2)>".into(),
        "</style></script><!-- \"quoted\" 'twice' & more".into(),
        "line one\nline two\r\n\ttabbed\u{0}\u{7}\u{1b}[31m".into(),
        "x".repeat(10_000),
        "\u{202E}txt.exe שלום العربية\u{202C}".into(),
        "50%_of $x^2$ \\input{/etc/passwd} #1 {a} ~b".into(),
        "=HYPERLINK(\"http://evil.example\",\"click\")".into(),
        "a|b|c `code` **bold** [link](http://evil.example) ![i](http://evil.example/i.png)".into(),
        "]]>{{ 7 * 7 }}{% raw %}../../../etc/passwd".into(),
    ]
}

/// [`record`] with every name from outside replaced by a hostile one, simulated, with broken
/// controls.
pub(crate) fn hostile(points: usize) -> RunRecord {
    let mut r = record(points);
    let names = hostile_names();
    let label = |old: &str| LABELS.iter().position(|l| *l == old).map_or_else(|| old.to_owned(), |i| names[i].clone());
    let source = |old: &str| {
        SOURCES
            .iter()
            .position(|l| *l == old)
            .map_or_else(|| old.to_owned(), |i| format!("{}{}", names[(i + 4) % 9], i))
    };
    let model = |old: &str| {
        MODELS.iter().position(|m| m.0 == old).map_or_else(|| old.to_owned(), |i| names[[0, 2, 4][i]].clone())
    };
    let nasty = names.join(" ");
    r.suite.simulated = true;
    r.suite.title.clone_from(&names[0]);
    r.suite.essay = format!("{nasty}\n\n{nasty}");
    r.suite.citation.clone_from(&nasty);
    r.run_id = format!("run-{}", names[1]);
    r.command.extend(names.iter().cloned());
    r.warnings = names.clone();
    r.data.label.clone_from(&names[7]);
    r.confounding.notes = names.clone();
    r.settings.push(Setting { key: names[0].clone(), value: names[5].clone(), origin: names[6].clone() });
    for m in &mut r.models {
        m.name = model(&m.name);
        m.origin.clone_from(&nasty);
        m.understood = names.clone();
        m.dropped = vec![(nasty.clone(), 3)];
    }
    r.data.labels.iter_mut().for_each(|l| l.0 = label(&l.0));
    r.data.sources.iter_mut().for_each(|l| l.0 = source(&l.0));
    for s in &mut r.scores {
        s.model = model(&s.model);
        s.reason = s.reason.as_ref().map(|_| nasty.clone());
    }
    for s in &mut r.summaries {
        s.model = model(&s.model);
        s.reason = s.reason.as_ref().map(|_| nasty.clone());
    }
    for c in &mut r.per_class {
        c.model = model(&c.model);
        c.class = label(&c.class);
    }
    for g in &mut r.per_group {
        g.model = model(&g.model);
        g.group = source(&g.group);
    }
    for t in &mut r.transfer {
        t.model = model(&t.model);
        t.train = source(&t.train);
        t.test = source(&t.test);
        t.reason = t.reason.as_ref().map(|_| nasty.clone());
    }
    for c in &mut r.confusion {
        c.model = model(&c.model);
        c.classes.iter_mut().for_each(|l| *l = label(l));
    }
    r.fits.iter_mut().for_each(|f| f.model = model(&f.model));
    r.batch_probes.iter_mut().for_each(|f| f.model = model(&f.model));
    r.ranks.iter_mut().for_each(|f| f.model = model(&f.model));
    for c in &mut r.comparisons {
        c.a = model(&c.a);
        c.b = model(&c.b);
    }
    for p in &mut r.projections {
        p.model = model(&p.model);
        p.parameters.clone_from(&nasty);
        p.colourings[0].levels.iter_mut().for_each(|l| *l = label(l));
        p.colourings[1].levels.iter_mut().for_each(|l| *l = source(l));
    }
    r.confounding.single[0].label.clone_from(&names[0]);
    r.controls.push(ControlCheck {
        control: "noise".into(),
        rule: nasty.clone(),
        expected: names[0].clone(),
        observed: names[2].clone(),
        holds: Some(false),
        reason: None,
    });
    r.verdict = bench_report::verdict(&r);
    r
}
