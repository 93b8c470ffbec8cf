"use strict";
const words = JSON.parse(document.body.dataset.words);
const language = document.documentElement.lang;
const whole = new Intl.NumberFormat(language);
const share = new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: 1 });
const ago = new Intl.RelativeTimeFormat(language, { numeric: "auto", style: "short" });
const clock = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

const find = (selector) => document.querySelector(selector);
const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function since(moment, now) {
  const seconds = Math.max(0, (now - Date.parse(moment)) / 1000);
  if (Number.isNaN(seconds)) return "";
  const [unit, size] = UNITS.find(([, length]) => seconds >= length) ?? UNITS[3];
  return ago.format(-Math.floor(seconds / size), unit);
}

function colour(code) {
  const known = getComputedStyle(document.documentElement).getPropertyValue(`--${code}`);
  return known ? `var(--${code})` : "var(--accent)";
}

function showBars(list, classes) {
  const total = classes.reduce((sum, one) => sum + one.count, 0);
  const most = Math.max(1, ...classes.map((one) => one.count));
  list.replaceChildren(...classes.map((one) => {
    const row = element("li");
    const track = element("div", "track");
    const bar = element("div", "fill");
    bar.style.width = `${(100 * one.count) / most}%`;
    bar.style.background = colour(one.code);
    track.append(bar);
    const amount = element("span", "amount", whole.format(one.count));
    amount.append(element("small", "", total ? share.format(one.count / total) : ""));
    row.append(element("span", "", one.label), track, amount);
    return row;
  }));
}

function showStack(box, classes) {
  box.replaceChildren(...classes.filter((one) => one.count > 0).map((one) => {
    const part = element("div");
    part.style.flexGrow = one.count;
    part.style.background = colour(one.code);
    part.title = `${one.label}: ${whole.format(one.count)}`;
    return part;
  }));
}

function showTypes(types, now) {
  const rows = [...types].sort((one, other) => String(other.last_at).localeCompare(String(one.last_at)));
  find("#types tbody").replaceChildren(...rows.slice(0, 12).map((type) => {
    const row = element("tr");
    const name = element("td");
    name.append(element("code", "", type.type));
    row.append(name, element("td", "number", whole.format(type.count ?? 0)), element("td", "number", since(type.last_at, now)));
    return row;
  }));
  find("#types table").hidden = rows.length === 0;
  find("#types .empty").hidden = rows.length > 0;
}

function showProcesses(processes) {
  find("#processes ul").replaceChildren(...processes.map((process) => {
    const behind = process.lag.events > 0;
    const row = element("li", !process.ready ? "bad" : behind ? "wait" : "fine");
    const said = !process.ready ? process.missing.join(", ") || words.not_ready
      : behind ? fill(words.lag, { events: whole.format(process.lag.events) }) : words.ready;
    row.append(element("span", "dot"), element("span", "", process.name), element("span", "", said));
    return row;
  }));
}

function showState(className, text, time) {
  find("#state").className = `state ${className}`;
  find("#state .text").textContent = text;
  find("#state time").textContent = time;
}

function show(status) {
  const now = Date.parse(status.at);
  const time = fill(words.updated, { time: clock.format(now) });
  if (!status.ready) showState("bad", fill(words.unready, { missing: status.missing.join("; ") }), time);
  else if (status.caught_up) showState("fine", words.fresh, time);
  else showState("wait", fill(words.behind, { events: whole.format(status.lag.events), seconds: whole.format(Math.round(status.lag.seconds)) }), time);
  find("#total").textContent = status.customers === null ? "–" : whole.format(status.customers);
  find("#first").hidden = status.customers !== 0;
  showBars(find("#lifecycle ul"), status.states);
  showBars(find("#churn ul"), status.churn_bands);
  showStack(find("#churn .stack"), status.churn_bands);
  showTypes(status.types, now);
  showProcesses(status.processes);
}

async function poll() {
  try {
    const response = await fetch("/status.json", { headers: { "Accept-Language": language }, cache: "no-store" });
    show(await response.json());
  } catch {
    showState("bad", words.unreachable, "");
  }
  setTimeout(poll, document.hidden ? 10000 : 2000);
}

find("#origin").textContent = location.origin;
poll();
