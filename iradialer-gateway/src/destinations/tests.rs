use super::*;
use proptest::prelude::*;

fn tenant(name: &str) -> TenantId {
    TenantId::parse("tenant_id", name).unwrap()
}

fn number(text: &str) -> DialNumber {
    DialNumber::parse("to_number", text).unwrap()
}

fn rules(written: &[(&str, Verdict)]) -> Rules {
    let mut rules = Rules::default();
    for (prefix, verdict) in written {
        assert!(rules.add(Prefix::parse(prefix).unwrap(), *verdict));
    }
    rules
}

/// As they are where nothing is configured.
fn usual() -> Destinations {
    Destinations {
        refused_kinds: [
            Kind::PremiumRate,
            Kind::Satellite,
            Kind::InternationalNetwork,
            Kind::Invalid,
        ]
        .into(),
        all: rules(&[("+", Verdict::Allow), ("+4470", Verdict::Deny)]),
        ..Destinations::default()
    }
}

fn ruling(destinations: &Destinations, text: &str) -> String {
    match destinations.check(&tenant("acme"), &number(text)) {
        Ok(()) => "yes".to_owned(),
        Err(refused) => refused.rule,
    }
}

#[test]
fn what_may_be_called_where_nothing_is_configured() {
    let premium = "destinations.refused_kinds: premium_rate";
    let satellite = "destinations.refused_kinds: satellite";
    let network = "destinations.refused_kinds: international_network";
    let invalid = "destinations.refused_kinds: invalid";
    let no_prefix = "destinations.allow: no prefix of it";
    for (text, expected) in [
        ("+15005550006", "yes"),
        ("15005550006", "yes"),
        ("+14155550100", "yes"),
        ("+18005550100", "yes"),
        ("+33612345678", "yes"),
        ("+390612345678", "yes"),
        ("+80012345678", "yes"),
        ("+19005551234", premium),
        ("19005551234", premium),
        ("+33899123456", premium),
        ("+449012345678", premium),
        ("+37190000000", premium),
        ("+979112345678", premium),
        ("+870773123456", satellite),
        ("+881612345678", satellite),
        ("881612345678", satellite),
        ("+882161234567", satellite),
        ("+88234123456", network),
        ("+883510012345", network),
        ("+88812345678", network),
        ("+447012345678", "destinations.deny: +4470"),
        ("+999123456", invalid),
        ("+11234567890", invalid),
        ("00881612345678", invalid),
        ("011881612345678", invalid),
        ("112", no_prefix),
        ("1000", no_prefix),
    ] {
        assert_eq!(ruling(&usual(), text), expected, "{text}");
    }
}

#[test]
fn the_longest_prefix_decides_and_the_tenants_goes_before() {
    let mut destinations = usual();
    destinations.all = rules(&[
        ("+", Verdict::Allow),
        ("+33", Verdict::Deny),
        ("+336", Verdict::Allow),
        ("+1900555", Verdict::AllowAnyKind),
        ("1", Verdict::Allow),
        ("11", Verdict::Deny),
    ]);
    destinations.of_tenants = [
        (
            tenant("acme"),
            rules(&[("+33", Verdict::Allow), ("+336", Verdict::Deny)]),
        ),
        (
            tenant("other"),
            rules(&[("+", Verdict::Deny), ("+8816", Verdict::AllowAnyKind)]),
        ),
    ]
    .into();
    for (text, acme, other) in [
        ("+33140205050", "yes", "destinations.deny: +33"),
        ("+33612345678", "tenants.acme.deny: +336", "yes"),
        ("+14155550100", "yes", "tenants.other.deny: +"),
        ("+19005551234", "yes", "yes"),
        (
            "+881612345678",
            "destinations.refused_kinds: satellite",
            "yes",
        ),
        ("1000", "yes", "yes"),
        ("112", "destinations.deny: 11", "destinations.deny: 11"),
        (
            "2000",
            "destinations.allow: no prefix of it",
            "destinations.allow: no prefix of it",
        ),
    ] {
        for (name, expected) in [("acme", acme), ("other", other)] {
            let checked = destinations.check(&tenant(name), &number(text));
            let said = checked.map_or_else(|refused| refused.rule, |()| "yes".to_owned());
            assert_eq!(said, expected, "{name} {text}");
        }
    }
}

#[test]
fn a_number_without_a_plus_is_of_the_default_region() {
    let mut destinations = usual();
    destinations.default_region = Some("FR".parse().unwrap());
    for (text, dialled) in [
        ("0612345678", "+33612345678"),
        ("0033612345678", "+33612345678"),
        ("0014155550100", "+14155550100"),
        ("+14155550100", "+14155550100"),
        ("112", "112"),
        ("3624", "3624"),
        ("0000000000", "0000000000"),
    ] {
        assert_eq!(destinations.dialled(&number(text)).as_str(), dialled);
    }
    for (text, expected) in [
        ("0612345678", "yes"),
        ("0899123456", "destinations.refused_kinds: premium_rate"),
        ("00881612345678", "destinations.refused_kinds: satellite"),
        ("112", "destinations.allow: no prefix of it"),
        ("0088161234567", "destinations.allow: no prefix of it"),
    ] {
        assert_eq!(ruling(&destinations, text), expected, "{text}");
    }
}

#[test]
fn prefixes() {
    for text in ["+", "+1", "+123456789012345", "1", "000"] {
        assert_eq!(Prefix::parse(text).unwrap().as_str(), text);
    }
    for text in [
        "",
        "++",
        "1+",
        "+1a",
        " 1",
        "+1 2",
        "١",
        "+1234567890123456",
    ] {
        assert_eq!(Prefix::parse(text), None, "{text}");
    }
}

fn any_prefix() -> impl Strategy<Value = String> {
    // Few digits, so that prefixes meet each other and numbers.
    "\\+[12]{0,5}|[12]{1,5}"
}

fn any_verdict() -> impl Strategy<Value = Verdict> {
    prop_oneof![
        Just(Verdict::Allow),
        Just(Verdict::AllowAnyKind),
        Just(Verdict::Deny)
    ]
}

/// Prefixes with what is said of each.
fn any_rules() -> impl Strategy<Value = BTreeMap<String, Verdict>> {
    prop::collection::btree_map(any_prefix(), any_verdict(), 0..12)
}

fn table(written: &BTreeMap<String, Verdict>) -> Rules {
    let written: Vec<_> = written.iter().map(|(p, v)| (p.as_str(), *v)).collect();
    rules(&written)
}

proptest! {
    #[test]
    fn the_rule_is_the_longest_of_all_that_fit(
        written in any_rules(), number in "\\+?[12]{3,8}",
    ) {
        let fitting = written.iter().filter(|(prefix, _)| number.starts_with(prefix.as_str()));
        let longest = fitting.max_by_key(|(prefix, _)| prefix.len());
        let table = table(&written);
        let found = table.longest(&number);
        prop_assert_eq!(
            found.map(|(prefix, verdict)| (prefix.as_str(), verdict)),
            longest.map(|(prefix, verdict)| (prefix.as_str(), *verdict))
        );
    }

    #[test]
    fn a_tenant_is_ruled_by_the_longer_of_its_own_and_the_common_rule(
        own in any_rules(), all in any_rules(), text in "\\+[12]{3,8}",
    ) {
        let destinations = Destinations {
            all: table(&all),
            of_tenants: [(tenant("acme"), table(&own))].into(),
            ..Destinations::default()
        };
        let longest = |written: &BTreeMap<String, Verdict>| {
            let fitting = written.iter().filter(|(prefix, _)| text.starts_with(prefix.as_str()));
            fitting.max_by_key(|(prefix, _)| prefix.len()).map(|(p, v)| (p.len(), *v))
        };
        let (own, all) = (longest(&own), longest(&all));
        let expected = match (own, all) {
            (Some((own, verdict)), Some((all, _))) if own >= all => Some(verdict),
            (_, Some((_, verdict))) | (Some((_, verdict)), None) => Some(verdict),
            (None, None) => None,
        };
        let may = destinations.check(&tenant("acme"), &number(&text)).is_ok();
        prop_assert_eq!(may, expected.is_some_and(|verdict| verdict != Verdict::Deny));
    }

    #[test]
    fn no_number_is_too_odd_to_be_ruled(text in "\\+?[0-9]{3,15}", region in "FR|US|IT|GB|AR") {
        let mut destinations = usual();
        let _ = destinations.check(&tenant("acme"), &number(&text));
        destinations.default_region = Some(region.parse().unwrap());
        let dialled = destinations.dialled(&number(&text));
        // What is dialled is what was ruled.
        prop_assert_eq!(destinations.dialled(&dialled), dialled.clone());
        prop_assert_eq!(
            destinations.check(&tenant("acme"), &number(&text)),
            destinations.check(&tenant("acme"), &dialled)
        );
    }
}
