use super::hear::MOST_ASKED;
use super::*;
use crate::facts::Dir;
use crate::ocpp::Envelope;

const REPORT: &str = r#"[2,"r","NotifyReport",{"requestId":5,"generatedAt":"2026-01-01T00:00:00Z","seqNo":0,"reportData":[
    {"component":{"name":"OCPPCommCtrlr"},"variable":{"name":"HeartbeatInterval"},"variableAttribute":[{"value":"300","mutability":"ReadWrite"}]},
    {"component":{"name":"SecurityCtrlr"},"variable":{"name":"BasicAuthPassword"},"variableAttribute":[{"value":"geheim","mutability":"WriteOnly"}]},
    {"component":{"name":"SecurityCtrlr"},"variable":{"name":"Identity"},"variableAttribute":[{"value":"geheim","mutability":"ReadWrite"}]}]}]"#;

/// A charger's line: each message is a fact, a second apart.
#[derive(Default)]
struct Line {
    model: Model,
    conn: u64,
    seq: u64,
    lessons: Vec<Lesson>,
    version: Option<Version>,
}

impl Line {
    fn speaking(version: Version) -> Self {
        Self {
            version: Some(version),
            ..Self::default()
        }
    }

    fn hear(&mut self, dir: Dir, text: &str) {
        self.seq += 1;
        let message = Envelope::parse(text).unwrap();
        let version = self.version.unwrap_or(Version::V16);
        let heard = Heard {
            conn: self.conn,
            seq: self.seq,
            at: self.seq as Micros * 1_000_000,
        };
        self.lessons
            .extend(self.model.hear(version, dir, heard, &message));
    }

    fn up(&mut self, text: &str) {
        self.hear(Dir::FromCharger, text);
    }

    fn down(&mut self, text: &str) {
        self.hear(Dir::ToCharger, text);
    }

    fn last(&self) -> (Part, &[u64]) {
        let lesson = self.lessons.last().unwrap();
        (lesson.part, &lesson.facts)
    }
}

#[test]
fn what_was_never_listed_is_inferred_from_traffic() {
    let mut line = Line::default();
    line.up(r#"[2,"b","BootNotification",{}]"#);
    line.down(r#"[3,"b",{"status":"Accepted","interval":300}]"#);
    assert_eq!(line.last(), (Part::Boot, [1, 2].as_slice()));
    line.up(r#"[2,"s","StatusNotification",{"connectorId":2,"status":"Available"}]"#);
    let (answer, evidence) = line
        .model
        .configuration(r#"{"key":["NumberOfConnectors","HeartbeatInterval"]}"#);
    assert!(answer.contains(r#""value":"2""#) && answer.contains(r#""value":"300""#));
    assert_eq!(evidence, Some(Evidence::inferred(2_000_000)));
    let available = |place, operative| line.model.is_available((None, Some(place)), operative);
    assert_eq!(available(2, true), Some(Evidence::learned(3_000_000)));
    assert_eq!(available(2, false), None);
    assert_eq!(available(3, true), None, "unknown is not available");
}

#[test]
fn an_answer_on_another_connection_answers_another_command() {
    let mut line = Line::default();
    line.down(r#"[2,"1","GetConfiguration",{}]"#);
    line.up(r#"[2,"1","BootNotification",{}]"#);
    line.conn = 2;
    line.up(r#"[3,"1",{"status":"Accepted"}]"#);
    line.down(r#"[3,"1",{"status":"Accepted","interval":7}]"#);
    assert!(line.lessons.is_empty());
    line.conn = 0;
    line.up(r#"[3,"1",{"configurationKey":[{"key":"Foo","readonly":false,"value":"1"}]}]"#);
    assert_eq!(line.last(), (Part::Configuration, [1, 5].as_slice()));
    line.down(r#"[3,"1",{"status":"Accepted","interval":300}]"#);
    assert_eq!(line.last(), (Part::Boot, [2, 6].as_slice()));
}

#[test]
fn an_old_sample_is_no_answer() {
    let mut line = Line::default();
    line.up(r#"[2,"m","MeterValues",{"connectorId":1}]"#);
    assert_eq!(line.model.sampled_lately(60_000_000).count(), 1);
    assert_eq!(line.model.sampled_lately(FRESH + 1_000_000).count(), 0);
}

#[test]
fn a_lesson_names_the_facts_and_comes_again_only_when_something_changed() {
    let mut line = Line::default();
    let list = |line: &mut Line, value: &str| {
        line.down(r#"[2,"g","GetConfiguration",{}]"#);
        line.up(&format!(
            r#"[3,"g",{{"configurationKey":[{{"key":"Foo","readonly":false,"value":"{value}"}}]}}]"#
        ));
    };
    list(&mut line, "1");
    assert_eq!(line.last(), (Part::Configuration, [1, 2].as_slice()));
    list(&mut line, "1");
    assert_eq!(line.lessons.len(), 1);
    line.down(r#"[2,"c","ChangeConfiguration",{"key":"Foo","value":"2"}]"#);
    line.up(r#"[3,"c",{"status":"Accepted"}]"#);
    assert_eq!(line.last(), (Part::Configuration, [3, 4, 5, 6].as_slice()));
}

#[test]
fn an_inventory_is_known_once_it_is_whole_and_holds_no_secret() {
    let mut line = Line::speaking(Version::V201);
    line.up(REPORT);
    assert!(
        line.model.device().inventory("FullInventory").is_none(),
        "nobody asked"
    );
    line.down(r#"[2,"g","GetBaseReport",{"requestId":5,"reportBase":"FullInventory"}]"#);
    line.up(r#"[3,"g",{"status":"Accepted"}]"#);
    line.up(REPORT);
    assert_eq!(line.last(), (Part::Device, [2, 4].as_slice()));
    let (pages, evidence) = line.model.device().pages("FullInventory").unwrap();
    assert_eq!(evidence, Evidence::learned(4_000_000));
    let text = pages[0].to_string();
    assert!(
        text.contains("Identity") && !text.contains("geheim"),
        "{text}"
    );
    assert!(!format!("{:?}", line.model).contains("geheim"));
    // A later value is in the report too.
    line.down(r#"[2,"s","SetVariables",{"setVariableData":[{"component":{"name":"OCPPCommCtrlr"},"variable":{"name":"HeartbeatInterval"},"attributeValue":"60"}]}]"#);
    line.up(r#"[3,"s",{"setVariableResult":[{"attributeStatus":"Accepted","component":{"name":"ocppcommctrlr"},"variable":{"name":"HeartbeatInterval"}}]}]"#);
    assert_eq!(line.last(), (Part::Device, [2, 4, 5, 6].as_slice()));
    let (pages, _) = line.model.device().pages("FullInventory").unwrap();
    assert!(pages[0].to_string().contains(r#""value":"60""#));
}

#[test]
fn a_refused_report_teaches_nothing() {
    let mut line = Line::speaking(Version::V201);
    line.down(r#"[2,"g","GetBaseReport",{"requestId":5,"reportBase":"FullInventory"}]"#);
    line.up(r#"[4,"g","NotSupported","",{}]"#);
    line.up(REPORT);
    assert!(line.model.device().inventory("FullInventory").is_none());
}

#[test]
fn what_the_charger_said_goes_before_what_was_imported_and_both_outlive_a_change_of_version() {
    let source = r#"{"chargers":{"CP1":{"configuration":{"configurationKey":[{"key":"Foo","readonly":true,"value":"old"}]}}}}"#;
    let import = Rc::new(import::parse(source, 5).unwrap().remove("CP1").unwrap());
    let mut line = Line::default();
    line.model.import(Rc::clone(&import));
    let (answer, evidence) = line.model.configuration("{}");
    assert!(answer.contains("old"));
    assert_eq!(evidence.unwrap().label, Label::Imported);
    line.down(r#"[2,"g","GetConfiguration",{}]"#);
    line.up(r#"[3,"g",{"configurationKey":[{"key":"Foo","readonly":true,"value":"new"}]}]"#);
    line.model.import(import);
    assert!(line.model.configuration("{}").0.contains("new"));
    line.model.forget();
    assert!(line.model.configuration("{}").0.contains("old"));
}

#[test]
fn monitors_are_known_until_they_change() {
    let mut line = Line::speaking(Version::V201);
    line.down(r#"[2,"g","GetMonitoringReport",{"requestId":0}]"#);
    line.up(r#"[3,"g",{"status":"EmptyResultSet"}]"#);
    assert_eq!(line.model.monitors().pages().unwrap().0.len(), 0);
    line.down(r#"[2,"s","SetVariableMonitoring",{"setMonitoringData":[]}]"#);
    line.up(r#"[3,"s",{"setMonitoringResult":[]}]"#);
    assert!(line.model.monitors().pages().is_none());
    assert_eq!(line.last(), (Part::Monitors, [].as_slice()));
    line.down(r#"[2,"l","SetMonitoringLevel",{"severity":4}]"#);
    line.up(r#"[3,"l",{"status":"Accepted"}]"#);
    let view = line.model.device().view();
    let level = view.value("MonitoringCtrlr", "ActiveMonitoringLevel", None);
    assert_eq!(level.unwrap().0, "4");
}

#[test]
fn what_a_charger_invents_is_bounded() {
    let mut line = Line::speaking(Version::V201);
    for number in 0..2 * MOST_CONNECTORS {
        line.up(&format!(
            r#"[2,"s","StatusNotification",{{"evseId":{number},"connectorId":1}}]"#
        ));
        line.down(&format!(
            r#"[2,"g{number}","GetReport",{{"requestId":{number}}}]"#
        ));
    }
    assert_eq!(line.model.statuses().count(), MOST_CONNECTORS);
    assert_eq!(line.model.learned.asked.len(), MOST_ASKED);
}
