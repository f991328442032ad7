//! JSON text, written in order into a buffer: no tree of values in between, because tens of thousands of events a second
//! pass through here.
//!
//! Every text passes through [`scalar`], which hides what URLs have of secrets. So no field of an event can be forgotten, whatever it
//! holds: names, reasons, the output of a process that has ended, keys of maps. Most texts hold no URL, and cost one search.

use firesteel_model::hide_secrets_of_urls;
use serde::Serialize;

/// Writes the members of one object.
pub(crate) struct Object<'a> {
    out: &'a mut Vec<u8>,
    first: bool,
}

/// Writes the elements of one array.
pub(crate) struct Array<'a> {
    out: &'a mut Vec<u8>,
    first: bool,
}

/// Appends one object.
pub(crate) fn object(out: &mut Vec<u8>, members: impl FnOnce(&mut Object<'_>)) {
    out.push(b'{');
    members(&mut Object { out, first: true });
    out.push(b'}');
}

fn array(out: &mut Vec<u8>, elements: impl FnOnce(&mut Array<'_>)) {
    out.push(b'[');
    elements(&mut Array { out, first: true });
    out.push(b']');
}

/// Appends one number, text or boolean; of a text, what may be shown.
fn scalar(out: &mut Vec<u8>, value: &(impl Serialize + ?Sized)) {
    let start = out.len();
    append(out, value);
    // What makes a URL needs no escapes in JSON, so it is seen here whichever type the text had.
    if out[start] == b'"' && out[start..].windows(URL_MARK.len()).any(|bytes| bytes == URL_MARK) {
        let text: String = serde_json::from_slice(&out[start..]).expect("a JSON text was written right here");
        out.truncate(start);
        append(out, &hide_secrets_of_urls(&text));
    }
}

/// What every URL with an authority has.
const URL_MARK: &[u8] = b"://";

fn append(out: &mut Vec<u8>, value: &(impl Serialize + ?Sized)) {
    serde_json::to_writer(out, value).expect("numbers, texts and booleans are JSON, and a buffer takes everything");
}

fn separate(out: &mut Vec<u8>, first: &mut bool) {
    if !std::mem::take(first) {
        out.push(b',');
    }
}

impl Object<'_> {
    /// A name of Spark's protocol: it needs no escapes, and is written for every event.
    fn name(&mut self, name: &'static str) {
        separate(self.out, &mut self.first);
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    /// A name that is data.
    fn data_name(&mut self, name: &str) {
        separate(self.out, &mut self.first);
        scalar(self.out, name);
        self.out.push(b':');
    }

    /// A member with a number, text or boolean.
    pub(crate) fn field(&mut self, name: &'static str, value: impl Serialize) {
        self.name(name);
        scalar(self.out, &value);
    }

    /// The same, or nothing.
    pub(crate) fn optional(&mut self, name: &'static str, value: Option<impl Serialize>) {
        if let Some(value) = value {
            self.field(name, value);
        }
    }

    /// A member with an object.
    pub(crate) fn object(&mut self, name: &'static str, members: impl FnOnce(&mut Object<'_>)) {
        self.name(name);
        object(self.out, members);
    }

    /// A member with an object, whose name is data.
    pub(crate) fn data_object(&mut self, name: &str, members: impl FnOnce(&mut Object<'_>)) {
        self.data_name(name);
        object(self.out, members);
    }

    /// A member with an array.
    pub(crate) fn array(&mut self, name: &'static str, elements: impl FnOnce(&mut Array<'_>)) {
        self.name(name);
        array(self.out, elements);
    }

    /// A member whose object is made of these names and texts.
    pub(crate) fn texts<'t, T: AsRef<str>>(
        &mut self,
        name: &'static str,
        texts: impl IntoIterator<Item = (&'t str, T)>,
    ) {
        self.object(name, |object| {
            for (name, text) in texts {
                object.data_name(name);
                scalar(object.out, text.as_ref());
            }
        });
    }

    /// A member whose text is JSON that was written before. Its own texts hide their secrets; to look at it once more could take an
    /// escape apart.
    pub(crate) fn json_text(&mut self, name: &'static str, json: &[u8]) {
        self.name(name);
        append(self.out, str::from_utf8(json).expect("JSON that was made of texts is a text"));
    }

    /// A member with JSON that was written before.
    pub(crate) fn written(&mut self, name: &'static str, json: &[u8]) {
        self.name(name);
        self.out.extend_from_slice(json);
    }
}

impl Array<'_> {
    /// A number, text or boolean.
    pub(crate) fn element(&mut self, value: impl Serialize) {
        separate(self.out, &mut self.first);
        scalar(self.out, &value);
    }

    /// An object.
    pub(crate) fn object(&mut self, members: impl FnOnce(&mut Object<'_>)) {
        separate(self.out, &mut self.first);
        object(self.out, members);
    }
}

#[cfg(test)]
mod tests {
    use serde::Serialize;

    use super::object;

    fn written(value: impl Serialize) -> String {
        let mut out = Vec::new();
        object(&mut out, |object| object.field("x", value));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn texts_of_every_type_hide_the_secrets_of_urls() {
        #[derive(Serialize)]
        struct Name(String);

        let url = "a \"quoted\" \\ s3a://me:hun\\ter2@bucket/x\nhttps://h/y?sig=hunter2\n";
        let shown = r#"{"x":"a \"quoted\" \\ s3a://*********(redacted)@bucket/x\nhttps://h/y?*********(redacted)\n"}"#;
        assert_eq!(written(url), shown);
        assert_eq!(written(url.to_owned()), shown);
        assert_eq!(written(Name(url.to_owned())), shown);
        assert_eq!(written(Some(&url)), shown);
    }

    #[test]
    fn what_is_no_url_is_written_as_it_is() {
        assert_eq!(written("me:word@host \"x\" \u{1}"), r#"{"x":"me:word@host \"x\" \u0001"}"#);
        assert_eq!(written("hdfs://n:8020/a@b"), r#"{"x":"hdfs://n:8020/a@b"}"#);
        assert_eq!(written(7), r#"{"x":7}"#);
        assert_eq!(written(true), r#"{"x":true}"#);
        assert_eq!(written(""), r#"{"x":""}"#);
    }
}
