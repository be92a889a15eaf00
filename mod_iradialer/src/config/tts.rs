//! Who speaks texts.

use iradialer_core::value::FieldError;

/// The engine where the configuration names none.
pub const ESPEAK: &str = "espeak-ng";

/// The engines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TtsConfig {
    /// The one that speaks where a flow names none. One that is not among `engines` is the switch's own.
    pub engine: String,
    /// Those that are told of.
    pub engines: Vec<SpeechEngine>,
}

/// An engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpeechEngine {
    /// What flows call it.
    pub name: String,
    /// The voice where a flow names none.
    pub voice: Option<String>,
    /// The program and its arguments, in which `{voice}` stands for the voice: text on its standard input,
    /// WAV on its standard output. None for an engine of the switch.
    pub command: Vec<String>,
}

/// Checks the name of an engine.
pub fn engine_name(field: &str, text: &str) -> Result<String, FieldError> {
    let ok = (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
    match ok {
        true => Ok(text.to_owned()),
        false => {
            let expected = "a name of 1 to 64 letters, digits, '_' or '-'";
            Err(FieldError::new(field, expected, text))
        }
    }
}

/// The engines of `<tts-engines>`; espeak-ng where there is no such element.
pub fn engines(document: &roxmltree::Document<'_>) -> Result<Vec<SpeechEngine>, Vec<FieldError>> {
    let element = document
        .descendants()
        .find(|node| node.has_tag_name("tts-engines"));
    let Some(element) = element else {
        return Ok(vec![espeak()]);
    };
    let (mut engines, mut errors) = (Vec::<SpeechEngine>::new(), Vec::new());
    for node in element.children().filter(roxmltree::Node::is_element) {
        match engine(node) {
            Ok(engine) if engines.iter().any(|known| known.name == engine.name) => {
                let name = format!("tts-engines.{}", engine.name);
                errors.push(FieldError::new(&name, "the engine once", "it twice"));
            }
            Ok(engine) => engines.push(engine),
            Err(error) => errors.push(error),
        }
    }
    match errors.is_empty() {
        true => Ok(engines),
        false => Err(errors),
    }
}

fn engine(node: roxmltree::Node<'_, '_>) -> Result<SpeechEngine, FieldError> {
    let refuse = |expected: &str, got: &str| FieldError::new("tts-engines", expected, got);
    let name = node
        .attribute("name")
        .filter(|_| node.has_tag_name("engine"));
    let name = name.ok_or_else(|| refuse("<engine name=\"…\">", node.tag_name().name()))?;
    let name = engine_name("tts-engines", name)?;
    let mut command = Vec::new();
    for arg in node.children().filter(roxmltree::Node::is_element) {
        let value = arg.attribute("value").filter(|_| arg.has_tag_name("arg"));
        let value = value.ok_or_else(|| refuse("<arg value=\"…\"/>", arg.tag_name().name()))?;
        command.push(value.to_owned());
    }
    let field = format!("tts-engines.{name}");
    let voice = node.attribute("voice").map(str::to_owned);
    let is_program = |part: &String| !part.is_empty() && !part.contains("{voice}");
    if let Some(first) = command.first().filter(|first| !is_program(first)) {
        return Err(FieldError::new(
            &field,
            "a program as the first <arg>",
            first,
        ));
    }
    if voice.is_none() && command.iter().any(|part| part.contains("{voice}")) {
        return Err(FieldError::missing(&field, "a voice=\"…\" for its {voice}"));
    }
    Ok(SpeechEngine {
        name,
        voice,
        command,
    })
}

fn espeak() -> SpeechEngine {
    let command = [ESPEAK, "--stdin", "--stdout", "-v", "{voice}"];
    SpeechEngine {
        name: ESPEAK.to_owned(),
        voice: Some("en-us".to_owned()),
        command: command.map(str::to_owned).to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(xml: &str) -> Result<Vec<SpeechEngine>, String> {
        let xml = format!("<configuration>{xml}</configuration>");
        let document = roxmltree::Document::parse(&xml).unwrap();
        engines(&document).map_err(|errors| {
            let errors: Vec<_> = errors.iter().map(ToString::to_string).collect();
            errors.join("; ")
        })
    }

    #[test]
    fn engines_are_commands_or_the_switchs_own() {
        assert_eq!(read("").unwrap(), [espeak()]);
        let read = read(
            r#"<tts-engines><engine name="pico" voice="de-DE"><arg value="pico"/><arg value="-l={voice}"/></engine>
               <engine name="flite" voice="kal"/></tts-engines>"#,
        );
        let read = read.unwrap();
        assert_eq!(read[0].command, ["pico", "-l={voice}"]);
        assert_eq!(read[1].name, "flite");
        assert!(read[1].command.is_empty());
    }

    #[test]
    fn mistakes_are_named() {
        for (xml, expected) in [
            ("<voice/>", "tts-engines: expected <engine name"),
            (r#"<engine name="a b"/>"#, "a name of 1 to 64"),
            (
                r#"<engine name="a"><argument/></engine>"#,
                "expected <arg value",
            ),
            (
                r#"<engine name="a"><arg value="a"/><arg value="{voice}"/></engine>"#,
                "tts-engines.a: ",
            ),
            (
                r#"<engine name="a"/><engine name="a"/>"#,
                "tts-engines.a: expected the engine once",
            ),
            (
                r#"<engine name="a" voice="b"><arg value="{voice}"/></engine>"#,
                "a program as the first",
            ),
        ] {
            let error = read(&format!("<tts-engines>{xml}</tts-engines>")).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
