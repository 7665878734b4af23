use bench_data::{ReadOptions, Rows, align, read};

use super::{Folder, GOOD};

fn table(folder: &Folder, name: &str, csv: &str) -> bench_core::Table {
    read(&folder.write(name, csv), &ReadOptions::default()).unwrap()
}

#[test]
fn tables_of_the_same_rows_get_the_same_layout_and_keep_their_values() {
    let folder = Folder::new();
    let lines: Vec<&str> = GOOD.lines().collect();
    let shuffled = [0, 4, 2, 1, 3].map(|i| lines[i]).join("\n").replace("0.5", "-0.5");
    let mut tables = [table(&folder, "a.csv", GOOD), table(&folder, "b.csv", &shuffled)];
    align(&mut tables, Rows::Same).unwrap();
    assert_eq!(tables[0].answers, tables[1].answers);
    assert_eq!(tables[0].treated.layout.well, tables[1].treated.layout.well);
    assert_eq!(tables[0].treated.layout.file_row, [0, 1, 2, 3]);
    assert_eq!(tables[1].treated.layout.file_row, [2, 1, 3, 0]);
    assert_eq!(tables[1].treated.matrix.data(), [-0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0]);
}

#[test]
fn a_row_that_one_model_lacks_is_named() {
    let folder = Folder::new();
    let more = format!("{GOOD}s3,b1,p1,A01,c1,x,4.5,5\n");
    let tables = || [table(&folder, "a.csv", GOOD), table(&folder, "b.csv", &more)];
    let error = align(&mut tables(), Rows::Same).unwrap_err();
    assert_eq!(
        folder.message(&error),
        "`a.csv` has no row source `s3`, batch `s3/b1`, plate `s3/b1/p1`, well `s3/b1/p1/A01`, compound `c1`, \
         label `x`, row 5 of `b.csv`, which `b.csv` has"
    );
    assert_eq!(
        error.hint().unwrap(),
        "give every model the same rows, or compare what they share with `--rows common`"
    );
    let mut common = tables();
    align(&mut common, Rows::Common).unwrap();
    assert_eq!(common[0].treated.layout.rows, 4);
    assert_eq!(common[1].treated.layout.source, common[0].treated.layout.source);
    assert_eq!(common[1].dropped, [("row that another model lacks".to_owned(), 1)]);
    let mut disjoint = [table(&folder, "a.csv", GOOD), table(&folder, "b.csv", &GOOD.replace("p1", "p2"))];
    assert_eq!(
        folder.message(&align(&mut disjoint, Rows::Common).unwrap_err()),
        "nothing of `a.csv` is selected: it has no row that every other table has"
    );
}

#[test]
fn rows_that_share_their_keys_are_matched_by_their_row_in_the_file() {
    let folder = Folder::new();
    // Two rows of one source and label, in the opposite order of values.
    let a = "source,target,emb_0\ns1,x,1\ns1,x,2\ns1,y,3\ns1,y,4\n";
    let b = "source,target,emb_0\ns1,x,20\ns1,x,10\ns1,y,30\ns1,y,40\n";
    let mut tables = [table(&folder, "a.csv", a), table(&folder, "b.csv", b)];
    assert_eq!(tables[1].treated.matrix.data(), [10.0, 20.0, 30.0, 40.0]);
    align(&mut tables, Rows::Same).unwrap();
    assert_eq!(tables[1].treated.matrix.data(), [20.0, 10.0, 30.0, 40.0]);
    assert_eq!(tables[0].treated.layout.file_row, tables[1].treated.layout.file_row);
    let other = "source,target,emb_0\ns1,x,20\ns1,y,10\ns1,y,30\ns1,x,40\n";
    let mut tables = [table(&folder, "a.csv", a), table(&folder, "b.csv", other)];
    assert_eq!(
        folder.message(&align(&mut tables, Rows::Same).unwrap_err()),
        "`b.csv` has no row source `s1`, label `x`, row 2 of `a.csv`, which `a.csv` has (and 1 more)"
    );
}
