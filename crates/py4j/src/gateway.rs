//! Answers commands.

use std::{
    collections::{BTreeSet, HashMap},
    fmt::Write,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use parking_lot::{Mutex, RwLock};

use crate::{
    Argument, ArrayCommand, Call, Class, Command, Failure, JavaArray, Kind, Member, NamesCommand, Object, ObjectId,
    Target, Throwable, Value,
    class::MemberKind,
    collection_members, encoding,
    object::downcast,
    object_members::{self, JavaClass, OBJECT, THROWABLE},
};

/// What begins every reply, and what follows it.
const SUCCESS: &str = "!y";
const ERROR: &str = "!x";

/// The classes, what they work on, and the objects that the program refers to. Commands come from many threads, and one that
/// waits for a job keeps none of the others waiting.
pub struct Gateway<S: 'static> {
    state: S,
    classes: HashMap<&'static str, Class<S>>,
    objects: Mutex<HashMap<ObjectId, Arc<dyn Object>>>,
    next_id: AtomicU64,
    /// What the program has imported, `a.b.C` or `a.b.*`.
    imports: RwLock<Vec<String>>,
    explanations: &'static [(&'static str, &'static str)],
}

impl<S: 'static> Gateway<S> {
    /// A gateway with these classes, and those of Java that py4j itself knows.
    pub fn new(state: S, declared: impl IntoIterator<Item = Class<S>>) -> Self {
        let all = collection_members::classes().into_iter().chain(object_members::classes()).chain(declared);
        Self {
            state,
            classes: all.map(|class| (class.name, class)).collect(),
            objects: Mutex::default(),
            next_id: AtomicU64::new(0),
            imports: RwLock::default(),
            explanations: &[],
        }
    }

    /// The same gateway, which says more of members that are not there: what is said, by how their class's name begins.
    pub fn explaining(self, explanations: &'static [(&'static str, &'static str)]) -> Self {
        Self { explanations, ..self }
    }

    /// How many objects the program refers to.
    pub fn live_objects(&self) -> usize {
        self.objects.lock().len()
    }

    /// Every class, with the classes that it inherits from and its members, in the order of their names.
    pub fn surface(&self) -> String {
        let mut names: Vec<_> = self.classes.keys().collect();
        names.sort_unstable();
        let mut text = String::new();
        for class in names.into_iter().map(|name| &self.classes[name]) {
            let parents = class.extends.join(", ");
            let extends = if parents.is_empty() { String::new() } else { format!(" extends {parents}") };
            let _ = writeln!(text, "{}{extends}", class.name);
            let mut members: Vec<_> = class.members.iter().map(|member| format!("    {member}\n")).collect();
            members.sort_unstable();
            text.extend(members);
        }
        text
    }

    /// The reply to a command, without its line feed. `None` if there is none.
    pub fn reply(&self, command: Command) -> Option<String> {
        let outcome = match command {
            Command::Call { target, method, arguments } => self.call(&target, &method, &arguments),
            Command::Construct { class, arguments } => self.construct(&class, &arguments),
            Command::ResolveName(name) => return Some(self.resolve_name(&name)),
            Command::ResolveMember { class, member } => return Some(self.resolve_member(&class, &member)),
            Command::Import(name) => {
                self.imports.write().push(name);
                Ok(Value::Void)
            }
            Command::Array(command) => self.array(command),
            Command::Forget(id) => {
                // Dropped outside the lock: much may hang on an object.
                let forgotten = self.objects.lock().remove(&id);
                drop(forgotten);
                Ok(Value::Void)
            }
            Command::StackTrace(id) => self.stack_trace(id),
            Command::ClassObject(class) if self.classes.contains_key(class.as_str()) => {
                Ok(Value::object(JavaClass(class)))
            }
            Command::ClassObject(class) => {
                Err(Failure::NotCalled(format!("the class {class} is not built into Firesteel yet")))
            }
            Command::Names(command) => self.names(&command),
            Command::NotBuiltIn(command) => {
                Err(Failure::NotCalled(format!("the py4j command {command:?} is not built in yet")))
            }
            Command::Authenticate(_) => Ok(Value::Void),
            Command::GiveUp | Command::Shutdown => return None,
        };
        Some(self.encode_outcome(outcome))
    }

    fn encode_outcome(&self, outcome: Result<Value, Failure>) -> String {
        match outcome {
            Ok(value) => self.encode(SUCCESS, &value),
            Err(Failure::Thrown(throwable)) => self.encode(ERROR, &Value::Object(throwable)),
            Err(Failure::NotCalled(why)) => self.encode(ERROR, &Value::text(why)),
        }
    }

    /// The reply to what is no command.
    pub fn error_reply(&self, why: &str) -> String {
        self.encode(ERROR, &Value::text(why))
    }

    fn call(&self, target: &Target, name: &str, arguments: &[Argument]) -> Result<Value, Failure> {
        let arguments = self.values(arguments)?;
        match target {
            Target::Object(id) => {
                let this = self.object(*id)?;
                self.invoke(this.class(), MemberKind::Method, name, Some(&this), &arguments)
            }
            Target::Class(class) => self.invoke(class, MemberKind::Static, name, None, &arguments),
            Target::Other(other) => {
                Err(Failure::NotCalled(format!("there is nothing named {other} to call {name} on")))
            }
        }
    }

    fn construct(&self, class: &str, arguments: &[Argument]) -> Result<Value, Failure> {
        let arguments = self.values(arguments)?;
        let class = self.full_name(class).unwrap_or_else(|| class.to_owned());
        self.invoke(&class, MemberKind::Constructor, "<init>", None, &arguments)
    }

    fn invoke(
        &self,
        class: &str,
        kind: MemberKind,
        name: &str,
        this: Option<&Arc<dyn Object>>,
        arguments: &[Value],
    ) -> Result<Value, Failure> {
        let arity = arguments.len();
        let member = match kind {
            MemberKind::Constructor => format!("the constructor of {class} with {arity} arguments"),
            MemberKind::Static | MemberKind::StaticField | MemberKind::Method => {
                format!("{class}.{name} with {arity} arguments")
            }
        };
        let call = Call { state: &self.state, this, arguments, member: &member };
        if (class, name, arity) == ("py4j.reflection.TypeUtil", "isInstanceOf", 2) {
            let Value::Object(object) = call.argument(1) else { return Ok(Value::Bool(false)) };
            return Ok(Value::Bool(self.is_subclass(object.class(), call.text(0)?)));
        }
        let of_every_throwable = || this.and_then(downcast::<Throwable>).map(|_| THROWABLE);
        let of_every_object = || this.map(|_| OBJECT);
        let found = self.find(class, kind, name, arity);
        let found = found.or_else(|| self.find(of_every_throwable()?, kind, name, arity));
        if let Some(found) = found.or_else(|| self.find(of_every_object()?, kind, name, arity)) {
            return (found.function)(&call);
        }
        let full_name = format!("{class}.{name}");
        let explanation = self.explanations.iter().find(|(start, _)| full_name.starts_with(start));
        Err(not_built_in(&member, explanation.map(|(_, explanation)| *explanation)))
    }

    /// The member, of the class itself or of what it inherits from.
    fn find(&self, class: &str, kind: MemberKind, name: &str, arity: usize) -> Option<&Member<S>> {
        let class = self.classes.get(class)?;
        let own = class.members.iter().find(|own| own.kind == kind && own.name == name && own.arity == arity);
        own.or_else(|| class.extends.iter().find_map(|parent| self.find(parent, kind, name, arity)))
    }

    /// Is an object of the class also one of the other?
    pub fn is_subclass(&self, class: &str, other: &str) -> bool {
        class == other
            || other == OBJECT
            || self
                .classes
                .get(class)
                .is_some_and(|class| class.extends.iter().any(|parent| self.is_subclass(parent, other)))
    }

    /// The class that a short or full name means.
    fn full_name(&self, name: &str) -> Option<String> {
        if self.classes.contains_key(name) {
            return Some(name.to_owned());
        }
        if name.contains('.') {
            return None;
        }
        let imports = self.imports.read();
        let candidates = imports.iter().filter_map(|import| match import.strip_suffix('*') {
            Some(package) => Some(format!("{package}{name}")),
            None => import.rsplit('.').next().filter(|last| *last == name).map(|_| import.clone()),
        });
        candidates.chain([format!("java.lang.{name}")]).find(|candidate| self.classes.contains_key(candidate.as_str()))
    }

    /// Java's answer to an unknown name is that it is a package. What looks like a class by Java's custom is said to be one, so
    /// that its use is refused by its name; but a bare name may be the program's own probe, and gets Java's answer.
    fn resolve_name(&self, name: &str) -> String {
        let class = self.full_name(name).or_else(|| {
            let (package, last) = name.rsplit_once('.')?;
            let is_class = last.starts_with(char::is_uppercase) && package.starts_with(char::is_lowercase);
            is_class.then(|| name.to_owned())
        });
        match class {
            Some(class) => format!("{SUCCESS}c{class}"),
            None => format!("{SUCCESS}p"),
        }
    }

    /// Every member that is no field is a method: one that is not there is refused when it is called, with its number of arguments.
    fn resolve_member(&self, class: &str, member: &str) -> String {
        if self.find(class, MemberKind::StaticField, member, 0).is_some() {
            return self.encode_outcome(self.invoke(class, MemberKind::StaticField, member, None, &[]));
        }
        let nested = format!("{class}${member}");
        if self.classes.contains_key(nested.as_str()) { format!("{SUCCESS}c{nested}") } else { format!("{SUCCESS}m") }
    }

    fn array(&self, command: ArrayCommand) -> Result<Value, Failure> {
        let index_of = |index: &Argument| match index {
            Argument::Int(index) => Ok(i64::from(*index)),
            Argument::Long(index) => Ok(*index),
            _ => Err(Failure::NotCalled("an array's index must be a whole number".to_owned())),
        };
        let on_array = |id: ObjectId, work: &dyn Fn(&JavaArray) -> Result<Value, Failure>| {
            let object = self.object(id)?;
            work(downcast(&object).ok_or_else(|| Failure::NotCalled(format!("{id} is no array")))?)
        };
        match command {
            ArrayCommand::Length(id) => {
                on_array(id, &|array| Ok(Value::Int(i32::try_from(array.length()).unwrap_or(i32::MAX))))
            }
            ArrayCommand::Get(id, index) => on_array(id, &|array| Ok(array.get(index_of(&index)?)?)),
            ArrayCommand::Set(id, index, value) => on_array(id, &|array| {
                array.set(index_of(&index)?, self.value(&value)?)?;
                Ok(Value::Void)
            }),
            ArrayCommand::Create(_, lengths) => match lengths.as_slice() {
                [length] => {
                    let length = index_of(length)?;
                    let negative = |_| Throwable::new("java.lang.NegativeArraySizeException", length.to_string());
                    let length = usize::try_from(length).map_err(negative)?;
                    Ok(Value::object(JavaArray::new(std::iter::repeat_n(Value::Null, length))))
                }
                _ => Err(Failure::NotCalled("arrays of more than one dimension are not built in yet".to_owned())),
            },
        }
    }

    /// As lines, which the program splits.
    fn names(&self, command: &NamesCommand) -> Result<Value, Failure> {
        let names: BTreeSet<&str> = match command {
            NamesCommand::Methods(id) => {
                let object = self.object(*id)?;
                let throwable: Option<&Throwable> = downcast(&object);
                let classes = [Some(object.class()), Some(OBJECT), throwable.map(|_| THROWABLE)];
                let members = classes.into_iter().flatten().flat_map(|class| self.members(class));
                members.filter(|member| member.kind == MemberKind::Method).map(|member| member.name).collect()
            }
            NamesCommand::Fields(id) => self.object(*id).map(|_| BTreeSet::new())?,
            NamesCommand::Statics(class) => {
                let is_static = |kind| matches!(kind, MemberKind::Static | MemberKind::StaticField);
                let members = self.members(class).into_iter();
                members.filter(|member| is_static(member.kind)).map(|member| member.name).collect()
            }
            NamesCommand::Classes(seen) => {
                let imports = self.imports.read();
                let number = imports.len().to_string();
                if seen.as_deref() == Some(number.as_str()) {
                    return Ok(Value::Null);
                }
                let packages = imports.iter().filter_map(|import| import.strip_suffix('*')).chain(["java.lang."]);
                let packages: Vec<_> = packages.collect();
                let classes = self.classes.keys().filter_map(|class| {
                    let (package, name) = class.split_at(class.rfind('.')? + 1);
                    let is_known = packages.contains(&package) || imports.iter().any(|import| import == class);
                    (is_known && !name.contains('$')).then_some(name)
                });
                let names: BTreeSet<&str> = classes.collect();
                return Ok(Value::text([number.as_str()].into_iter().chain(names).collect::<Vec<_>>().join("\n")));
            }
        };
        Ok(Value::text(names.into_iter().collect::<Vec<_>>().join("\n")))
    }

    /// All of a class, of its own and inherited.
    fn members(&self, class: &str) -> Vec<&Member<S>> {
        let Some(class) = self.classes.get(class) else { return Vec::new() };
        let inherited = class.extends.iter().flat_map(|parent| self.members(parent));
        class.members.iter().chain(inherited).collect()
    }

    fn stack_trace(&self, id: ObjectId) -> Result<Value, Failure> {
        let object = self.object(id)?;
        let throwable: Option<&Throwable> = downcast(&object);
        let throwable = throwable.ok_or_else(|| Failure::NotCalled(format!("{id} is no exception")))?;
        Ok(Value::text(throwable.stack_trace()))
    }

    fn object(&self, id: ObjectId) -> Result<Arc<dyn Object>, Failure> {
        // The reference is taken now: the program may let go of the object while the call still runs.
        let object = self.objects.lock().get(&id).cloned();
        object.ok_or_else(|| Failure::NotCalled(format!("there is no object {id}; was it used after it was released?")))
    }

    fn value(&self, argument: &Argument) -> Result<Value, Failure> {
        Ok(match argument {
            Argument::Null => Value::Null,
            Argument::Bool(value) => Value::Bool(*value),
            Argument::Int(number) => Value::Int(*number),
            Argument::Long(number) => Value::Long(*number),
            Argument::Double(number) => Value::Double(*number),
            Argument::Text(text) => Value::text(text.as_str()),
            Argument::Bytes(bytes) => Value::Bytes(bytes.clone()),
            Argument::Reference(id) => Value::Object(self.object(*id)?),
        })
    }

    fn values(&self, arguments: &[Argument]) -> Result<Vec<Value>, Failure> {
        arguments.iter().map(|argument| self.value(argument)).collect()
    }

    fn encode(&self, start: &str, value: &Value) -> String {
        let mut line = start.to_owned();
        match value {
            Value::Null => line.push('n'),
            Value::Void => line.push('v'),
            Value::Bool(value) => line.push_str(if *value { "btrue" } else { "bfalse" }),
            Value::Int(number) => {
                let _ = write!(line, "i{number}");
            }
            Value::Long(number) => {
                let _ = write!(line, "L{number}");
            }
            Value::Double(number) => {
                line.push('d');
                encoding::double(*number, &mut line);
            }
            Value::Text(text) => {
                line.push('s');
                encoding::escape(text, &mut line);
            }
            Value::Bytes(bytes) => {
                line.push('j');
                encoding::base64(bytes, &mut line);
            }
            Value::Object(object) => {
                let id = ObjectId(self.next_id.fetch_add(1, Ordering::Relaxed));
                let kind: Kind = object.kind();
                self.objects.lock().insert(id, Arc::clone(object));
                let _ = write!(line, "{}{id}", kind.letter());
            }
        }
        line
    }
}

/// The refusal of what no table has.
fn not_built_in(member: &str, explanation: Option<&str>) -> Failure {
    let explanation = explanation.map(|explanation| format!(": {explanation}")).unwrap_or_default();
    Failure::NotCalled(format!("py4j.Py4JException: {member} is not built into Firesteel yet{explanation}"))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::{constructor, method, static_field, static_method};

    struct Counter(Mutex<i64>);

    impl Object for Counter {
        fn class(&self) -> &'static str {
            "com.example.Counter"
        }
    }

    fn gateway() -> Gateway<i64> {
        const COUNTER: Class<i64> = Class {
            name: "com.example.Counter",
            extends: &["com.example.Base"],
            members: &[
                constructor(1, |call| Ok(Value::object(Counter(Mutex::new(call.long(0)? + call.state))))),
                method("add", 1, |call| {
                    *call.this::<Counter>()?.0.lock() += call.long(0)?;
                    Ok(call.this_value())
                }),
                method("value", 0, |call| Ok(Value::Long(*call.this::<Counter>()?.0.lock()))),
                method("fail", 0, |_| Err(Throwable::new("com.example.Error", "a\nb").into())),
            ],
        };
        const BASE: Class<i64> = Class {
            name: "com.example.Base",
            extends: &[],
            members: &[
                static_method("echo", 1, |call| Ok(call.argument(0).clone())),
                static_field("LIMIT", |call| Ok(Value::Long(*call.state))),
                method("name", 0, |_| Ok(Value::text("base"))),
            ],
        };
        Gateway::new(100, [COUNTER, BASE])
    }

    #[track_caller]
    fn check(gateway: &Gateway<i64>, command: &str, reply: &str) {
        let mut lines = command.split(' ').map(|part| part.replace('_', " "));
        let command = Command::read(|| Ok::<_, Infallible>(lines.next())).unwrap().unwrap();
        assert_eq!(gateway.reply(command).unwrap(), reply);
    }

    #[test]
    fn an_object_is_made_used_and_forgotten() {
        let gateway = gateway();
        check(&gateway, "i com.example.Counter i1 e", "!yro0");
        check(&gateway, "c o0 add L41 e", "!yro1");
        check(&gateway, "c o0 value e", "!yL142");
        check(&gateway, "c o1 value e", "!yL142");
        check(&gateway, "c o0 equals ro1 e", "!ybtrue");
        let hash = |object: &str| {
            let mut lines = ["c", object, "hashCode", "e"].into_iter().map(str::to_owned);
            gateway.reply(Command::read(|| Ok::<_, Infallible>(lines.next())).unwrap().unwrap())
        };
        assert_eq!(hash("o0"), hash("o1"), "they are one object");
        check(&gateway, "c o1 name e", "!ysbase");
        check(&gateway, "c o1 toString e", "!yscom.example.Counter object");
        assert_eq!(gateway.live_objects(), 2);
        check(&gateway, "m d o0 e", "!yv");
        check(&gateway, "m d o1 e", "!yv");
        assert_eq!(gateway.live_objects(), 0);
        check(&gateway, "c o0 value e", "!xsthere is no object o0; was it used after it was released?");
    }

    #[test]
    fn what_is_not_there_is_refused_with_class_member_and_number_of_arguments() {
        let gateway = gateway();
        check(&gateway, "i com.example.Counter i1 e", "!yro0");
        let refused = |member: &str| format!("!xspy4j.Py4JException: {member} is not built into Firesteel yet");
        check(&gateway, "c o0 add i1 i2 e", &refused("com.example.Counter.add with 2 arguments"));
        check(&gateway, "c z:com.example.Base foo e", &refused("com.example.Base.foo with 0 arguments"));
        check(&gateway, "i com.example.Other n e", &refused("the constructor of com.example.Other with 1 arguments"));
        check(
            &gateway,
            "c o0 add sx e",
            "!xsargument 1 of com.example.Counter.add with 1 arguments must be a whole number",
        );
    }

    #[test]
    fn an_exception_is_an_object_with_a_stack_trace() {
        let gateway = gateway();
        check(&gateway, "i com.example.Counter i1 e", "!yro0");
        check(&gateway, "c o0 fail e", "!xro1");
        check(&gateway, "p ro1 e", "!yscom.example.Error: a\\nb\\n");
        check(&gateway, "c o1 getMessage e", "!ysa\\nb");
        check(&gateway, "c o1 getCause e", "!yn");
        check(&gateway, "c o1 toString e", "!yscom.example.Error: a\\nb");
        check(&gateway, "c o1 getClass e", "!yro2");
        check(&gateway, "c o2 getName e", "!yscom.example.Error");
        check(&gateway, "c o2 getSimpleName e", "!ysError");
        check(&gateway, "c o2 toString e", "!ysclass com.example.Error");
    }

    #[test]
    fn names_are_resolved_by_imports() {
        let gateway = gateway();
        check(&gateway, "r u Counter rj e", "!yp");
        check(&gateway, "j i rj com.example.* e", "!yv");
        check(&gateway, "r u Counter rj e", "!yccom.example.Counter");
        check(&gateway, "r u com.example rj e", "!yp");
        check(&gateway, "r u com.example.Missing rj e", "!yccom.example.Missing");
        check(&gateway, "r m com.example.Base echo e", "!ym");
        check(&gateway, "c z:com.example.Base echo d0.5 e", "!yd0.5");
        check(&gateway, "r m com.example.Base LIMIT e", "!yL100");
        check(&gateway, "i com.example.Counter i1 e", "!yro0");
        check(&gateway, "c z:py4j.reflection.TypeUtil isInstanceOf scom.example.Base ro0 e", "!ybtrue");
        check(&gateway, "c z:py4j.reflection.TypeUtil isInstanceOf scom.example.Other ro0 e", "!ybfalse");
        assert!(gateway.is_subclass("com.example.Counter", "com.example.Base"));
        assert!(!gateway.is_subclass("com.example.Base", "com.example.Counter"));
    }

    #[test]
    fn names_are_told_for_completion() {
        let gateway = gateway();
        check(&gateway, "i com.example.Counter i1 e", "!yro0");
        let methods = r"!ysadd\nequals\nfail\ngetClass\nhashCode\nname\ntoString\nvalue";
        check(&gateway, "d m o0 e", methods);
        check(&gateway, "d f o0 e", "!ys");
        check(&gateway, "d s com.example.Base e", r"!ysLIMIT\necho");
        check(&gateway, "d v rj n e", r"!ys0\nClass\nObject\nThrowable");
        check(&gateway, "d v rj s0 e", "!yn");
        check(&gateway, "j i rj com.example.* e", "!yv");
        check(&gateway, "d v rj s0 e", r"!ys1\nBase\nClass\nCounter\nObject\nThrowable");
    }

    #[test]
    fn the_surface_lists_classes_and_members() {
        let surface = gateway().surface();
        let counter = "com.example.Counter extends com.example.Base\n    add/1\n    fail/0\n    new/1\n    value/0\n";
        assert!(surface.contains(counter), "{surface}");
        let base = "com.example.Base\n    name/0\n    static LIMIT\n    static echo/1\n";
        assert!(surface.starts_with(base), "{surface}");
    }

    #[test]
    fn collections_as_the_client_makes_them() {
        let gateway = gateway();
        check(&gateway, "i java.util.ArrayList e", "!ylo0");
        check(&gateway, "c o0 add i5 e", "!ybtrue");
        check(&gateway, "c o0 size e", "!yi1");
        check(&gateway, "c o0 get i1 e", "!xro1");
        check(&gateway, "c o0 iterator e", "!ygo2");
        check(&gateway, "c o2 next e", "!yi5");
        check(&gateway, "i java.util.HashMap e", "!yao3");
        check(&gateway, "c o3 put sk sv e", "!yn");
        check(&gateway, "c o3 put sk sw e", "!ysv");
        check(&gateway, "c o3 get sk e", "!ysw");
        check(&gateway, "c o3 toString e", "!ys{k=w}");
        check(&gateway, "c o3 keySet e", "!yho4");
        check(&gateway, "a c sjava.lang.Object i2 e", "!yto5");
        check(&gateway, "a s o5 i1 sx e", "!yv");
        check(&gateway, "a g o5 i1 e", "!ysx");
        check(&gateway, "a e o5 e", "!yi2");
        check(&gateway, "a g o5 i2 e", "!xro6");
        check(&gateway, "a c sjava.lang.Object i-5 e", "!xro7");
        check(&gateway, "c o7 getMessage e", "!ys-5");
    }
}
