//! Commands, from the lines that they are sent as.

use crate::{Argument, ObjectId, ParseArgumentError};

/// What the program wants.
#[derive(Clone, PartialEq, Debug)]
pub enum Command {
    /// Prove who it is; the first command of each connection, with the secret.
    Authenticate(String),
    /// Call a method.
    Call {
        /// Of what.
        target: Target,
        /// Its name.
        method: String,
        /// In order.
        arguments: Vec<Argument>,
    },
    /// Make an object.
    Construct {
        /// The full name of its class.
        class: String,
        /// In order.
        arguments: Vec<Argument>,
    },
    /// What is this name: a class or a package?
    ResolveName(String),
    /// What is this member of a class?
    ResolveMember {
        /// The full name of the class.
        class: String,
        /// The member.
        member: String,
    },
    /// The object that stands for a class.
    ClassObject(String),
    /// Makes the classes of a package, or one class, known by their short names.
    Import(String),
    /// About an array.
    Array(ArrayCommand),
    /// Which names are there: what completion shows.
    Names(NamesCommand),
    /// The program refers to the object no more.
    Forget(ObjectId),
    /// The text of an exception with its stack trace.
    StackTrace(ObjectId),
    /// Ends the connection.
    Shutdown,
    /// Another connection was given up after a signal; has no reply.
    GiveUp,
    /// A command that py4j knows and PySpark's RDD API does not use.
    NotBuiltIn(String),
}

/// What a method is called on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Target {
    /// An object.
    Object(ObjectId),
    /// A class: a static method.
    Class(String),
    /// Something that is always there and has no class, such as the gateway itself.
    Other(String),
}

/// A command about an array.
#[derive(Clone, PartialEq, Debug)]
pub enum ArrayCommand {
    /// How long is it?
    Length(ObjectId),
    /// An element.
    Get(ObjectId, Argument),
    /// Sets an element.
    Set(ObjectId, Argument, Argument),
    /// Makes one, of a class and with these lengths.
    Create(Argument, Vec<Argument>),
}

/// A question for names.
#[derive(Clone, PartialEq, Debug)]
pub enum NamesCommand {
    /// The methods of an object.
    Methods(ObjectId),
    /// The fields of an object.
    Fields(ObjectId),
    /// The static members of a class.
    Statics(String),
    /// The classes that can be named without their package, if there are others than when this answer was given.
    Classes(Option<String>),
}

/// The lines are no command.
#[derive(Debug, thiserror::Error)]
pub enum CommandError<E> {
    /// No line could be had.
    #[error("could not read a command")]
    Line(#[source] E),
    /// An argument.
    #[error(transparent)]
    Argument(#[from] ParseArgumentError),
    /// The lines do not fit together, or name a command that does not exist.
    #[error("the command {command:?} is malformed or unknown")]
    Malformed {
        /// Its first line.
        command: String,
    },
}

/// Commands that consist of their first line, a second that says what is meant, and parts up to the line `e`. The second line
/// may itself be `e`, which is why it is not looked at as an end.
const WITH_SUB_COMMAND: [&str; 9] = ["a", "d", "f", "h", "j", "l", "m", "r", "S"];
const END: &str = "e";

impl Command {
    /// Reads one command: `line` gives the next line without its line feed, and `None` at the end. `None` is the end before a
    /// command began.
    ///
    /// After an error about the contents ([`CommandError::Argument`]), the whole command was read.
    pub fn read<E>(mut line: impl FnMut() -> Result<Option<String>, E>) -> Result<Option<Self>, CommandError<E>> {
        let Some(name) = line().map_err(CommandError::Line)? else { return Ok(None) };
        let cut_off = || CommandError::Malformed { command: name.clone() };
        let mut next = || line().map_err(CommandError::Line)?.ok_or_else(cut_off);
        match name.as_str() {
            "A" => return Ok(Some(Self::Authenticate(next()?))),
            "s" => return Ok(Some(Self::Shutdown)),
            "z" => {
                // The address and the two ports of the connection.
                for _ in 0..3 {
                    next()?;
                }
                return Ok(Some(Self::GiveUp));
            }
            _ => {}
        }
        let mut parts = Vec::new();
        if WITH_SUB_COMMAND.contains(&name.as_str()) {
            parts.push(next()?);
        }
        loop {
            let part = next()?;
            if part == END {
                break;
            }
            parts.push(part);
        }
        Self::from_parts(&name, &parts).map(Some)
    }

    fn from_parts<E>(name: &str, parts: &[String]) -> Result<Self, CommandError<E>> {
        let text = |index: usize| parts.get(index).map(String::as_str);
        let malformed = || CommandError::Malformed { command: name.to_owned() };
        let part = |index: usize| parts.get(index).cloned().ok_or_else(malformed);
        let id = |text: Option<&str>| text.and_then(ObjectId::parse).ok_or_else(malformed);
        let arguments = |from: usize| -> Result<Vec<Argument>, CommandError<E>> {
            parts.iter().skip(from).map(|part| Ok(Argument::parse(part)?)).collect()
        };
        Ok(match (name, text(0)) {
            ("c", Some(target)) => {
                Self::Call { target: Target::parse(target), method: part(1)?, arguments: arguments(2)? }
            }
            ("i", Some(class)) => Self::Construct { class: class.to_owned(), arguments: arguments(1)? },
            ("r", Some("u")) => Self::ResolveName(part(1)?),
            ("r", Some("m")) => Self::ResolveMember { class: part(1)?, member: part(2)? },
            ("r", Some("c")) => Self::ClassObject(part(1)?),
            // The part between is the view, of which there is one.
            ("j", Some("i")) => Self::Import(part(2)?),
            ("m", Some("d")) => Self::Forget(id(text(1))?),
            ("p", Some(reference)) => Self::StackTrace(id(reference.strip_prefix('r'))?),
            ("a", Some("e")) => Self::Array(ArrayCommand::Length(id(text(1))?)),
            ("a", Some("g")) => Self::Array(ArrayCommand::Get(id(text(1))?, Argument::parse(&part(2)?)?)),
            ("a", Some("s")) => {
                let (index, value) = (Argument::parse(&part(2)?)?, Argument::parse(&part(3)?)?);
                Self::Array(ArrayCommand::Set(id(text(1))?, index, value))
            }
            ("a", Some("c")) => Self::Array(ArrayCommand::Create(Argument::parse(&part(1)?)?, arguments(2)?)),
            ("d", Some("m")) => Self::Names(NamesCommand::Methods(id(text(1))?)),
            ("d", Some("f")) => Self::Names(NamesCommand::Fields(id(text(1))?)),
            ("d", Some("s")) => Self::Names(NamesCommand::Statics(part(1)?)),
            ("d", Some("v")) => match Argument::parse(&part(2)?)? {
                Argument::Text(seen) => Self::Names(NamesCommand::Classes(Some(seen))),
                _ => Self::Names(NamesCommand::Classes(None)),
            },
            ("a" | "d" | "f" | "h" | "j" | "l" | "m" | "r" | "S", Some(sub_command)) => {
                Self::NotBuiltIn(format!("{name} {sub_command}"))
            }
            _ => return Err(malformed()),
        })
    }
}

impl Target {
    fn parse(text: &str) -> Self {
        match (ObjectId::parse(text), text.strip_prefix("z:")) {
            (Some(id), _) => Self::Object(id),
            (None, Some(class)) => Self::Class(class.to_owned()),
            (None, None) => Self::Other(text.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    fn read_all(text: &str) -> Vec<Command> {
        let mut lines = text.split_terminator('\n').map(str::to_owned);
        let mut commands = Vec::new();
        while let Some(command) = Command::read(|| Ok::<_, Infallible>(lines.next())).unwrap() {
            commands.push(command);
        }
        commands
    }

    fn error(text: &str) -> String {
        let mut lines = text.split_terminator('\n').map(str::to_owned);
        Command::read(|| Ok::<_, Infallible>(lines.next())).unwrap_err().to_string()
    }

    #[test]
    fn commands_as_pyspark_sends_them() {
        let sent = "A\ns3cret\n\
             r\nu\norg.apache.spark.SparkConf\nrj\ne\n\
             r\nm\norg.apache.spark.SparkFiles\ngetRootDirectory\ne\n\
             j\ni\nrj\norg.apache.spark.api.java.*\ne\n\
             i\norg.apache.spark.SparkConf\nbTrue\ne\n\
             c\no0\nset\nsspark.app.name\nsa\\nb\ne\n\
             c\nz:java.lang.System\ngetProperty\nsuser.dir\ne\n\
             a\ne\no3\ne\n\
             a\ng\no3\ni0\ne\n\
             a\nc\nsjava.lang.String\ni2\ne\n\
             a\ns\no4\ni1\nro3\ne\n\
             m\nd\no3\ne\n\
             p\nro5\ne\n\
             d\nf\no5\ne\n\
             d\nm\no5\ne\n\
             d\ns\njava.lang.System\ne\n\
             d\nv\nrj\nn\ne\n\
             d\nv\nrj\ns14\ne\n\
             z\n127.0.0.1\n1\n2\n\
             s\n";
        let text = |text: &str| Argument::Text(text.to_owned());
        let expected = vec![
            Command::Authenticate("s3cret".into()),
            Command::ResolveName("org.apache.spark.SparkConf".into()),
            Command::ResolveMember { class: "org.apache.spark.SparkFiles".into(), member: "getRootDirectory".into() },
            Command::Import("org.apache.spark.api.java.*".into()),
            Command::Construct { class: "org.apache.spark.SparkConf".into(), arguments: vec![Argument::Bool(true)] },
            Command::Call {
                target: Target::Object(ObjectId(0)),
                method: "set".into(),
                arguments: vec![text("spark.app.name"), text("a\nb")],
            },
            Command::Call {
                target: Target::Class("java.lang.System".into()),
                method: "getProperty".into(),
                arguments: vec![text("user.dir")],
            },
            Command::Array(ArrayCommand::Length(ObjectId(3))),
            Command::Array(ArrayCommand::Get(ObjectId(3), Argument::Int(0))),
            Command::Array(ArrayCommand::Create(text("java.lang.String"), vec![Argument::Int(2)])),
            Command::Array(ArrayCommand::Set(ObjectId(4), Argument::Int(1), Argument::Reference(ObjectId(3)))),
            Command::Forget(ObjectId(3)),
            Command::StackTrace(ObjectId(5)),
            Command::Names(NamesCommand::Fields(ObjectId(5))),
            Command::Names(NamesCommand::Methods(ObjectId(5))),
            Command::Names(NamesCommand::Statics("java.lang.System".into())),
            Command::Names(NamesCommand::Classes(None)),
            Command::Names(NamesCommand::Classes(Some("14".into()))),
            Command::GiveUp,
            Command::Shutdown,
        ];
        assert_eq!(read_all(sent), expected);
    }

    #[test]
    fn what_is_not_built_in_is_read_to_its_end() {
        let commands = read_all("f\ng\no1\nx\ne\nl\ns\no1\ne\nm\nd\no1\ne\n");
        let not_built_in = |text: &str| Command::NotBuiltIn(text.into());
        assert_eq!(commands, [not_built_in("f g"), not_built_in("l s"), Command::Forget(ObjectId(1))]);
    }

    #[test]
    fn what_is_no_command_is_an_error() {
        assert_eq!(error("q\ne\n"), "the command \"q\" is malformed or unknown");
        assert_eq!(error("c\no1\n"), "the command \"c\" is malformed or unknown");
        assert_eq!(error("m\nd\nx\ne\n"), "the command \"m\" is malformed or unknown");
        assert_eq!(error("i\nA\nfp1;B\ne\n"), "callbacks into Python are not built in yet");
    }
}
