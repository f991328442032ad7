// More of a log without leaving the page. What comes is text, and is shown as text. Without this script the buttons are links.
"use strict";
const view = document.getElementById("log");
const text = document.getElementById("text");
const said = document.getElementById("said");
const length = Number(view.dataset.length);
let start = Number(view.dataset.start);
let end = Number(view.dataset.end);

// The first line of an answer says which bytes follow.
async function part(offset, bytes) {
  const answer = await fetch(`${view.dataset.source}&offset=${offset}&byteLength=${bytes}`);
  if (!answer.ok) throw new Error(`the worker answers ${answer.status}`);
  const all = await answer.text();
  const cut = all.indexOf("\n");
  const found = /^==== Bytes (\d+)-(\d+) of (\d+) of /.exec(all.slice(0, cut));
  if (!found) throw new Error(all);
  const [from, to, total] = found.slice(1).map(Number);
  return { from, to, total, text: all.slice(cut + 1) };
}

function show(total) {
  document.getElementById("range").textContent = `Bytes ${start} to ${end} of ${total}`;
  document.getElementById("older")?.toggleAttribute("hidden", start === 0);
}

async function older() {
  const from = Math.max(0, start - length);
  if (from === start) return;
  const more = await part(from, start - from);
  if (more.to !== start) throw new Error("the log has changed; load the page again");
  const height = text.scrollHeight;
  text.textContent = more.text + text.textContent;
  text.scrollTop += text.scrollHeight - height;
  start = more.from;
  show(more.total);
}

async function newer() {
  const more = await part(end, length);
  if (more.total < end) throw new Error("the log has become shorter; load the page again");
  said.textContent = more.to > end ? "" : "Nothing new.";
  if (more.from !== end) return;
  text.textContent += more.text;
  end = more.to;
  show(more.total);
  text.scrollTop = text.scrollHeight;
}

function on(id, act) {
  document.getElementById(id)?.addEventListener("click", (event) => {
    event.preventDefault();
    act().catch((error) => { said.textContent = String(error.message); });
  });
}

on("older", older);
on("newer", newer);
if (end === Number(view.dataset.total)) text.scrollTop = text.scrollHeight;
