//! The example flows and their prompts, as they stand in the repository.

use iradialer_core::flow::{
    Flow, FlowEndWhy, Heard, Leg, LegEnd, Listen, Played, Prompt, Report, Reporter, Step, parse,
    run,
};
use std::collections::{BTreeSet, VecDeque};
use std::path::{Path, PathBuf};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every example, by its file's name.
fn examples() -> Vec<(String, Flow)> {
    let dir = repository().join("examples/flows");
    let mut examples: Vec<_> = std::fs::read_dir(&dir)
        .unwrap_or_else(|error| panic!("{}: {error}", dir.display()))
        .map(|entry| {
            let path = entry.unwrap().path();
            let json = std::fs::read(&path).unwrap();
            let (flow, warnings) =
                parse(&json).unwrap_or_else(|findings| panic!("{}: {findings:#?}", path.display()));
            assert_eq!(warnings, [], "{}", path.display());
            (path.file_stem().unwrap().to_str().unwrap().to_owned(), flow)
        })
        .collect();
    examples.sort_by(|one, other| one.0.cmp(&other.0));
    examples
}

fn example(name: &str) -> Flow {
    let found = examples().into_iter().find(|(stem, _)| stem == name);
    found.unwrap_or_else(|| panic!("no example {name}")).1
}

fn files(flow: &Flow) -> BTreeSet<String> {
    let lists = flow.nodes.values().flat_map(|node| match &node.step {
        Step::Play(prompts) => vec![prompts],
        Step::Menu(menu) => vec![&menu.prompt, &menu.no_input, &menu.invalid],
        Step::Collect(collect) => vec![&collect.prompt, &collect.no_input, &collect.invalid],
        Step::Hangup(_) => vec![],
    });
    let files = lists.flatten().filter_map(|prompt| match prompt {
        Prompt::File(path) => Some(path.to_string()),
        Prompt::Silence(_) | Prompt::Tone(_) => None,
    });
    files.collect()
}

#[test]
fn examples_are_sound_and_named_as_their_files() {
    let examples = examples();
    for (stem, flow) in &examples {
        assert_eq!(*stem, flow.name);
    }
    let names: Vec<_> = examples.iter().map(|(stem, _)| stem.as_str()).collect();
    assert_eq!(names, ["announce", "confirm"]);
}

#[test]
fn every_prompt_is_there_and_every_file_is_used() {
    let dir = repository().join("conf/prompts");
    let used: BTreeSet<_> = examples()
        .iter()
        .flat_map(|(_, flow)| files(flow))
        .collect();
    let names = std::fs::read_dir(&dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let there: BTreeSet<_> = names.filter(|name| name.ends_with(".wav")).collect();
    assert_eq!(used, there);
}

/// 8 kHz, mono, 16 bits: played on a trunk of G.711 without resampling.
#[test]
fn prompts_are_telephone_wavs_of_a_few_seconds() {
    for name in examples().iter().flat_map(|(_, flow)| files(flow)) {
        let wav = std::fs::read(repository().join("conf/prompts").join(&name)).unwrap();
        let u16_at = |at: usize| u16::from_le_bytes([wav[at], wav[at + 1]]);
        let u32_at =
            |at: usize| u32::from_le_bytes([wav[at], wav[at + 1], wav[at + 2], wav[at + 3]]);
        assert_eq!(
            (&wav[..4], &wav[8..16], &wav[36..40]),
            (&b"RIFF"[..], &b"WAVEfmt "[..], &b"data"[..]),
            "{name}"
        );
        assert_eq!(
            (u16_at(20), u16_at(22), u32_at(24), u16_at(34)),
            (1, 1, 8_000, 16),
            "{name}"
        );
        let bytes = u32_at(40) as usize;
        assert_eq!(wav.len(), 44 + bytes, "{name}");
        assert!(
            (8_000..6 * 16_000).contains(&bytes),
            "{name}: {bytes} bytes"
        );
        let loudest = wav[44..]
            .chunks_exact(2)
            .map(|pair| i16::from_le_bytes([pair[0], pair[1]]).unsigned_abs())
            .max();
        assert!(
            loudest > Some(10_000),
            "{name} is hardly heard: {loudest:?}"
        );
    }
}

/// Someone who hears each prompt out and presses the next of these keys whenever one is waited for.
struct Caller {
    keys: VecDeque<char>,
    heard: Vec<String>,
}

impl Leg for Caller {
    fn play(&mut self, prompts: &[Prompt], _barge_in: bool) -> Result<Played, LegEnd> {
        self.heard.extend(prompts.iter().map(Prompt::to_string));
        Ok(Played {
            ms: 1_000,
            interrupted_by: None,
        })
    }

    fn listen(&mut self, _wait: Listen) -> Result<Heard, LegEnd> {
        Ok(self.keys.pop_front().map_or(Heard::Nothing, Heard::Key))
    }
}

struct Ignored;

impl Reporter for Ignored {
    fn report(&mut self, _: Report) {}
    fn at_node(&mut self, _: &str) {}
}

/// What someone hears of `confirm` who presses these keys, and the variables at the end.
fn confirm(keys: &str) -> (String, Vec<(String, String)>) {
    let mut caller = Caller {
        keys: keys.chars().collect(),
        heard: vec![],
    };
    let end = run(&example("confirm"), &mut caller, &mut Ignored);
    assert_eq!(end.why, FlowEndWhy::Done);
    assert_eq!(end.node, "end");
    let heard = caller
        .heard
        .iter()
        .filter_map(|file| file.strip_suffix(".wav"));
    (
        heard.collect::<Vec<_>>().join(" "),
        end.variables.into_iter().collect(),
    )
}

fn variables(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

#[test]
fn confirm_does_what_its_prompts_say() {
    let cases = [
        ("1", "hello menu thanks bye", variables(&[("choice", "1")])),
        (
            "24321",
            "hello menu enter_code thanks bye",
            variables(&[("choice", "2"), ("code", "4321")]),
        ),
        (
            "91",
            "hello menu hello menu thanks bye",
            variables(&[("choice", "1")]),
        ),
        (
            "51",
            "hello menu sorry menu thanks bye",
            variables(&[("choice", "1")]),
        ),
        (
            "243#1234",
            "hello menu enter_code sorry enter_code thanks bye",
            variables(&[("choice", "2"), ("code", "1234")]),
        ),
        (
            "",
            "hello menu still_there menu still_there menu bye",
            variables(&[("choice", "")]),
        ),
        (
            "2",
            "hello menu enter_code still_there enter_code still_there enter_code bye",
            variables(&[("choice", "2"), ("code", "")]),
        ),
    ];
    for (keys, heard, variables) in cases {
        assert_eq!(confirm(keys), (heard.to_owned(), variables), "{keys}");
    }
}

#[test]
fn announce_says_its_piece_and_hangs_up() {
    let mut caller = Caller {
        keys: VecDeque::new(),
        heard: vec![],
    };
    let end = run(&example("announce"), &mut caller, &mut Ignored);
    assert_eq!(end.why, FlowEndWhy::Done);
    assert_eq!(caller.heard, ["silence:300ms", "hello.wav", "bye.wav"]);
}
