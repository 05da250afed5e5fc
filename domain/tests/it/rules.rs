//! Single rules as tables: given what was done before, when this is asked, then that happens or it is refused.
//! Every row is a test of its own, named for the rule.

use domain::command::Command;

use crate::ask::{add, create, deposit, open, place, receive, start};
use crate::tell::tell;
use crate::world::{Request, World};

mod account;
mod hold;
mod order;
mod payment;
mod product;
mod returns;
mod shipment;
mod transfer;
mod version;

/// `name: [given, …] when => then;` for each rule.
macro_rules! rules {
    ($($name:ident: [$($given:expr),* $(,)?] $when:expr => $then:expr;)*) => {$(
        #[test]
        fn $name() {
            let given: Vec<Vec<domain::command::Command>> = vec![$($crate::rules::Given::commands($given)),*];
            $crate::rules::check(&given.concat(), $when.into(), $then);
        }
    )*};
}
pub(crate) use rules;

/// What is expected of a command.
pub(crate) enum Then {
    /// These events, in words.
    Happens(&'static [&'static str]),
    /// These events among others, in this order.
    HappensAmongOthers(&'static [&'static str]),
    /// This refusal: its code, a colon, its message.
    Refused(&'static str),
}

pub(crate) fn happens(events: &'static [&'static str]) -> Then {
    Then::Happens(events)
}

pub(crate) fn happens_among_others(events: &'static [&'static str]) -> Then {
    Then::HappensAmongOthers(events)
}

pub(crate) fn refused(code_and_message: &'static str) -> Then {
    Then::Refused(code_and_message)
}

/// One command, or several that belong together.
pub(crate) trait Given {
    fn commands(self) -> Vec<Command>;
}

impl Given for Command {
    fn commands(self) -> Vec<Command> {
        vec![self]
    }
}

impl Given for Vec<Command> {
    fn commands(self) -> Vec<Command> {
        self
    }
}

pub(crate) fn check(given: &[Command], when: Request, then: Then) {
    let mut world = World::default();
    for command in given {
        if let Err(rejection) = world.ask(command.clone()) {
            panic!("what is given was refused: {command:?}: {rejection}");
        }
    }
    let before = world.clone();
    let answer = world.ask(when);
    if answer.is_err() {
        assert_eq!(world, before, "a refused command must change nothing");
    }
    let told = answer.map(|events| events.iter().map(tell).collect::<Vec<_>>());
    let told = told.map_err(|rejection| format!("{}: {rejection}", rejection.code()));
    match then {
        Then::Happens(expected) => assert_eq!(told, Ok(expected.iter().map(|e| (*e).to_owned()).collect())),
        Then::HappensAmongOthers(expected) => {
            let mut events = told.as_ref().unwrap_or_else(|refused| panic!("refused: {refused}")).iter();
            for wanted in expected {
                assert!(events.any(|event| event == wanted), "{wanted}\nis not (in this order) among\n{told:#?}");
            }
        }
        Then::Refused(expected) => assert_eq!(told, Err(expected.to_owned())),
    }
}

/// The account `payer` with 1000, the empty account `shop`, and 10 each of `tea` (100 with 10 % tax) and `cup` (30).
pub(crate) fn market() -> Vec<Command> {
    vec![
        open("payer"),
        deposit("payer", 1000),
        open("shop"),
        create("tea", 100, 1000),
        receive("tea", 10),
        create("cup", 30, 0),
        receive("cup", 10),
    ]
}

/// An order in the cart of which lie these goods.
pub(crate) fn cart(order: &str, goods: &[(&str, i64)]) -> Vec<Command> {
    std::iter::once(start(order))
        .chain(goods.iter().map(|(product, quantity)| add(order, product, *quantity)))
        .collect()
}

/// An order that was placed.
pub(crate) fn placed(order: &str, goods: &[(&str, i64)]) -> Vec<Command> {
    let mut commands = cart(order, goods);
    commands.push(place(order));
    commands
}
