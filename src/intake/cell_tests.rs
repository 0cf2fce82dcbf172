use super::*;
use crate::domain::Column;

fn cell(data: DataRef<'_>, column: Column) -> (String, Option<FindingCode>) {
    Cell::new(&data, false).unwrap().into_text(column, false)
}

#[test]
fn a_number_is_no_citizen_number() {
    let lost = (String::new(), Some(FindingCode::NumericId));
    for data in [
        DataRef::Float(5.222_251_902_051_408e17),
        DataRef::Int(522_225),
    ] {
        assert_eq!(cell(data, Column::ResidentNumber), lost);
    }
    let rounded = (String::new(), Some(FindingCode::RoundedId));
    for data in [
        DataRef::String("5.22225190205141E+17".into()),
        DataRef::String(" 5.22225e+17".into()),
        DataRef::String("522225190205141000".into()),
    ] {
        assert_eq!(cell(data, Column::ResidentNumber), rounded);
    }
}

#[test]
fn codes_and_telephones_typed_as_numbers_keep_their_digits() {
    for (number, text) in [
        (440_232.0, "440232"),
        (520_624_111_201.0, "520624111201"),
        (13_800_000_000.0, "13800000000"),
        (1.0, "1"),
        (f64::NAN, ""),
    ] {
        assert_eq!(cell(DataRef::Float(number), Column::Phone).0, text);
    }
}

/// `3-1` becomes the first of March, and long numbers end in zeros: leads went out under such numbers.
#[test]
fn regression_what_a_program_made_of_a_number_is_not_taken_for_it() {
    let day = ExcelDateTime::new(46_082.0, ExcelDateTimeType::DateTime, false);
    for data in [
        DataRef::DateTime(day),
        DataRef::Float(52_062_420_260_305_001.0),
        DataRef::String("5.20624E+16".into()),
    ] {
        for column in [Column::Number, Column::Phone, Column::Remarks] {
            let found = (String::new(), Some(FindingCode::NotAsTyped));
            assert_eq!(cell(data.clone(), column), found);
            let back = Cell::new(&data, false).unwrap();
            assert_eq!(back.as_given_back(Some(column)), "");
        }
    }
    let longest = DataRef::Float(999_999_999_999_999.0);
    assert_eq!(cell(longest, Column::Number).0, "999999999999999");
    for number in ["2026E01", "E-5", "1E5", "+8613800000000"] {
        assert_eq!(
            cell(DataRef::String(number.into()), Column::Number).0,
            number
        );
    }
}

#[test]
fn serial_days_are_dates_where_dates_belong() {
    let date = ("2026-06-01".to_owned(), Some(FindingCode::Normalised));
    assert_eq!(cell(DataRef::Float(46_174.0), Column::CollectedOn), date);
    assert_eq!(cell(DataRef::Float(46_174.0), Column::Number).0, "46174");
    let back = Cell::new(&DataRef::Float(46_174.0), false).unwrap();
    assert_eq!(back.as_given_back(Some(Column::CollectedOn)), "2026-06-01");
    assert_eq!(back.as_given_back(Some(Column::Number)), "46174");
    assert_eq!(
        cell(DataRef::Float(20_260_601.0), Column::CollectedOn).0,
        "20260601"
    );
    let shown = ExcelDateTime::new(46_174.75, ExcelDateTimeType::DateTime, false);
    assert_eq!(
        cell(DataRef::DateTime(shown), Column::CollectedOn),
        ("2026-06-01".to_owned(), None)
    );
    let since_1904 = Cell::new(&DataRef::Float(44_712.0), true).unwrap();
    assert_eq!(since_1904.into_text(Column::CollectedOn, false), date);
}

#[test]
fn fields_say_that_they_are_text_in_more_than_one_way() {
    let of = |field: &str, column: Column| Cell::from_csv(field).unwrap().into_text(column, false);
    let number = || "522225190010142478".to_owned();
    assert_eq!(
        of("=\"522225190010142478\"", Column::ResidentNumber),
        (number(), None)
    );
    assert_eq!(
        of("'522225190010142478", Column::ResidentNumber),
        (number(), Some(FindingCode::Normalised))
    );
    assert_eq!(of("'甲", Column::Name).0, "'甲");
    assert_eq!(Cell::from_csv("=\"\""), None);
}

/// `3.5`, `2026.3`, a formula over an empty cell: a program shows all of these as days.
#[test]
fn regression_days_that_nobody_typed_are_not_taken() {
    for serial in [0.0, 3.5, 2026.3, -5.0, 1e9, f64::NAN, f64::INFINITY, -1e300] {
        let day = ExcelDateTime::new(serial, ExcelDateTimeType::DateTime, false);
        let lost = (String::new(), Some(FindingCode::NotAsTyped));
        assert_eq!(
            cell(DataRef::DateTime(day), Column::CollectedOn),
            lost,
            "{serial}"
        );
        let back = Cell::new(&DataRef::DateTime(day), false).unwrap();
        assert_eq!(back.as_given_back(Some(Column::CollectedOn)), "");
    }
}

#[test]
fn regression_an_error_is_not_an_empty_cell() {
    let lost = (String::new(), Some(FindingCode::ErrorValue));
    for column in [Column::Phone, Column::GradeScheme, Column::Remarks] {
        assert_eq!(cell(DataRef::Error(CellErrorType::NA), column), lost);
        assert_eq!(cell(DataRef::String(" #N/A".into()), column), lost);
    }
    let back = Cell::new(&DataRef::Error(CellErrorType::Ref), false).unwrap();
    assert_eq!(back.as_given_back(Some(Column::Phone)), "#REF!");
}

#[test]
fn regression_marks_that_make_a_cell_text_are_no_part_of_any_code() {
    let of = |text: &str, column| cell(DataRef::String(text.into()), column);
    let tidied = |text: &str| (text.to_owned(), Some(FindingCode::Normalised));
    for mark in ["'", "‘", "＇", "`", " '", "\t'", "\u{200b}'"] {
        let marked = |text: &str| format!("{mark}{text}");
        for (text, column) in [
            ("SN1", Column::Number),
            ("522225190010142478", Column::ResidentNumber),
            ("440232", Column::DestinationCode),
            ("2026-03-05", Column::CollectedOn),
            ("贵D54321", Column::Plate),
            ("13800000001", Column::Phone),
        ] {
            assert_eq!(of(&marked(text), column), tidied(text), "{mark}{text}");
        }
        let said = marked("甲");
        assert_eq!(of(&said, Column::Remarks).0, said);
    }
    assert_eq!(of("13800000001.0", Column::Phone), tidied("13800000001"));
    assert_eq!(of("2026.0", Column::Number), ("2026.0".to_owned(), None));
    let long = of("52062420260305001.0", Column::Phone);
    assert_eq!(long.1, Some(FindingCode::NotAsTyped));
    let id = of("522225190010142000.0", Column::ResidentNumber);
    assert_eq!(id.1, Some(FindingCode::RoundedId));
}

#[test]
fn regression_a_formula_in_a_csv_file_is_no_value() {
    for formula in ["=\"a\"&\"b\"", "=A1&B1", "=(1)", "=TEXT(A1,\"0\")"] {
        assert_eq!(Cell::from_csv(formula), Some(Cell::Uncomputed), "{formula}");
    }
    assert_eq!(
        Cell::from_csv("=见附件"),
        Some(Cell::Text("=见附件".into()))
    );
}

/// One wrong number in eleven has a fitting check character.
#[test]
fn regression_a_rounded_number_that_passes_is_told_by_its_column() {
    let kept = || Cell::Text("522225190001010000".into());
    let (text, found) = kept().into_text(Column::ResidentNumber, false);
    assert_eq!((text.len(), found), (18, Some(FindingCode::MaybeRounded)));
    let (text, found) = kept().into_text(Column::ResidentNumber, true);
    assert_eq!((text.len(), found), (0, Some(FindingCode::RoundedId)));
    assert!(!kept().is_rounded_number());
    assert!(Cell::Text("522225190001011000".into()).is_rounded_number());
}

/// A picture's formula became a person's name.
#[test]
fn regression_a_picture_in_a_cell_is_no_text() {
    let formula = "=DISPIMG(\"ID_0123\",1)";
    for cell in [
        Cell::new(&DataRef::String(formula.into()), false),
        Cell::from_csv(formula),
    ] {
        let (text, found) = cell.unwrap().into_text(Column::Name, false);
        assert_eq!(
            (text.as_str(), found),
            ("", Some(FindingCode::PictureInCell))
        );
    }
}

#[test]
fn endless_text_is_cut_before_it_is_judged() {
    let text = "实".repeat(32_767);
    let (kept, _) = cell(DataRef::SharedString(&text), Column::Facts);
    assert_eq!(kept.chars().count(), MAX_CHARS);
    assert_eq!(Cell::new(&DataRef::String(" \u{3000}".into()), false), None);
}
