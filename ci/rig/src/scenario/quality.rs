//! How well a call was heard.

use crate::webhook::Delivery;

/// The event that tells.
pub const NAME: &str = "call_quality";

/// What is not as expected, a line each. It is told at most once, of a call that was answered, right before the end. With `packets_in` it has to be, with so many packets.
pub fn faults(packets_in: Option<[u64; 2]>, events: &[Delivery]) -> Vec<String> {
    let mut faults = Vec::new();
    let told = events.iter().filter(|event| event.name == NAME).count();
    if told > 1 || (packets_in.is_some() && told == 0) {
        faults.push(format!("  {NAME}: told {told} times"));
    }
    let Some(at) = events.iter().position(|event| event.name == NAME) else {
        return faults;
    };
    let last = events.get(at + 1).map(|event| event.name.as_str());
    let answered = events[..at].iter().any(|event| event.name == "answered");
    if last != Some("hangup") || !answered {
        faults.push(format!(
            "  {NAME}: followed by {last:?}, answered before: {answered}"
        ));
    }
    let data = &events[at].data;
    let number = |name: &str| data[name].as_f64().unwrap_or(-1.0);
    // A far end that sends nothing for a while looks worse than it is.
    if !(1.0..=4.5).contains(&number("mos")) || !(0.0..=100.0).contains(&number("quality")) {
        faults.push(format!("  {NAME}: expected a MOS and per cent, got {data}"));
    }
    if let Some([least, most]) = packets_in {
        let came = data["packets_in"].as_u64().unwrap_or(0);
        if !(least..=most).contains(&came) {
            faults.push(format!(
                "  packets_in: expected {least} to {most}, got {came}"
            ));
        }
    }
    faults
}
