//! The members of Java's collections.

use std::marker::PhantomData;

use crate::{
    Call, Class, Failure, JavaIterator, JavaList, JavaMap, JavaSet, Member, Throwable, Value,
    collections::{JavaEntry, out_of_bounds},
    constructor, method,
};

const NO_SUCH_ELEMENT: &str = "java.util.NoSuchElementException";

/// Tables for whatever the functions work on.
struct Members<S>(PhantomData<S>);

/// The classes of collections, which every gateway has.
pub(crate) fn classes<S: 'static>() -> [Class<S>; 9] {
    [
        Class { name: "java.util.ArrayList", extends: &["java.util.List"], members: Members::LIST },
        Class { name: "java.util.List", extends: &["java.util.Collection"], members: &[] },
        Class { name: "java.util.Collection", extends: &[], members: &[] },
        Class { name: "java.util.HashSet", extends: &["java.util.Set"], members: Members::SET },
        Class { name: "java.util.Set", extends: &["java.util.Collection"], members: &[] },
        Class { name: "java.util.HashMap", extends: &["java.util.Map"], members: Members::MAP },
        Class { name: "java.util.Map", extends: &[], members: &[] },
        Class { name: "java.util.Map$Entry", extends: &[], members: Members::ENTRY },
        Class { name: "java.util.Iterator", extends: &[], members: Members::ITERATOR },
    ]
}

impl<S: 'static> Members<S> {
    const LIST: &[Member<S>] = &[
        constructor(0, |_| Ok(Value::list([]))),
        constructor(1, |call| Ok(Value::list(elements(call)?))),
        method("add", 1, |call| {
            call.this::<JavaList>()?.0.lock().push(call.argument(0).clone());
            Ok(Value::Bool(true))
        }),
        method("add", 2, |call| {
            let mut values = call.this::<JavaList>()?.0.lock();
            let index = call.long(0)?;
            let place = usize::try_from(index).ok().filter(|place| *place <= values.len());
            let length = values.len();
            values.insert(place.ok_or_else(|| out_of_bounds(index, length))?, call.argument(1).clone());
            Ok(Value::Void)
        }),
        method("addAll", 1, |call| {
            let added = elements(call)?;
            let changes = !added.is_empty();
            call.this::<JavaList>()?.0.lock().extend(added);
            Ok(Value::Bool(changes))
        }),
        method("get", 1, |call| {
            let values = call.this::<JavaList>()?.0.lock();
            Ok(values[place(call, values.len())?].clone())
        }),
        method("set", 2, |call| {
            let mut values = call.this::<JavaList>()?.0.lock();
            let place = place(call, values.len())?;
            Ok(std::mem::replace(&mut values[place], call.argument(1).clone()))
        }),
        // By its place if the argument is a number, as Java decides it.
        method("remove", 1, |call| {
            let mut values = call.this::<JavaList>()?.0.lock();
            if let Value::Int(_) = call.argument(0) {
                let place = place(call, values.len())?;
                return Ok(values.remove(place));
            }
            Ok(Value::Bool(remove(&mut values, call.argument(0))))
        }),
        method("indexOf", 1, |call| {
            let values = call.this::<JavaList>()?.0.lock();
            let place = values.iter().position(|value| value.equals(call.argument(0)));
            Ok(Value::Int(place.and_then(|place| i32::try_from(place).ok()).unwrap_or(-1)))
        }),
        method("size", 0, |call| size(call.this::<JavaList>()?.0.lock().len())),
        method("isEmpty", 0, |call| Ok(Value::Bool(call.this::<JavaList>()?.0.lock().is_empty()))),
        method("iterator", 0, |call| iterator(call.this::<JavaList>()?.values())),
        method("contains", 1, |call| contains(&call.this::<JavaList>()?.0.lock(), call.argument(0))),
    ];
    const SET: &[Member<S>] = &[
        constructor(0, |_| Ok(Value::object(JavaSet::new([])))),
        method("add", 1, |call| {
            let mut values = call.this::<JavaSet>()?.0.lock();
            let new = !values.iter().any(|value| value.equals(call.argument(0)));
            if new {
                values.push(call.argument(0).clone());
            }
            Ok(Value::Bool(new))
        }),
        method("remove", 1, |call| Ok(Value::Bool(remove(&mut call.this::<JavaSet>()?.0.lock(), call.argument(0))))),
        method("size", 0, |call| size(call.this::<JavaSet>()?.0.lock().len())),
        method("isEmpty", 0, |call| Ok(Value::Bool(call.this::<JavaSet>()?.0.lock().is_empty()))),
        method("iterator", 0, |call| iterator(call.this::<JavaSet>()?.values())),
        method("contains", 1, |call| contains(&call.this::<JavaSet>()?.0.lock(), call.argument(0))),
        method("clear", 0, |call| {
            call.this::<JavaSet>()?.0.lock().clear();
            Ok(Value::Void)
        }),
    ];
    const MAP: &[Member<S>] = &[
        constructor(0, |_| Ok(Value::object(JavaMap::new([])))),
        method("put", 2, |call| {
            let (key, value) = (call.argument(0), call.argument(1).clone());
            let mut entries = call.this::<JavaMap>()?.0.lock();
            match entries.iter_mut().find(|(own, _)| own.equals(key)) {
                Some((_, place)) => Ok(std::mem::replace(place, value)),
                None => {
                    entries.push((key.clone(), value));
                    Ok(Value::Null)
                }
            }
        }),
        method("get", 1, |call| Ok(call.this::<JavaMap>()?.get(call.argument(0)).unwrap_or(Value::Null))),
        method("getOrDefault", 2, |call| {
            Ok(call.this::<JavaMap>()?.get(call.argument(0)).unwrap_or_else(|| call.argument(1).clone()))
        }),
        method("remove", 1, |call| {
            let mut entries = call.this::<JavaMap>()?.0.lock();
            let place = entries.iter().position(|(own, _)| own.equals(call.argument(0)));
            Ok(place.map_or(Value::Null, |place| entries.remove(place).1))
        }),
        method("containsKey", 1, |call| Ok(Value::Bool(call.this::<JavaMap>()?.get(call.argument(0)).is_some()))),
        method("size", 0, |call| size(call.this::<JavaMap>()?.0.lock().len())),
        method("isEmpty", 0, |call| Ok(Value::Bool(call.this::<JavaMap>()?.0.lock().is_empty()))),
        method("keySet", 0, |call| {
            let keys = call.this::<JavaMap>()?.entries().into_iter().map(|(key, _)| key);
            Ok(Value::object(JavaSet::new(keys)))
        }),
        method("entrySet", 0, |call| {
            let entries = call.this::<JavaMap>()?.entries().into_iter();
            Ok(Value::object(JavaSet::new(entries.map(|(key, value)| Value::object(JavaEntry(key, value))))))
        }),
    ];
    const ENTRY: &[Member<S>] = &[
        method("getKey", 0, |call| Ok(call.this::<JavaEntry>()?.0.clone())),
        method("getValue", 0, |call| Ok(call.this::<JavaEntry>()?.1.clone())),
    ];
    const ITERATOR: &[Member<S>] = &[
        method("hasNext", 0, |call| Ok(Value::Bool(!call.this::<JavaIterator>()?.0.lock().as_slice().is_empty()))),
        method("next", 0, |call| {
            let next = call.this::<JavaIterator>()?.0.lock().next();
            next.ok_or_else(|| Throwable::new(NO_SUCH_ELEMENT, "no more elements").into())
        }),
    ];
}

/// What a collection holds that is the first argument.
fn elements<S>(call: &Call<'_, S>) -> Result<Vec<Value>, Failure> {
    let argument = call.argument(0);
    let list = argument.as_object::<JavaList>().map(JavaList::values);
    let values = list.or_else(|| argument.as_object::<JavaSet>().map(JavaSet::values));
    values.ok_or_else(|| call.wrong(0, "a collection"))
}

/// The first argument as a place in a list of that length.
fn place<S>(call: &Call<'_, S>, length: usize) -> Result<usize, Failure> {
    let index = call.long(0)?;
    let place = usize::try_from(index).ok().filter(|place| *place < length);
    place.ok_or_else(|| out_of_bounds(index, length).into())
}

fn remove(values: &mut Vec<Value>, wanted: &Value) -> bool {
    let place = values.iter().position(|value| value.equals(wanted));
    place.map(|place| values.remove(place)).is_some()
}

fn size(length: usize) -> Result<Value, Failure> {
    Ok(Value::Int(i32::try_from(length).unwrap_or(i32::MAX)))
}

fn iterator(values: Vec<Value>) -> Result<Value, Failure> {
    Ok(Value::object(JavaIterator::new(values)))
}

fn contains(values: &[Value], wanted: &Value) -> Result<Value, Failure> {
    Ok(Value::Bool(values.iter().any(|value| value.equals(wanted))))
}
