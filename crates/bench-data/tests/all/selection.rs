use bench_data::{
    ColumnRef, ControlRef, Error, ErrorKind, MultiLabel, RareLabels, ReadOptions, read, read_folds, read_with_report,
};

use super::Folder;

const TABLE: &str = "\
source,plate,well,control,target,dose,split,emb_0,emb_1
s1,p1,A01,trt,x,1,0,0.5,1
s1,p1,A02,trt,y|z,1,1,1.5,2
s1,p1,A03,trt,w,1,,1.25,2
s1,p1,A04,negcon,,0,0,9,9
s2,p1,A01,trt,x,2,1,2.5,3
s2,p1,A02,trt,y|z,2,0,3.5,4
s2,p1,A03,trt,,2,0,3.5,5
s2,p1,A04,negcon,y|z,0,0,8,8
s2,p1,A05,trt,w,1,0,1.25,2
s2,p1,A06,trt,x,2,0,1.25,2
s2,,A07,negcon,,0,0,1,1
";

fn options(change: impl FnOnce(&mut ReadOptions)) -> ReadOptions {
    let mut options = ReadOptions::default();
    change(&mut options);
    options
}

#[test]
fn controls_stay_apart_and_rows_without_label_are_counted() {
    let folder = Folder::new();
    let path = folder.write("t.csv", TABLE);
    let (table, report) = read_with_report(&path, &ReadOptions::default()).unwrap();
    assert_eq!(table.controls.matrix.data(), [9.0, 9.0, 8.0, 8.0]);
    assert_eq!(table.controls.layout.file_row, [3, 7]);
    assert_eq!(table.answers.label.levels, ["x", "y|z", "w"]);
    assert_eq!(table.dropped, [("no label in `target`".to_owned(), 1), ("control without plate".to_owned(), 1)]);
    assert_eq!((report.rows, report.labelled), (11, 7));
    assert_eq!(report.labels, [("x".to_owned(), 3), ("w".to_owned(), 2), ("y|z".to_owned(), 2)]);
    assert!(table.understood.contains(&"controls: 3 rows where `control` is `negcon`".to_owned()));
    assert!(table.understood.contains(
        &"2 rows have several labels (`A|B`); each such text is taken as one label (`--multi-label whole`)".to_owned()
    ));
    // `dose` and `split` are numbers, and are not named like the features.
    assert_eq!(table.features, ["emb_0", "emb_1"]);
}

#[test]
fn a_filter_on_the_control_column_leaves_the_controls() {
    let folder = Folder::new();
    let path = folder.write("t.csv", TABLE);
    let filtered =
        read(&path, &options(|o| o.selection.filters = vec![("control".into(), vec!["trt".into()])])).unwrap();
    assert_eq!((filtered.treated.layout.rows, filtered.controls.layout.rows), (7, 2));
    let source =
        read(&path, &options(|o| o.selection.filters = vec![("source".into(), vec!["s2".into(), "s9".into()])]));
    let error = source.unwrap_err();
    assert_eq!(folder.message(&error), "`t.csv` has labels with fewer than 2 rows: `w` (1), `y|z` (1)");
    assert_eq!(error.hint().unwrap(), "leave them out with `--rare-labels drop`, or lower `--min-label-rows N`");
    let one = read(
        &path,
        &options(|o| {
            o.selection.filters = vec![("source".into(), vec!["s2".into(), "s9".into()])];
            o.selection.min_label_rows = 1;
        }),
    )
    .unwrap();
    assert_eq!((one.treated.layout.rows, one.controls.layout.rows), (4, 1));
    assert_eq!(one.warnings, ["filter on `source`: `s9` does not occur"]);
    let nothing = read(&path, &options(|o| o.selection.filters = vec![("source".into(), vec!["s9".into()])]));
    let error = nothing.unwrap_err();
    assert_eq!(folder.message(&error), "nothing of `t.csv` is selected: no row passes `--where source=s9`");
    assert_eq!(error.kind(), ErrorKind::Empty);
}

#[test]
fn labels_can_be_listed_ranked_and_asked_to_be_everywhere() {
    let folder = Folder::new();
    let path = folder.write("t.csv", TABLE);
    let levels = |change: fn(&mut ReadOptions)| read(&path, &options(change)).map(|t| t.answers.label.levels);
    assert_eq!(levels(|o| o.selection.labels = Some(vec!["w".into(), "x".into()])).unwrap(), ["x", "w"]);
    // `w` and `y|z` tie at two rows: the name decides.
    assert_eq!(levels(|o| o.selection.top_labels = Some(2)).unwrap(), ["x", "w"]);
    let error = levels(|o| o.selection.labels = Some(vec!["x".into(), "y|x".into()])).unwrap_err();
    let Error::Several { first, more: 1, .. } = &error else { panic!("{error}") };
    assert_eq!(folder.message(first), "`t.csv` has no row labelled `y|x` in column `target`");
    assert_eq!(first.hint().unwrap(), "did you mean `y|z`?");
    assert_eq!(
        folder.message(&levels(|o| o.selection.top_labels = Some(1)).unwrap_err()),
        "`t.csv` has one label only, `x` in 3 rows"
    );
    let every = |o: &mut ReadOptions| {
        o.columns.groups.insert("dose".into(), "dose".into());
        o.selection.in_every = Some("dose".into());
        o.selection.min_label_rows = 1;
    };
    assert_eq!(levels(every).unwrap(), ["x", "y|z"]);
    assert_eq!(
        folder.message(&levels(|o| o.selection.in_every = Some("lab".into())).unwrap_err()),
        "`t.csv` has no unit `lab`, asked for by `in-every`"
    );
}

#[test]
fn several_labels_follow_their_policy() {
    let folder = Folder::new();
    let path = folder.write("t.csv", TABLE);
    let table = |policy| read(&path, &options(|o| o.multi_label = policy));
    assert_eq!(table(MultiLabel::First).unwrap().answers.label.levels, ["x", "y", "w"]);
    let dropped = table(MultiLabel::Drop).unwrap();
    assert_eq!(dropped.answers.label.levels, ["x", "w"]);
    assert!(dropped.dropped.contains(&("several labels (`A|B`)".to_owned(), 2)));
    let error = table(MultiLabel::Error).unwrap_err();
    assert_eq!(
        folder.message(&error),
        "`t.csv` has 2 rows with several labels in column `target`, e.g. `y|z` in row 2"
    );
    assert_eq!(error.hint().unwrap(), "choose `--multi-label whole`, `first` or `drop`");
}

#[test]
fn rare_labels_can_be_dropped() {
    let folder = Folder::new();
    let path = folder.write("t.csv", TABLE);
    let table = read(
        &path,
        &options(|o| {
            o.selection.min_label_rows = 3;
            o.selection.rare_labels = RareLabels::Drop;
        }),
    );
    assert_eq!(folder.message(&table.unwrap_err()), "`t.csv` has one label only, `x` in 3 rows");
    let all = read(
        &path,
        &options(|o| {
            o.selection.min_label_rows = 9;
            o.selection.rare_labels = RareLabels::Drop;
        }),
    );
    let error = all.unwrap_err();
    assert_eq!(
        folder.message(&error),
        "nothing of `t.csv` is selected: every row is left out (label with fewer than 9 rows)"
    );
    assert_eq!(error.kind(), ErrorKind::Empty);
}

#[test]
fn a_fold_column_is_kept_with_its_gaps() {
    let folder = Folder::new();
    let path = folder.write("t.csv", TABLE);
    let table = read(&path, &options(|o| o.fold_column = Some("split".into()))).unwrap();
    let fold = table.treated.layout.unit("split").unwrap();
    let at = |file_row: u64| table.treated.layout.file_row.iter().position(|r| *r == file_row).unwrap();
    assert_eq!(["0", "1", ""], [0, 1, 2].map(|row| fold.name(at(row)).to_owned()).each_ref().map(String::as_str));
}

#[test]
fn a_named_control_that_never_occurs_is_a_warning() {
    let folder = Folder::new();
    let path = folder.write("t.csv", TABLE);
    let table = read(
        &path,
        &options(|o| {
            o.columns.control = ControlRef::Is { column: "control".into(), value: "dmso".into() };
            o.columns.plate = ColumnRef::Guess(Vec::new());
        }),
    )
    .unwrap();
    assert_eq!(table.controls.layout.rows, 0);
    assert!(table.warnings.contains(&"no controls: `dmso` does not occur in `control`".to_owned()));
    // Without plates a well is prefixed by its source.
    assert_eq!(table.treated.layout.well.as_ref().unwrap().levels[0], "s1/A01");
}

#[test]
fn fold_tables_are_read_and_checked() {
    let folder = Folder::new();
    let folds = read_folds(&folder.write("f.csv", "row,nss,random\n2,s1,0.0\n0,s2,\n5,,1.0\n")).unwrap();
    assert_eq!(folds.names, ["nss", "random"]);
    assert_eq!(folds.row, [2, 0, 5]);
    let text = |values: [Option<&str>; 3]| values.map(|v| v.map(str::to_owned)).to_vec();
    assert_eq!(folds.fold, [text([Some("s1"), Some("s2"), None]), text([Some("0"), None, Some("1")])]);
    assert!(folds.check_rows(6, "t.csv").is_ok());
    assert_eq!(
        folder.message(&folds.check_rows(5, "t.csv").unwrap_err()),
        "fold table `f.csv` has row 5 in its row 3, and `t.csv` has 5 rows (0 to 4)"
    );
    let table = read(&folder.write("t.csv", TABLE), &ReadOptions::default()).unwrap();
    let of_rows = folds.of_layout(0, &table.treated.layout);
    for (row, file_row) in table.treated.layout.file_row.iter().enumerate() {
        assert_eq!(
            of_rows[row],
            [Some("s2"), None, Some("s1"), None, None, None].get(*file_row as usize).copied().flatten()
        );
    }
    let wrong = |csv: &str| folder.message(&read_folds(&folder.write("f.csv", csv)).unwrap_err());
    assert_eq!(wrong("a,b\n1,2\n"), "fold table `f.csv` has no column `row`");
    assert_eq!(wrong("row\n1\n"), "fold table `f.csv` has no column of fold ids");
    assert_eq!(wrong("row,a\n1,x\n1,y\n"), "fold table `f.csv` has the row 1 twice, in rows 1 and 2");
    assert_eq!(wrong("row,a\n-1,x\n"), "fold table `f.csv` has `-1` as `row` in row 1, which is no row number");
    assert_eq!(wrong("row,a\n1,\n"), "fold table `f.csv` has no fold id in column `a`");
}
