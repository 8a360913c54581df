use proptest::prelude::*;

use super::*;
use crate::report::comparison::Raw;
use crate::watch::mask::Mask;
use crate::watch::screen::Room;
use crate::watch::text::Zone;
use crate::watch::theme::{Colours, Theme};

fn look(mask: &Mask) -> Look<'_> {
    Look {
        theme: Theme {
            colours: Colours::None,
            unicode: false,
        },
        zone: Zone::Fixed(0),
        stale: false,
        now: 0,
        room: Room::Wide,
        mask,
        focus: 0,
        expanded: false,
    }
}

fn row(mark: Mark, path: &str, legacy: Option<&str>, candidate: Option<&str>, why: &str) -> Row {
    Row {
        mark,
        path: path.to_owned(),
        wire: None,
        legacy: legacy.map(str::to_owned),
        candidate: candidate.map(str::to_owned),
        why: why.to_owned(),
    }
}

fn blocked() -> Comparison {
    let answer = Section {
        title: "answer".to_owned(),
        rows: vec![
            row(
                Mark::Divergent,
                "idTagInfo.expiryDate",
                None,
                Some("\"2027-01-01T00:00:00Z\""),
                "S1 rule id-tag",
            ),
            row(
                Mark::Equal,
                "idTagInfo.parentIdTag",
                Some("\"P\""),
                Some("\"P\""),
                "",
            ),
            row(
                Mark::Divergent,
                "idTagInfo.status",
                Some("\"Blocked\""),
                Some("\"Accepted\""),
                "S1 rule id-tag",
            ),
        ],
        ..Section::default()
    };
    let request = Section {
        title: "request".to_owned(),
        note: "the same 40 bytes to both".to_owned(),
        ..Section::default()
    };
    let raw = |who, seq, line: &str| Raw {
        who,
        seq,
        lines: vec!["{".to_owned(), line.to_owned(), "}".to_owned()],
    };
    Comparison {
        title: "Authorize seq 7".to_owned(),
        sections: vec![request, answer],
        raw: vec![
            raw("charger", 7, "  \"idTag\": \"T\""),
            raw("legacy", 8, "  \"status\": \"Blocked\""),
            raw("candidate", 9, "  \"status\": \"Accepted\""),
        ],
    }
}

fn text(lines: &[Line<'_>]) -> String {
    let said = lines.iter().map(ToString::to_string);
    said.collect::<Vec<_>>().join("\n")
}

#[test]
fn wide_screens_show_columns() {
    let mask = Mask::new("run", false);
    let shown = lines(
        &blocked(),
        78,
        Fold {
            raw: true,
            unfolded: false,
        },
        &look(&mask),
    );
    insta::assert_snapshot!(text(&shown), @r#"
    request  the same 40 bytes to both
    answer
       path                   LEGACY                    CANDIDATE
    x  idTagInfo.expiryDate   (absent)                  "2027-01-01T00:00:00Z"
         S1 rule id-tag
    =  idTagInfo.parentIdTag  "P"                       "P"
    x  idTagInfo.status       "Blocked"                 "Accepted"
         S1 rule id-tag
    raw  L legacy seq 8, C candidate seq 9
       {
    L    "status": "Blocked"
    C    "status": "Accepted"
       }
    raw  charger seq 7
       {
         "idTag": "T"
       }
    "#);
}

#[test]
fn narrow_screens_stack_legacy_and_candidate() {
    let mask = Mask::new("run", false);
    let shown = lines(&blocked(), 40, Fold::default(), &look(&mask));
    insta::assert_snapshot!(text(&shown), @r#"
    request  the same 40 bytes to both
    answer
    x  idTagInfo.expiryDate
       L  (absent)
       C  "2027-01-01T00:00:00Z"
         S1 rule id-tag
    =  idTagInfo.parentIdTag
       =  "P"
    x  idTagInfo.status
       L  "Blocked"
       C  "Accepted"
         S1 rule id-tag
    "#);
}

#[test]
fn runs_of_equal_fields_are_folded_and_counted() {
    let mask = Mask::new("run", false);
    let mut comparison = blocked();
    comparison.sections.truncate(1);
    comparison.sections[0].rows = (0..9)
        .map(|number| {
            row(
                Mark::Equal,
                &format!("a[{number}]"),
                Some("1"),
                Some("1"),
                "",
            )
        })
        .collect();
    comparison.sections[0].more = 5;
    let shown = text(&lines(&comparison, 60, Fold::default(), &look(&mask)));
    assert!(shown.contains("14 equal fields"), "{shown}");
    let fold = Fold {
        raw: false,
        unfolded: true,
    };
    let shown = text(&lines(&comparison, 60, fold, &look(&mask)));
    assert!(
        shown.contains("a[8]") && shown.contains("=  5 equal fields"),
        "{shown}"
    );
    assert_eq!(summary(&comparison), "14 equal");
}

#[test]
fn tags_are_masked_in_fields_and_in_texts() {
    let mask = Mask::new("run", true);
    let mut comparison = blocked();
    comparison.sections[1].rows.push(row(
        Mark::Divergent,
        "idTag",
        Some("\"SECRET-TAG\""),
        None,
        "",
    ));
    comparison.raw[0].lines[1] = "  \"idTag\": \"SECRET-TAG\"".to_owned();
    for width in [40, 100] {
        let shown = lines(
            &comparison,
            width,
            Fold {
                raw: true,
                unfolded: true,
            },
            &look(&mask),
        );
        assert!(!text(&shown).contains("SECRET"), "{}", text(&shown));
    }
}

fn anything() -> impl Strategy<Value = Option<String>> {
    prop_oneof![
        Just(None),
        ".{0,60}".prop_map(Some),
        "[a-z0-9 \"{}:,.\\[\\]充電🚗-]{0,400}".prop_map(Some),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn no_text_and_no_width_upsets_it(
        rows in prop::collection::vec((0..6usize, ".{0,40}", anything(), anything(), anything()), 0..12),
        (width, raw, unfolded, three_way, unicode) in (1..=200u16, any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>()),
        lines_of in prop::collection::vec(".{0,80}", 0..20),
    ) {
        let rows = rows.into_iter().map(|(mark, path, wire, legacy, candidate)| Row {
            mark: Mark::ALL[mark], path, wire, legacy, candidate, why: String::new(),
        });
        let (ours, theirs) = lines_of.split_at(lines_of.len() / 2);
        let raw_of = |who, lines: &[String]| Raw { who, seq: 1, lines: lines.to_vec() };
        let comparison = Comparison {
            title: String::new(),
            sections: vec![Section { title: "s".into(), note: "n".into(), rows: rows.collect(), more: 1, three_way }],
            raw: vec![raw_of("legacy", ours), raw_of("candidate", theirs), raw_of("charger", ours)],
        };
        let mask = Mask::new("run", raw);
        let mut look = look(&mask);
        look.theme.unicode = unicode;
        for line in lines(&comparison, width, Fold { raw, unfolded }, &look) {
            prop_assert!(line.width() <= usize::from(width).max(2), "{} in {width}: {line:?}", line.width());
        }
    }
}
