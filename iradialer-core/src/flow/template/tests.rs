use super::*;
use proptest::prelude::*;

fn filled(text: &str, filling: Filling) -> Result<String, String> {
    let facts = CallFacts {
        to_number: "+1415".to_owned(),
        vars: BTreeMap::from([
            ("a".to_owned(), "ä/b c".to_owned()),
            ("ok".to_owned(), "x-1.y".to_owned()),
        ]),
        ..CallFacts::default()
    };
    let set = BTreeMap::from([("b".to_owned(), "{{vars.a}}".to_owned())]);
    let values = Values {
        facts: &facts,
        defaults: None,
        set: &set,
    };
    Template::parse(text)?.fill(&values, filling)
}

#[test]
fn names_are_filled_in() {
    for (text, filled_in) in [
        ("", ""),
        ("no names { } }}", "no names { } }}"),
        ("{{vars.a}}!", "ä/b c!"),
        ("{{ b }}{{call.to_number}}", "{{vars.a}}+1415"),
        ("{{vars.none}}{{metadata.none}}", ""),
    ] {
        assert_eq!(
            filled(text, Filling::Text).as_deref(),
            Ok(filled_in),
            "{text}"
        );
    }
    assert_eq!(
        filled("q={{vars.a}}", Filling::Url).as_deref(),
        Ok("q=%C3%A4%2Fb%20c")
    );
    assert_eq!(
        filled("{{vars.ok}}", Filling::PathPart).as_deref(),
        Ok("x-1.y")
    );
    assert!(
        filled("{{vars.a}}", Filling::PathPart)
            .unwrap_err()
            .contains("vars.a: expected letters")
    );
}

#[test]
fn what_is_no_template_is_refused() {
    for (text, says) in [
        ("{{", "expected '}}'"),
        ("{{a", "expected '}}'"),
        ("{{}}", "expected a name"),
        ("{{a b}}", "expected a name"),
        ("{{a + 1}}", "expected a name"),
        ("{{env.HOME}}", "expected a name"),
        (
            "{{call.password}}",
            "one of to_number, from_number, call_uuid, campaign_name",
        ),
        ("{{vars.}}", "expected a name"),
        ("{{{{a}}}}", "expected a name"),
        ("{{\n}}", "expected a name"),
    ] {
        let error = Template::parse(text).unwrap_err();
        assert!(error.contains(says), "{text}: {error}");
    }
    assert!(Template::parse(&"é".repeat(1_000)).is_ok());
    assert!(
        Template::parse(&"x".repeat(1_001))
            .unwrap_err()
            .contains("at most 1000 characters, got 1001")
    );
}

proptest! {
    #[test]
    fn no_text_makes_it_panic_and_each_survives(text in "[{} a.b\\PC]{0,60}") {
        if let Ok(template) = Template::parse(&text) {
            prop_assert_eq!(template.as_str(), &text);
            let json = serde_json::to_string(&template).unwrap();
            prop_assert_eq!(serde_json::from_str::<Template>(&json).unwrap(), template);
        }
    }

    /// A value is put in as it is: filling in what was filled in changes nothing of it.
    #[test]
    fn a_value_is_never_looked_into(value in "[{}a-z.]{0,30}") {
        let facts = CallFacts { vars: BTreeMap::from([("x".to_owned(), value.clone())]), ..CallFacts::default() };
        let set = BTreeMap::new();
        let values = Values { facts: &facts, defaults: None, set: &set };
        let filled = Template::parse("<{{vars.x}}>").unwrap().text(&values);
        prop_assert_eq!(filled, format!("<{value}>"));
    }
}
